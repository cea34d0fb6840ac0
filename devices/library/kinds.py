"""The kinds of library items: the names of each, the place of its contents, and the devices that it is for."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devices.library import profile_files
from devices.models import MACS, LibraryItem, Platform

DIGITS = 12  # digits of a checksum that people compare
EVERY = frozenset(Platform)
RUNS_ON = {
    "runs_on_mac": Platform.MAC,
    "runs_on_iphone": Platform.IPHONE,
    "runs_on_ipad": Platform.IPAD,
    "runs_on_tv": Platform.APPLE_TV,
}


def lines_and_digest(text: str) -> str:
    return f"{text.count('\n') + 1} lines (sha256 {hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}…)"


def _macs(contents: Any) -> frozenset[Platform]:
    return MACS


def _every(contents: Any) -> frozenset[Platform]:
    return EVERY


def runs_on(contents: Any) -> frozenset[Platform]:
    """The families in the columns `runs_on_…`; all families for an item whose contents are not here."""
    if contents is None:
        return EVERY
    return frozenset(platform for name, platform in RUNS_ON.items() if getattr(contents, name, False))


def _no_version(contents: Any) -> str:
    return ""


def _profile_version(contents: Any) -> str:
    return str(profile_files.content_of(contents.profile).get(profile_files.PAYLOAD_UUID, "")).upper()[:64]


def _file_version(contents: Any) -> str:
    """The digest of its file; "" for a file in a bucket that was not read yet."""
    return str(contents.file.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of library items. `type` is its name in the API; `label`, `plural` and `icon` are for people.

    `contents` is the attribute of an item for its row in the kind's own table; a kind without it cannot be edited
    here. `fields` are the columns of that table that can be set. `digested` are those with values too long for the
    trail, which gets the result of `describe` instead. `platforms` returns the families that an item is for; it takes
    the contents, or None if they are not here. `pending` is the status of a device that has not reported on the item.
    """

    type: str
    label: str
    plural: str
    icon: str
    platforms: Callable[[Any], frozenset[Platform]] = _macs
    contents: str = ""
    fields: tuple[str, ...] = ()
    digested: frozenset[str] = frozenset()
    describe: Callable[[str], str] = lines_and_digest
    self_service: bool = False
    singleton: bool = False  # a blueprint, or a node of it, has at most one, because two would conflict
    pending: str = "PENDING"
    version: Callable[[Any], str] = _no_version  # of the contents, as LibraryItem has it


CUSTOM_APP = Kind(
    type="custom-app",
    label="Custom App",
    plural="Custom Apps",
    icon="package",
    contents="custom_app",
    fields=(
        "file_key",
        "install_type",
        "install_enforcement",
        "unzip_location",
        "audit_script",
        "preinstall_script",
        "postinstall_script",
        "restart",
    ),
    digested=frozenset({"audit_script", "preinstall_script", "postinstall_script"}),
    self_service=True,
    version=_file_version,
)
IPA_APP = Kind(
    type="ipa-app",
    label="In-House App",
    plural="In-House Apps",
    icon="layout-grid",
    platforms=runs_on,
    contents="ipa_app",
    fields=("file_key", "runs_on_iphone", "runs_on_ipad", "runs_on_tv"),
    version=_file_version,
)
CUSTOM_PROFILE = Kind(
    type="profile",
    label="Custom Profile",
    plural="Custom Profiles",
    icon="file-cog",
    platforms=runs_on,
    contents="custom_profile",
    fields=("profile", "runs_on_mac", "runs_on_iphone", "runs_on_ipad", "runs_on_tv", "runs_on_vision"),
    digested=frozenset({"profile"}),
    describe=profile_files.description,
    pending="pending",
    version=_profile_version,
)
CUSTOM_SCRIPT = Kind(
    type="custom-script",
    label="Custom Script",
    plural="Custom Scripts",
    icon="square-terminal",
    contents="custom_script",
    fields=("execution_frequency", "script", "remediation_script", "restart"),
    digested=frozenset({"script", "remediation_script"}),
    self_service=True,
)
THREAT_POLICY = Kind(
    type="threat-security-policy", label="Threat Policy", plural="Threat Policies", icon="shield", singleton=True
)
KINDS = {
    kind.type: kind
    for kind in (
        CUSTOM_APP,
        IPA_APP,
        CUSTOM_PROFILE,
        CUSTOM_SCRIPT,
        Kind(type="automatic-app", label="Automatic App", plural="Automatic Apps", icon="package-check"),
        Kind(type="macos-release", label="macOS Release", plural="macOS Releases", icon="monitor-down", singleton=True),
        Kind(type="kandji-setup", label="Agent Setup", plural="Agent Setups", icon="settings", singleton=True),
        THREAT_POLICY,
    )
}
_OTHER = Kind(type="", label="Library Item", plural="Other Items", icon="box", platforms=_every)


def kind_of(item: LibraryItem) -> Kind:
    """The kind of an item; a general kind for a type that this server does not know."""
    return KINDS.get(item.type, _OTHER)


def contents_of(item: LibraryItem) -> Any:
    """The row of the item in the table of its kind; None if its contents are not here."""
    name = kind_of(item).contents
    return getattr(item, name, None) if name else None


def version_of(item: LibraryItem) -> str:
    """The version that devices have once they have the item as it is now; "" for an item without contents here."""
    contents = contents_of(item)
    return kind_of(item).version(contents) if contents else ""


def platforms_of(item: LibraryItem) -> frozenset[Platform]:
    """The families of the devices that the item is for."""
    return kind_of(item).platforms(contents_of(item))
