"""Packages on a simulated Mac: it fetches the manifest and then the file, and runs the installer after its session.

It is as strict as a Mac can be: the pieces of the file have to have the digests in the manifest, and the file has to be
a signed distribution package.
"""

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from devices.library import packages
from devices.library.xar import UnreadablePackage
from devices.mdm.simulator.refusing import CommandError
from devices.wire import plists
from devices.wire.errors import Malformed

if TYPE_CHECKING:
    from devices.mdm.simulator.device import SimulatedDevice

NO_MANIFEST = 12023


@dataclass(frozen=True, slots=True)
class PendingPackage:
    """A package whose file the Mac is about to fetch, and the digests of its pieces."""

    url: str
    piece: int
    digests: list[str]


def install(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    """Take the command. The package is installed by `live`."""
    answer = device.get(command["ManifestURL"])
    if answer.status != 200:
        raise CommandError(NO_MANIFEST, f"The manifest was answered with {answer.status}.")
    try:
        (item,) = plists.loads(answer.body)["items"]
        (asset,) = (each for each in item["assets"] if each["kind"] == "software-package")
        named = item["metadata"]
        if named["kind"] != "software" or not (named["bundle-identifier"] and named["bundle-version"]):
            raise ValueError(named)
        device.state.pending_packages.append(PendingPackage(asset["url"], asset["sha256-size"], asset["sha256s"]))
    except (Malformed, KeyError, ValueError) as error:
        raise CommandError(NO_MANIFEST, f"The manifest is invalid: {error!r}") from None
    return {}


def live(device: "SimulatedDevice") -> None:
    """Fetch and install what was taken. A Mac tells its server nothing of what fails then."""
    pending, device.state.pending_packages = device.state.pending_packages, []
    for each in pending:
        answer = device.get(each.url)
        if answer.status == 200 and _is_whole(answer.body, each):
            _install(device, answer.body)


def _is_whole(content: bytes, pending: PendingPackage) -> bool:
    pieces = [content[start : start + pending.piece] for start in range(0, len(content), pending.piece)]
    return [hashlib.sha256(piece).hexdigest() for piece in pieces] == pending.digests


def _install(device: "SimulatedDevice", content: bytes) -> None:
    try:
        package = packages.read(BytesIO(content))
    except UnreadablePackage:
        return
    if package.unsigned or not package.distribution or device.switches.packages_do_nothing:
        return
    for app in package.apps:
        device.state.apps = [each for each in device.state.apps if each["Identifier"] != app.identifier]
        device.state.apps.append(
            {
                "Name": app.path.rpartition("/")[2].removesuffix(".app"),
                "Identifier": app.identifier,
                "ShortVersion": app.version,
                "Version": app.build,
                "BundleSize": len(content),
            }
        )
