"""The library of the demo company: blueprints, library items and parameters."""

from typing import NamedTuple
from uuid import UUID, uuid5

from devices.conditions.conditions import Condition
from devices.models import APPLE, MACS, MOBILE, Platform

_NAMESPACE = UUID("5b7c1d9e-0c3a-4f6e-9a51-7d2f64c0a3e8")
OTHER = frozenset({Platform.WINDOWS, Platform.ANDROID})


def fixed_id(*names: object) -> UUID:
    """Return an id that is always the same for the same names."""
    return uuid5(_NAMESPACE, "\0".join(map(str, names)))


class Item(NamedTuple):
    """A library item. `blueprints` are the names of its blueprints; () means all with devices of its platforms."""

    name: str
    type: str
    platforms: frozenset[Platform]
    blueprints: tuple[str, ...] = ()
    node: str = ""

    @property
    def id(self) -> UUID:
        return fixed_id("library item", self.name)


class Parameter(NamedTuple):
    name: str
    category: str
    subcategory: str

    @property
    def id(self) -> UUID:
        return fixed_id("parameter", self.name)


class BlueprintStyle(NamedTuple):
    """The icon, colour and description of a blueprint, and the platforms of its devices."""

    icon: str
    color: str
    description: str
    platforms: frozenset[Platform]


BLUEPRINTS = {
    "Company Macs": BlueprintStyle("ss-desktop", "blue-500", "Macs of teams without a blueprint of their own.", MACS),
    "Engineering Macs": BlueprintStyle("ss-code", "purple-500", "Macs with build tools and local admin rights.", MACS),
    "Design Studio": BlueprintStyle("ss-brush", "orange-500", "Macs with colour profiles and large design apps.", MACS),
    "Executives": BlueprintStyle("ss-lock", "red-500", "A small number of Macs with confidential data.", MACS),
    "Mobile Devices": BlueprintStyle("ss-phone", "green-500", "iPhones and iPads that belong to one person.", MOBILE),
    "Meeting Rooms & Kiosks": BlueprintStyle(
        "ss-tv", "teal-500", "Screens and tablets that many people share.", APPLE - MACS
    ),
    "Windows & Android": BlueprintStyle("ss-layers", "yellow-500", "Windows PCs and Android devices.", OTHER),
}
# The blueprint that is an assignment map, and its branches with their conditions. The first is the default branch.
MAP_BLUEPRINT = "Engineering Macs"
NODES = {
    "All engineers": (),
    "Backend": (Condition("job_title", "is", ("Software Engineer", "QA Engineer")),),
    "Mobile apps": (
        Condition("department", "is", ("Engineering",)),
        Condition("family", "is", ("Mac",)),
        Condition("os_version", "at_least", ("15",)),
    ),
}
DEFAULT_NODE = next(iter(NODES))
MAC_BLUEPRINTS = ("Company Macs", "Engineering Macs", "Design Studio", "Executives")
ITEMS = (
    Item("Endpoint Agent", "kandji-setup", MACS),
    Item("macOS Updates", "macos-release", MACS),
    Item("Threat Protection", "threat-security-policy", MACS),
    Item("FileVault", "profile", MACS),
    Item("Firewall", "profile", MACS),
    Item("Login Window Banner", "profile", MACS),
    Item("Office Wi-Fi", "profile", APPLE),
    Item("Passcode", "profile", MACS | MOBILE),
    Item("Restrictions", "profile", MOBILE),
    Item("Kiosk Mode", "profile", APPLE - MACS, ("Meeting Rooms & Kiosks",)),
    Item("Colour Profiles", "profile", MACS, ("Design Studio",)),
    Item("1Password", "automatic-app", MACS),
    Item("Firefox", "automatic-app", MACS),
    Item("Google Chrome", "automatic-app", MACS),
    Item("Slack", "automatic-app", MACS),
    Item("Zoom", "automatic-app", MACS),
    Item("Docker Desktop", "automatic-app", MACS, ("Engineering Macs",), "Backend"),
    Item("Xcode", "custom-app", MACS, ("Engineering Macs",), "Mobile apps"),
    Item("Creative Cloud", "custom-app", MACS, ("Design Studio",)),
    Item("Accuhive VPN", "custom-app", MACS),
    Item("Accuhive Expenses", "ipa-app", MOBILE),
    Item("Name Computer After Serial Number", "custom-script", MACS, ("Company Macs", "Executives")),
    Item("Remove Games", "custom-script", MACS, ("Company Macs",)),
    Item("Rosetta", "custom-script", MACS, ("Engineering Macs", "Design Studio"), "All engineers"),
    Item("BitLocker", "profile", OTHER),
    Item("Work Profile Wi-Fi", "profile", OTHER),
)
PARAMETERS = (
    Parameter("Turn on the firewall", "Security", "Network"),
    Parameter("Hide the firewalled Mac from pings", "Security", "Network"),
    Parameter("Turn on Gatekeeper", "Security", "System"),
    Parameter("Keep System Integrity Protection on", "Security", "System"),
    Parameter("Require a password after sleep", "Security", "Access"),
    Parameter("Disable the guest account", "Security", "Access"),
    Parameter("Disable automatic log-in", "Security", "Access"),
    Parameter("Show a message at the log-in window", "Security", "Access"),
    Parameter("Disable remote log-in", "Sharing", "Services"),
    Parameter("Disable file sharing", "Sharing", "Services"),
    Parameter("Disable screen sharing", "Sharing", "Services"),
    Parameter("Disable internet sharing", "Sharing", "Services"),
    Parameter("Disable Bluetooth sharing", "Sharing", "Services"),
    Parameter("Disable printer sharing", "Sharing", "Services"),
    Parameter("Set the time from the network", "General", "Clock"),
    Parameter("Check for updates every day", "General", "Updates"),
    Parameter("Install security responses at once", "General", "Updates"),
    Parameter("Start the screen saver after 15 minutes", "General", "Display"),
    Parameter("Show all file name extensions", "General", "Finder"),
    Parameter("Keep the audit log for 60 days", "Logging", "Audit"),
    Parameter("Keep the install log for a year", "Logging", "Install"),
)


def items_of(blueprint: str, platform: str | None = None) -> list[Item]:
    """Return the library items on a blueprint, or only those for `platform`."""
    platforms = BLUEPRINTS[blueprint].platforms
    return [
        item
        for item in ITEMS
        if (blueprint in item.blueprints if item.blueprints else item.platforms & platforms)
        and (platform is None or platform in item.platforms)
    ]
