"""What the demo company manages its devices with: library items, parameters, and which blueprint has which."""

from typing import NamedTuple
from uuid import UUID, uuid5

from devices.models import Platform

_NAMESPACE = UUID("5b7c1d9e-0c3a-4f6e-9a51-7d2f64c0a3e8")
MAC = frozenset({Platform.MAC})
MOBILE = frozenset({Platform.IPHONE, Platform.IPAD})
APPLE = MAC | MOBILE | {Platform.APPLE_TV}
OTHER = frozenset({Platform.WINDOWS, Platform.ANDROID})


def fixed_id(*names: object) -> UUID:
    """An id that the same names always have."""
    return uuid5(_NAMESPACE, "\0".join(map(str, names)))


class Item(NamedTuple):
    """A library item; `blueprints` are those that it is on, or () for all whose devices can take it."""

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


class Look(NamedTuple):
    """What a blueprint shows of itself, and the families that it is made for."""

    icon: str
    color: str
    description: str
    platforms: frozenset[Platform]


BLUEPRINTS = {
    "Company Macs": Look("ss-desktop", "blue-500", "Macs of everybody whose team has no blueprint of its own.", MAC),
    "Engineering Macs": Look("ss-code", "purple-500", "Macs with build tools and local administrators.", MAC),
    "Design Studio": Look("ss-brush", "orange-500", "Macs with colour profiles and large fonts of applications.", MAC),
    "Executives": Look("ss-lock", "red-500", "Few Macs, with data that must not get out.", MAC),
    "Mobile Devices": Look("ss-phone", "green-500", "iPhones and iPads that belong to one person.", MOBILE),
    "Meeting Rooms & Kiosks": Look("ss-tv", "teal-500", "Screens and tablets that many people share.", APPLE - MAC),
    "Windows & Android": Look("ss-layers", "yellow-500", "Everything that does not come from Apple.", OTHER),
}
# The assignment map, and its branches.
MAP = "Engineering Macs"
NODES = ("All engineers", "Backend", "Mobile apps")
MACS = ("Company Macs", "Engineering Macs", "Design Studio", "Executives")
ITEMS = (
    Item("Endpoint Agent", "kandji-setup", MAC),
    Item("macOS Updates", "macos-release", MAC),
    Item("Threat Protection", "threat-security-policy", MAC),
    Item("FileVault", "profile", MAC),
    Item("Firewall", "profile", MAC),
    Item("Login Window Banner", "profile", MAC),
    Item("Office Wi-Fi", "profile", APPLE),
    Item("Passcode", "profile", MAC | MOBILE),
    Item("Restrictions", "profile", MOBILE),
    Item("Kiosk Mode", "profile", APPLE - MAC, ("Meeting Rooms & Kiosks",)),
    Item("Colour Profiles", "profile", MAC, ("Design Studio",)),
    Item("1Password", "automatic-app", MAC),
    Item("Firefox", "automatic-app", MAC),
    Item("Google Chrome", "automatic-app", MAC),
    Item("Slack", "automatic-app", MAC),
    Item("Zoom", "automatic-app", MAC),
    Item("Docker Desktop", "automatic-app", MAC, ("Engineering Macs",), "Backend"),
    Item("Xcode", "custom-app", MAC, ("Engineering Macs",), "Mobile apps"),
    Item("Creative Cloud", "custom-app", MAC, ("Design Studio",)),
    Item("Accuhive VPN", "custom-app", MAC),
    Item("Accuhive Expenses", "ipa-app", MOBILE),
    Item("Name Computer After Serial Number", "custom-script", MAC, ("Company Macs", "Executives")),
    Item("Remove Games", "custom-script", MAC, ("Company Macs",)),
    Item("Rosetta", "custom-script", MAC, ("Engineering Macs", "Design Studio"), "All engineers"),
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
    """Library items on a blueprint, of one platform where it is named."""
    made_for = BLUEPRINTS[blueprint].platforms
    return [
        item
        for item in ITEMS
        if (blueprint in item.blueprints if item.blueprints else item.platforms & made_for)
        and (platform is None or platform in item.platforms)
    ]
