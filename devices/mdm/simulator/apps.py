"""In-house apps on a simulated device: it fetches the manifest, and after its session the file, and installs the app.

It is as strict as a device can be: the manifest has to name the file that arrives, and the app that is in it.
"""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from devices.library import ipa
from devices.mdm.simulator import manifests
from devices.mdm.simulator.manifests import Manifest
from devices.mdm.simulator.refusing import CommandError
from devices.mdm.simulator.transports import ConnectionCut

if TYPE_CHECKING:
    from devices.mdm.simulator.device import SimulatedDevice

NOT_MANAGED = 12026
MANAGED, INSTALLING, UPDATING, FAILED = "Managed", "Installing", "Updating", "Failed"
GONE = "ManagedButUninstalled"
# Apple's states that a device reports once, and the states that it has after that; "" for an app that it does not know.
ONCE = {"UserRejected": "", "ManagementRejected": "", "UserInstalledApp": "", FAILED: "", "UpdateRejected": MANAGED}


def install(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    """Take the command. The app is installed by `live`."""
    if "ManifestURL" not in command:  # from Apple's store
        identifier = command.get("Identifier") or f"com.example.app{len(device.state.managed_apps)}"
        device.state.managed_apps[identifier] = MANAGED
        return {"Identifier": identifier, "State": INSTALLING}
    manifest = manifests.read(device, command["ManifestURL"])
    identifier = manifest.identifier
    device.state.pending_apps[identifier] = manifest
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


def _installed(device: "SimulatedDevice", identifier: str, manifest: Manifest) -> str:
    """The state in which the installation ends."""
    content = manifests.fetch(device, manifest)
    if content is None:
        return FAILED
    try:
        app = ipa.read(BytesIO(content))
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
            "BundleSize": len(content),
        }
    )
    return MANAGED


def _delete(device: "SimulatedDevice", identifier: str) -> None:
    device.state.apps = [app for app in device.state.apps if app["Identifier"] != identifier]
