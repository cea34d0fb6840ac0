"""What the overview of a device shows of its details: which facts, under which words, in which card."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from devices.inventory.details import details
from devices.models import Device, Platform
from devices.text import as_words

# A fact that is good or bad news. `Fact.tone` has the class of its badge.
GOOD, BAD, PLAIN = "success", "danger", ""


@dataclass(frozen=True, slots=True)
class Fact:
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
    facts: list[Fact]


@dataclass(frozen=True, slots=True)
class Row:
    """A fact of the details. `good` is the value that reassures, where one does; `constant` is written LIKE_THIS."""

    label: str
    path: str
    good: bool | None = None
    constant: bool = False


_SYSTEM = Row("Version", "general.os_version")
_IDENTITY = (Row("Serial number", "hardware_overview.serial_number"), Row("Asset tag", "general.asset_tag"))
_MANAGED = (
    Row("MDM", "mdm.mdm_enabled", good=True),
    Row("Supervised", "mdm.supervised"),
    Row("First enrolled", "general.first_enrollment"),
    Row("Last enrolled", "general.last_enrollment"),
    Row("Last check-in", "kandji_agent.last_check_in"),
)
_AGENT = (
    Row("Agent", "kandji_agent.agent_installed", good=True),
    Row("Agent version", "kandji_agent.agent_version"),
)
_ACTIVATION_LOCK = (
    Row("User-based Activation Lock", "activation_lock.user_activation_lock_enabled"),
    Row("Device-based Activation Lock", "activation_lock.device_activation_lock_enabled"),
)
_NETWORK = (
    Row("Local hostname", "network.local_hostname"),
    Row("IP address", "network.ip_address"),
    Row("Public IP address", "network.public_ip"),
    Row("MAC address", "network.mac_address"),
)
_APPLE_SYSTEM = (
    _SYSTEM,
    Row("Build", "general.supplemental_build_version"),
    Row("Supplemental version", "general.supplemental_os_version_extra"),
)
_MAC = {
    ("Hardware", "cpu"): (
        Row("Model", "general.model"),
        Row("Model identifier", "hardware_overview.model_identifier"),
        Row("Processor", "hardware_overview.processor_name"),
        Row("Cores", "hardware_overview.total_number_of_cores"),
        Row("Memory", "hardware_overview.memory"),
        *_IDENTITY,
        Row("UDID", "hardware_overview.udid"),
    ),
    ("Security", "shield"): (
        Row("FileVault", "filevault.filevault_enabled", good=True),
        Row("Recovery key kept here", "filevault.filevault_prk_escrowed", good=True),
        Row("Recovery Lock", "recovery_information.recovery_lock_enabled", good=True),
        Row("Firmware password", "recovery_information.firmware_password_exist"),
        *_ACTIVATION_LOCK,
        Row("Remote Management", "security_information.remote_desktop_enabled"),
    ),
    ("System", "layers"): (
        *_APPLE_SYSTEM,
        Row("Boot volume", "general.boot_volume"),
        Row("Running for", "general.time_since_boot"),
        Row("Last user", "general.last_user"),
    ),
    ("Network", "wifi"): _NETWORK,
    ("Management", "settings"): (*_MANAGED, *_AGENT),
}
_MOBILE = {
    ("Hardware", "cpu"): (
        Row("Model", "general.model"),
        Row("Model identifier", "hardware_overview.model_identifier"),
        *_IDENTITY,
        Row("UUID", "hardware_overview.uuid"),
    ),
    ("Security", "shield"): _ACTIVATION_LOCK,
    ("System", "layers"): _APPLE_SYSTEM,
    ("Network", "wifi"): (*_NETWORK, Row("Data roaming", "cellular.data_roaming")),
    ("Management", "settings"): _MANAGED,
}
_WINDOWS = {
    ("Hardware", "cpu"): (
        Row("Manufacturer", "general.manufacturer"),
        Row("Model", "general.device_model"),
        Row("Type", "general.device_type"),
        Row("Processor", "hardware_overview.processor_architecture"),
        Row("Memory", "hardware_overview.total_ram"),
        Row("Storage", "hardware_overview.total_capacity"),
        Row("Free storage", "hardware_overview.free_capacity"),
        Row("Serial number", "hardware_overview.smbios_serial_number"),
        Row("Asset tag", "general.asset_tag"),
        Row("BIOS", "hardware_overview.bios_version"),
    ),
    ("System", "layers"): (
        Row("Name", "general.os_name"),
        Row("Edition", "general.os_edition"),
        _SYSTEM,
        Row("Build", "general.os_build"),
        Row("Revision", "general.update_build_revision"),
        Row("Language", "general.language"),
    ),
    ("Network", "wifi"): (
        Row("Computer name", "network.dns_computer_name"),
        Row("IPv4 address", "network.wifi_ipv4_address"),
        Row("IPv6 address", "network.wifi_ipv6_address"),
        Row("DNS suffix", "network.wifi_dns_suffix"),
    ),
    ("Management", "settings"): (
        Row("First enrolled", "general.first_enrollment"),
        Row("Last enrolled", "general.last_enrollment"),
        Row("Last check-in", "kandji_agent.last_check_in_datetime"),
        Row("Agent", "kandji_agent.is_agent_installed", good=True),
        Row("Agent version", "kandji_agent.version"),
    ),
}
_ANDROID = {
    ("Hardware", "cpu"): (
        Row("Manufacturer", "general.manufacturer"),
        Row("Model", "general.model_name"),
        Row("Serial number", "general.serial_number"),
        Row("Asset tag", "general.asset_tag"),
        Row("Memory", "hardware.total_ram"),
        Row("Storage", "hardware.total_capacity"),
        Row("Free storage", "hardware.available_capacity"),
    ),
    ("Security", "shield"): (
        Row("Encrypted", "security.is_encrypted", good=True),
        Row("Passcode", "security.has_passcode", good=True),
        Row("Play Protect", "security.has_google_play_protect", good=True),
        Row("Developer mode", "security.developer_mode_enabled", good=False),
        Row("Apps from unknown sources", "security.unknown_app_sources_enabled", good=False),
        Row("Posture", "security.device_posture", constant=True),
    ),
    ("System", "layers"): (
        _SYSTEM,
        Row("Build", "general.os_build"),
        Row("API level", "general.api_level"),
        Row("Security patch", "general.security_patch_level"),
    ),
    ("Network", "wifi"): (Row("MAC address", "hardware.wifi_mac_address"), Row("IMEI", "cellular.imei")),
    ("Management", "settings"): (
        Row("Mode", "management.management_mode", constant=True),
        Row("Ownership", "management.ownership", constant=True),
        Row("First enrolled", "general.first_enrollment"),
        Row("Last enrolled", "general.last_enrollment"),
    ),
}
_CARDS: dict[str, dict[tuple[str, str], tuple[Row, ...]]] = {
    Platform.MAC: _MAC,
    Platform.IPAD: _MOBILE,
    Platform.IPHONE: _MOBILE,
    Platform.APPLE_TV: _MOBILE,
    Platform.WINDOWS: _WINDOWS,
    Platform.ANDROID: _ANDROID,
}


def overview(device: Device) -> tuple[list[Card], dict[str, Any]]:
    """The cards of facts, and the details for what is listed rather than stated. `device` is a `complete` one."""
    found = details(device)
    return list(_cards(found, device.platform)), found


def _cards(found: dict[str, Any], platform: str) -> Iterator[Card]:
    for (name, icon), rows in _CARDS[platform].items():
        facts = [fact for row in rows if (fact := _fact(found, row)) is not None]
        if any(fact.value not in ("", None) for fact in facts):
            yield Card(name, icon, facts)


def _fact(found: dict[str, Any], row: Row) -> Fact | None:
    """None for what this family of devices does not have."""
    value: Any = found
    for key in row.path.split("."):
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    if value in ("True", "False"):
        value = value == "True"
    if isinstance(value, bool):
        tone = PLAIN if row.good is None else GOOD if value == row.good else BAD
        return Fact(row.label, "Yes" if value else "No", tone)
    if row.constant and isinstance(value, str):
        value = as_words(value)
    return Fact(row.label, _moment(value) or value)


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) < 19:
        return None
    try:
        moment = parse_datetime(value)
    except ValueError:
        return None
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
