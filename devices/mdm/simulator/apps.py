"""In-house apps on a simulated device: it fetches the manifest, and after its session the file, and installs the app.

It is as strict as a device can be: the manifest has to name the file that arrives, and the app that is in it.
"""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from devices.library import ipa
from devices.mdm.simulator.refusing import CommandError
from devices.mdm.simulator.transports import ConnectionCut
from devices.wire import plists
from devices.wire.errors import Malformed

if TYPE_CHECKING:
    from devices.mdm.simulator.device import SimulatedDevice

NO_MANIFEST, NOT_MANAGED = 12023, 12026
MANAGED, INSTALLING, UPDATING, FAILED = "Managed", "Installing", "Updating", "Failed"
GONE = "ManagedButUninstalled"
# Apple's states that a device reports once, and the states that it has after that; "" for an app that it does not know.
ONCE = {"UserRejected": "", "ManagementRejected": "", "UserInstalledApp": "", FAILED: "", "UpdateRejected": MANAGED}


@dataclass(frozen=True, slots=True)
class Pending:
    """An app whose file the device is about to fetch."""

    url: str
    digest: str
    size: int


def install(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    """Take the command. The app is installed by `live`."""
    if "ManifestURL" not in command:  # from Apple's store
        identifier = command.get("Identifier") or f"com.example.app{len(device.state.managed_apps)}"
        device.state.managed_apps[identifier] = MANAGED
        return {"Identifier": identifier, "State": INSTALLING}
    answer = device.get(command["ManifestURL"])
    if answer.status != 200:
        raise CommandError(NO_MANIFEST, f"The manifest was answered with {answer.status}.")
    try:
        (item,) = plists.loads(answer.body)["items"]
        (asset,) = (each for each in item["assets"] if each["kind"] == "software-package")
        identifier = item["metadata"]["bundle-identifier"]
        (digest,) = asset["sha256s"]
        device.state.pending_apps[identifier] = Pending(asset["url"], digest, asset["sha256-size"])
    except (Malformed, KeyError, ValueError) as error:
        raise CommandError(NO_MANIFEST, f"The manifest is invalid: {error!r}") from None
    there = device.state.managed_apps.get(identifier) == MANAGED
    device.state.managed_apps[identifier] = state = UPDATING if there else INSTALLING
    return {"Identifier": identifier, "State": state}


def remove(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    identifier = command.get("Identifier", "")
    if device.state.managed_apps.pop(identifier, None) is None:
        raise CommandError(NOT_MANAGED, f"The app “{identifier}” is not managed.")
    device.state.pending_apps.pop(identifier, None)
    _delete(device, identifier)
    return {}


def delete(device: "SimulatedDevice", identifier: str) -> None:
    """A person removes an app from the device."""
    _delete(device, identifier)
    if identifier in device.state.managed_apps:
        device.state.managed_apps[identifier] = GONE


def live(device: "SimulatedDevice") -> None:
    """Fetch and install what was taken, unless a switch of the device has it end in another state."""
    for identifier, app in list(device.state.pending_apps.items()):
        try:
            state = device.switches.app_state or _installed(device, identifier, app)
        except ConnectionCut:
            continue  # it fetches the file after another session
        device.state.managed_apps[identifier] = state
        del device.state.pending_apps[identifier]


def forget(device: "SimulatedDevice") -> None:
    """The device has left: what it got with the flag for that is removed."""
    for identifier in device.state.managed_apps:
        _delete(device, identifier)
    device.state.managed_apps, device.state.pending_apps = {}, {}


def states(device: "SimulatedDevice") -> dict[str, str]:
    """The state of each managed app, as the device reports it now."""
    reported = dict(device.state.managed_apps)
    for identifier, state in reported.items():
        if state not in ONCE:
            continue
        if ONCE[state]:
            device.state.managed_apps[identifier] = ONCE[state]
        else:
            del device.state.managed_apps[identifier]
    return reported


def _installed(device: "SimulatedDevice", identifier: str, pending: Pending) -> str:
    """The state in which the installation ends."""
    answer = device.get(pending.url)
    if answer.status != 200 or len(answer.body) != pending.size:
        return FAILED
    if hashlib.sha256(answer.body).hexdigest() != pending.digest:
        return FAILED
    try:
        app = ipa.read(BytesIO(answer.body))
    except ipa.InvalidIpa:
        return FAILED
    if app.identifier != identifier:
        return FAILED
    _delete(device, identifier)
    device.state.apps.append(
        {
            "Name": app.name,
            "Identifier": identifier,
            "ShortVersion": app.version,
            "Version": app.build,
            "BundleSize": len(answer.body),
        }
    )
    return MANAGED


def _delete(device: "SimulatedDevice", identifier: str) -> None:
    device.state.apps = [app for app in device.state.apps if app["Identifier"] != identifier]
