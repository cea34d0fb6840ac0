"""The kinds of library items: what each is called, where its contents are, and which devices it is for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from devices.models import MACS, LibraryItem, Platform

EVERY = frozenset(Platform)
RUNS_ON = {
    "runs_on_mac": Platform.MAC,
    "runs_on_iphone": Platform.IPHONE,
    "runs_on_ipad": Platform.IPAD,
    "runs_on_tv": Platform.APPLE_TV,
}


def _macs(contents: Any) -> frozenset[Platform]:
    return MACS


def _every(contents: Any) -> frozenset[Platform]:
    return EVERY


def runs_on(contents: Any) -> frozenset[Platform]:
    """The families that the columns `runs_on_…` name. An item whose contents are not here may be for any."""
    if contents is None:
        return EVERY
    return frozenset(platform for name, platform in RUNS_ON.items() if getattr(contents, name, False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`type` is its name in the API; `label`, `plural` and `icon` are for people.

    `contents` is the attribute of an item for its row in the kind's own table; a kind without one cannot be edited
    here. `fields` are the columns of that table that can be set, and `digested` those whose values are too long for a
    trail, which has their checksums. `platforms` says which devices an item is for; it is given the contents, or None
    if they are not here. `pending` is the status of a device that has reported nothing.
    """

    type: str
    label: str
    plural: str
    icon: str
    platforms: Callable[[Any], frozenset[Platform]] = _macs
    contents: str = ""
    fields: tuple[str, ...] = ()
    digested: frozenset[str] = frozenset()
    self_service: bool = False
    singleton: bool = False  # a blueprint, or a node of it, has only one: two would contradict each other
    pending: str = "PENDING"


CUSTOM_APP = Kind(type="custom-app", label="Custom App", plural="Custom Apps", icon="package")
IPA_APP = Kind(type="ipa-app", label="In-House App", plural="In-House Apps", icon="layout-grid", platforms=runs_on)
CUSTOM_PROFILE = Kind(
    type="profile",
    label="Custom Profile",
    plural="Custom Profiles",
    icon="file-cog",
    platforms=runs_on,
    contents="custom_profile",
    fields=("profile", "runs_on_mac", "runs_on_iphone", "runs_on_ipad", "runs_on_tv", "runs_on_vision"),
    digested=frozenset({"profile"}),
    pending="pending",
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
    """The kind of an item; a general one for a type that this server does not know."""
    return KINDS.get(item.type, _OTHER)


def contents_of(item: LibraryItem) -> Any:
    """The row of the item in the table of its kind, None if its contents are not here."""
    name = kind_of(item).contents
    return getattr(item, name, None) if name else None


def platforms_of(item: LibraryItem) -> frozenset[Platform]:
    """The families of the devices that the item is for."""
    return kind_of(item).platforms(contents_of(item))
