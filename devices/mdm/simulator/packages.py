"""Packages on a simulated Mac: it fetches the manifest and then the file, and runs the installer after its session.

It is as strict as a Mac can be: the pieces of the file have to have the digests in the manifest, and the file has to be
a signed package; by a command, a distribution package.
"""

from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from devices.library import packages
from devices.library.packages import Package
from devices.library.xar import UnreadablePackage
from devices.mdm.simulator import manifests
from devices.mdm.simulator.manifests import Manifest
from devices.mdm.simulator.refusing import CommandError
from devices.mdm.simulator.transports import ConnectionCut

if TYPE_CHECKING:
    from devices.mdm.simulator.device import SimulatedDevice

DECLARATION = "com.apple.configuration.package"
QUEUED, INSTALLED, FAILED = "queued", "installed", "failed"
NOT_FETCHED, NOT_INSTALLED = "Error.DownloadFailed", "Error.InstallFailed"


@dataclass
class DeclaredPackage:
    """A package that a declaration brought. `manifest` is None until it was read."""

    token: str  # of the declaration
    url: str
    manifest: Manifest | None = None
    identifier: str = ""
    version: str = ""
    state: str = QUEUED
    reasons: list[dict[str, Any]] = field(default_factory=list)


def install(device: "SimulatedDevice", command: dict[str, Any]) -> dict[str, Any]:
    """Take the command. The package is installed by `live`."""
    device.state.pending_packages.append(manifests.read(device, command["ManifestURL"]))
    return {}


def live(device: "SimulatedDevice") -> None:
    """Fetch and install what was taken. A Mac tells its server nothing of what fails then."""
    pending, device.state.pending_packages = device.state.pending_packages, []
    for manifest in pending:
        content = manifests.fetch(device, manifest)
        package = _package(content) if content is not None else None
        if package is not None and package.distribution:
            _install(device, package, manifest)


def declare(device: "SimulatedDevice", documents: list[dict[str, Any]]) -> None:
    """Take the declarations of packages. Those that are gone take nothing from the Mac but what it knows of them."""
    known, device.state.declared_packages = device.state.declared_packages, {}
    for document in documents:
        name, token, url = document["Identifier"], document["ServerToken"], document["Payload"]["ManifestURL"]
        before = known.get(name)
        if before is None or before.token != token:
            before = _looked_at(device, before, token, url)
        device.state.declared_packages[name] = before


def live_declared(device: "SimulatedDevice") -> bool:
    """Fetch and install what declarations brought. Returns whether something of it has changed."""
    queued = [each for each in device.state.declared_packages.values() if each.state == QUEUED]
    for each in queued:
        try:
            content = manifests.fetch(device, each.manifest) if each.manifest else None
        except ConnectionCut:
            continue  # it fetches the file later
        package = _package(content) if content is not None else None
        if package is None:
            _fail(device, each, NOT_FETCHED, "The package could not be fetched.")
        elif each.manifest is None or not _install(device, package, each.manifest):
            _fail(device, each, NOT_INSTALLED, "The installer ended with an error.")
        else:
            each.state, each.identifier, each.version = INSTALLED, package.identifier, package.version
    return bool(queued)


def listed(device: "SimulatedDevice") -> list[dict[str, Any]]:
    """What the Mac reports of the packages that declarations brought, by Apple's names."""
    return [
        {
            "identifier": each.identifier or name,
            "declaration-identifier": name,
            "name": each.manifest.title if each.manifest else "",
            "version": each.version,
            "state": each.state,
            **({"reasons": each.reasons} if each.reasons else {}),
        }
        for name, each in device.state.declared_packages.items()
    ]


def _looked_at(device: "SimulatedDevice", before: DeclaredPackage | None, token: str, url: str) -> DeclaredPackage:
    """A declaration that is new, or has changed: the manifest says whether there is something to install."""
    fresh = DeclaredPackage(token, url)
    try:
        fresh.manifest = manifests.read(device, url)
    except CommandError as error:
        _fail(device, fresh, NOT_FETCHED, str(error))
        return fresh
    fresh.identifier, fresh.version = fresh.manifest.identifier, fresh.manifest.version
    if before is not None and before.state == INSTALLED and before.manifest is not None:
        there, wanted = before.manifest, fresh.manifest
        if (there.identifier, there.version) == (wanted.identifier, wanted.version):
            before.token = token
            return before
    return fresh


def _package(content: bytes) -> Package | None:
    """None for a file that is no signed package."""
    try:
        package = packages.read(BytesIO(content))
    except UnreadablePackage:
        return None
    return None if package.unsigned else package


def _install(device: "SimulatedDevice", package: Package, manifest: Manifest) -> bool:
    """Returns whether the installer succeeded."""
    if device.switches.packages_do_nothing:
        return False
    for app in package.apps:
        device.state.apps = [each for each in device.state.apps if each["Identifier"] != app.identifier]
        device.state.apps.append(
            {
                "Name": app.path.rpartition("/")[2].removesuffix(".app"),
                "Identifier": app.identifier,
                "ShortVersion": app.version,
                "Version": app.build,
                "BundleSize": manifest.piece * len(manifest.digests),
            }
        )
    return True


def _fail(device: "SimulatedDevice", package: DeclaredPackage, code: str, description: str) -> None:
    package.state = FAILED
    details = {"Timestamp": _moment(device.now)}
    package.reasons = [{"code": code, "description": description, "details": details}]


def _moment(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
