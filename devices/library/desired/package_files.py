"""The file of a custom app: whether MDM can install it on a Mac, and the apps by which the Mac shows that it has it."""

from collections.abc import Mapping, Sequence

from django.db.models import Q

from devices.library.packages import App, Package, numbers
from devices.models import CustomApp, Device, LibraryItem, StoredFile
from devices.versions import version_of

# For a query of items that has no room for their scripts.
SCRIPTED = {"has_scripts": Q(custom_app__preinstall_script__gt="") | Q(custom_app__postinstall_script__gt="")}

type Versions = Mapping[str, Sequence[tuple[str, str]]]  # by identifier: version and build of each copy of an app

FIRST = (10, 13, 6)  # the macOS that takes packages in this way
NEEDS_AGENT = "{} an agent on the Mac, which this server does not have."
ARCHIVE = NEEDS_AGENT.format("Of custom apps, MDM installs packages alone. An archive or a disk image needs")
SELF_SERVICE = NEEDS_AGENT.format("It is offered in Self Service alone, which needs")
AUDIT = NEEDS_AGENT.format("Its audit script needs")
SCRIPTS = NEEDS_AGENT.format("Its scripts before and after the installation need")
RESTART = NEEDS_AGENT.format("The restart after the installation needs")
NOT_READ = "The package has not been read yet. This takes some minutes after an update of this server."
FROM_MACOS_26 = "Supervised Macs from macOS 26 take it"
COMPONENT = f"It is no distribution package. {FROM_MACOS_26}; for the others, `productbuild --package` makes one of it."
NO_APP = (
    f"It installs no app that a Mac has in its list of apps. {FROM_MACOS_26}; of the others, this server could not see"
    " whether it succeeded."
)
NO_VERSION = "It has no identifier or no version, by which a Mac tells one package from another."
TOO_OLD = "The package needs version {} of the system; the device has {}."


def package_of(item: LibraryItem) -> Package | None:
    """What was read in the package of a custom app; None if it was not read, or cannot be."""
    found = item.custom_app.file.metadata.get("package") or {}
    return None if not found or "problem" in found else Package.from_json(found)


def identifier(item: LibraryItem) -> str:
    package = package_of(item)
    return package.apps[0].identifier if package and package.apps else ""


def unfit(item: LibraryItem, device: Device) -> str:
    """Why the app cannot be installed on the Mac by a command, or this server could not see whether it was; "" if it
    can. The item comes from a query with `SCRIPTED`.
    """
    return obstacle(item, scripted=_scripted(item)) or _too_old(item, device)


def unfit_to_declare(item: LibraryItem, device: Device) -> str:
    """Why the app cannot be installed on the Mac by a declaration, from a query with `SCRIPTED`; "" if it can."""
    return obstacle(item, scripted=_scripted(item), declared=True) or _too_old(item, device)


def obstacle(item: LibraryItem, *, scripted: bool, declared: bool = False) -> str:
    """Why no Mac can install the app by a command, or else by a declaration.

    `scripted`: it runs scripts before or after its installation.
    """
    app = item.custom_app
    if app.install_type != CustomApp.InstallType.PACKAGE:
        return ARCHIVE
    if app.install_enforcement == CustomApp.Enforcement.NO_ENFORCEMENT:
        return SELF_SERVICE
    if app.install_enforcement == CustomApp.Enforcement.CONTINUOUSLY:
        return AUDIT
    if scripted:
        return SCRIPTS
    if app.restart:
        return RESTART
    return _unusable(app.file, declared=declared) if item.version else NOT_READ


def _scripted(item: LibraryItem) -> bool:
    scripted: bool = item.has_scripts  # type: ignore[attr-defined]
    return scripted


def _unusable(file: StoredFile, *, declared: bool) -> str:
    found = file.metadata.get("package")
    if not found:
        return NOT_READ
    if "problem" in found:
        return str(found["problem"])
    package = Package.from_json(found)
    if not package.distribution and not declared:
        return COMPONENT
    if package.unsigned:
        return package.unsigned
    if declared:
        return "" if package.identifier and package.version else NO_VERSION
    return "" if package.apps else NO_APP


def _too_old(item: LibraryItem, device: Device) -> str:
    package = package_of(item)
    has = version_of(device.os_version)
    least = (version_of(package.minimum_os_version) if package else None) or FIRST
    if has is None or has >= max(least, FIRST):
        return ""
    return TOO_OLD.format(".".join(map(str, max(least, FIRST))), device.os_version)


def is_there(app: App, installed: Versions) -> bool:
    """Whether a Mac that has these apps has this one, in its version or a later one."""
    return any(_is_as_new(app, version, build) for version, build in installed.get(app.identifier, ()))


def _is_as_new(app: App, version: str, build: str) -> bool:
    if not (app.version and version):
        return bool(app.build and build) and numbers(build) >= numbers(app.build)
    if numbers(version) != numbers(app.version):
        return numbers(version) > numbers(app.version)
    # Builds may be names of commits: then the version alone decides.
    return not (_is_numeric(build) and _is_numeric(app.build)) or numbers(build) >= numbers(app.build)


def _is_numeric(text: str) -> bool:
    return bool(text) and text.replace(".", "").isdecimal()
