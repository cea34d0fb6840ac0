"""The overview of a device: cards with its facts and with values that it reported."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from devices.fleet.facts import DETAIL_FIELDS
from devices.inventory.details import details
from devices.models import Device, Platform
from devices.text import as_words

# The class of the badge of a value that is good or bad news.
GOOD, BAD, PLAIN = "success", "danger", ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line on a card, as the page shows it."""

    label: str
    value: Any
    tone: str = PLAIN

    @property
    def moment(self) -> datetime | None:
        return self.value if isinstance(self.value, datetime) else None


@dataclass(frozen=True, slots=True)
class Card:
    name: str
    icon: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Reported:
    """A value of the details document and its label.

    `good` is the value that is good news, where one is. A `constant` is a value in the form LIKE_THIS.
    """

    label: str
    path: str
    good: bool | None = None
    constant: bool = False


# A card is its name and its icon. It lists facts by their key (the table of facts has their labels), and values that
# only the details document has.
type _Head = tuple[str, str]
type _Cards = dict[_Head, tuple[str | Reported, ...]]

HARDWARE, SECURITY, SYSTEM = ("Hardware", "cpu"), ("Security", "shield"), ("System", "layers")
NETWORK, MANAGEMENT = ("Network", "wifi"), ("Management", "settings")
# The card for a fact that no card below lists, by the section of details that has it; SYSTEM for all other sections.
_CARD_OF_SECTION = {
    "hardware": HARDWARE,
    "hardware_overview": HARDWARE,
    "activation_lock": SECURITY,
    "filevault": SECURITY,
    "recovery_information": SECURITY,
    "security": SECURITY,
    "security_information": SECURITY,
    "cellular": NETWORK,
    "network": NETWORK,
    "kandji_agent": MANAGEMENT,
    "management": MANAGEMENT,
    "mdm": MANAGEMENT,
}

_IDENTITY = ("serial_number", "asset_tag")
_MANAGED = (
    "mdm_enabled",
    Reported("Supervised", "mdm.supervised"),
    "first_enrollment",
    "last_enrollment",
    "last_check_in",
)
_AGENT = ("agent_installed", "agent_version")
_ACTIVATION_LOCK = (
    Reported("User-based Activation Lock", "activation_lock.user_activation_lock_enabled"),
    Reported("Device-based Activation Lock", "activation_lock.device_activation_lock_enabled"),
)
_NETWORK = (
    Reported("Local hostname", "network.local_hostname"),
    Reported("IP address", "network.ip_address"),
    Reported("Public IP address", "network.public_ip"),
)
_DATA_ROAMING = Reported("Data roaming", "cellular.data_roaming")
_APPLE_SYSTEM = ("os_version", "supplemental_build_version", "supplemental_os_version_extra")
_MAC: _Cards = {
    HARDWARE: (
        "model",
        Reported("Model identifier", "hardware_overview.model_identifier"),
        Reported("Processor", "hardware_overview.processor_name"),
        Reported("Cores", "hardware_overview.total_number_of_cores"),
        Reported("Memory", "hardware_overview.memory"),
        *_IDENTITY,
        Reported("UDID", "hardware_overview.udid"),
    ),
    SECURITY: (
        "filevault_enabled",
        Reported("Recovery key kept here", "filevault.filevault_prk_escrowed", good=True),
        Reported("Recovery Lock", "recovery_information.recovery_lock_enabled", good=True),
        Reported("Firmware password", "recovery_information.firmware_password_exist"),
        *_ACTIVATION_LOCK,
        Reported("Remote Management", "security_information.remote_desktop_enabled"),
    ),
    SYSTEM: (
        *_APPLE_SYSTEM,
        Reported("Boot volume", "general.boot_volume"),
        Reported("Running for", "general.time_since_boot"),
        Reported("Last user", "general.last_user"),
    ),
    NETWORK: (*_NETWORK, "mac_address"),
    MANAGEMENT: (*_MANAGED, *_AGENT),
}
_MOBILE: _Cards = {
    HARDWARE: (
        "model",
        Reported("Model identifier", "hardware_overview.model_identifier"),
        *_IDENTITY,
        Reported("UUID", "hardware_overview.uuid"),
    ),
    SECURITY: _ACTIVATION_LOCK,
    SYSTEM: _APPLE_SYSTEM,
    NETWORK: (*_NETWORK, "mac_address", _DATA_ROAMING),
    MANAGEMENT: _MANAGED,
}
_APPLE_TV: _Cards = {
    **_MOBILE,
    # No fact on an Apple TV: only a document from another tenant can have it.
    NETWORK: (*_NETWORK, Reported("MAC address", "network.mac_address"), _DATA_ROAMING),
}
_WINDOWS: _Cards = {
    HARDWARE: (
        Reported("Manufacturer", "general.manufacturer"),
        "model",
        Reported("Type", "general.device_type"),
        Reported("Processor", "hardware_overview.processor_architecture"),
        Reported("Memory", "hardware_overview.total_ram"),
        Reported("Storage", "hardware_overview.total_capacity"),
        Reported("Free storage", "hardware_overview.free_capacity"),
        "serial_number",
        "asset_tag",
        Reported("BIOS", "hardware_overview.bios_version"),
    ),
    SYSTEM: (
        Reported("Name", "general.os_name"),
        Reported("Edition", "general.os_edition"),
        "os_version",
        Reported("Build", "general.os_build"),
        Reported("Revision", "general.update_build_revision"),
        Reported("Language", "general.language"),
    ),
    NETWORK: (
        Reported("Computer name", "network.dns_computer_name"),
        Reported("IPv4 address", "network.wifi_ipv4_address"),
        Reported("IPv6 address", "network.wifi_ipv6_address"),
        Reported("DNS suffix", "network.wifi_dns_suffix"),
    ),
    MANAGEMENT: ("first_enrollment", "last_enrollment", "last_check_in", *_AGENT),
}
_ANDROID: _Cards = {
    HARDWARE: (
        Reported("Manufacturer", "general.manufacturer"),
        "model",
        "serial_number",
        "asset_tag",
        Reported("Memory", "hardware.total_ram"),
        Reported("Storage", "hardware.total_capacity"),
        Reported("Free storage", "hardware.available_capacity"),
    ),
    SECURITY: (
        Reported("Encrypted", "security.is_encrypted", good=True),
        Reported("Passcode", "security.has_passcode", good=True),
        Reported("Play Protect", "security.has_google_play_protect", good=True),
        Reported("Developer mode", "security.developer_mode_enabled", good=False),
        Reported("Apps from unknown sources", "security.unknown_app_sources_enabled", good=False),
        Reported("Posture", "security.device_posture", constant=True),
    ),
    SYSTEM: ("os_version", Reported("Build", "general.os_build"), "api_level", "security_patch_level"),
    NETWORK: ("mac_address", Reported("IMEI", "cellular.imei")),
    MANAGEMENT: (
        Reported("Mode", "management.management_mode", constant=True),
        Reported("Ownership", "management.ownership", constant=True),
        "first_enrollment",
        "last_enrollment",
    ),
}
_CARDS: dict[str, _Cards] = {
    Platform.MAC: _MAC,
    Platform.IPAD: _MOBILE,
    Platform.IPHONE: _MOBILE,
    Platform.APPLE_TV: _APPLE_TV,
    Platform.WINDOWS: _WINDOWS,
    Platform.ANDROID: _ANDROID,
}


def layout(platform: str) -> dict[_Head, list[Reported]]:
    """The cards of a device family, with the place of every line in its details.

    A fact with a label that no card lists is the last line of the card of its section.
    """
    facts = {
        fact.key: (field.section, Reported(fact.label, f"{field.section}.{field.key}", fact.good))
        for fact, field in DETAIL_FIELDS[platform]
        if fact.label and field.on_overview
    }
    cards = {
        head: [line if isinstance(line, Reported) else facts.pop(line)[1] for line in lines]
        for head, lines in _CARDS[platform].items()
    }
    for section, line in facts.values():
        cards.setdefault(_CARD_OF_SECTION.get(section, SYSTEM), []).append(line)
    return cards


_LAYOUTS: dict[str, dict[_Head, list[Reported]]] = {platform: layout(platform) for platform in Platform}


def overview(device: Device) -> tuple[list[Card], dict[str, Any]]:
    """The cards of a device, and its details document for the lists below them. `device` is a `complete` one."""
    document = details(device)
    return list(_cards(document, device.platform)), document


def _cards(document: dict[str, Any], platform: str) -> Iterator[Card]:
    for (name, icon), values in _LAYOUTS[platform].items():
        lines = [line for value in values if (line := _line(document, value)) is not None]
        if any(line.value not in ("", None) for line in lines):
            yield Card(name, icon, lines)


def _line(document: dict[str, Any], reported: Reported) -> Line | None:
    """None if the document has no such key."""
    value: Any = document
    for key in reported.path.split("."):
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    if value in ("True", "False"):
        value = value == "True"
    if isinstance(value, bool):
        tone = PLAIN if reported.good is None else GOOD if value == reported.good else BAD
        return Line(reported.label, "Yes" if value else "No", tone)
    if reported.constant and isinstance(value, str):
        value = as_words(value)
    return Line(reported.label, _moment(value) or value)


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) < 19:
        return None
    try:
        moment = parse_datetime(value)
    except ValueError:
        return None
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
