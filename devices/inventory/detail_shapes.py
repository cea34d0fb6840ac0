"""The empty shapes of `GET /devices/{id}/details`, one per device family."""

from copy import deepcopy
from typing import Any

import orjson

from devices.fleet.facts import DETAIL_FIELDS
from devices.models import Platform


def _keys(value: Any, *names: str) -> dict[str, Any]:
    return dict.fromkeys(names, value)


# Values of a device that has reported nothing: "" for texts and for dates that are written with a space, null for truth
# values, numbers and dates that are written with a T, and {} for the sections that a device has only in some states.
# The keys of facts stand here too, because the order of the keys is that of the public API.
_APPLE_SHAPE: dict[str, Any] = {
    "general": _keys(
        "",
        "device_id",
        "device_name",
        "last_enrollment",
        "first_enrollment",
        "model",
        "platform",
        "os_version",
        "supplemental_build_version",
        "supplemental_os_version_extra",
        "system_version",
        "boot_volume",
        "time_since_boot",
        "last_user",
        "asset_tag",
        "assigned_user",
        "blueprint_name",
        "blueprint_uuid",
    ),
    "mdm": {**_keys("", "mdm_enabled", "supervised", "install_date", "last_check_in"), "mdm_enabled_user": []},
    "activation_lock": _keys(
        None,
        "bypass_code_failed",
        "user_activation_lock_enabled",
        "device_activation_lock_enabled",
        "activation_lock_allowed_while_supervised",
        "activation_lock_supported",
    ),
    "filevault": {
        "filevault_enabled": None,
        "filevault_recoverykey_type": "",
        "filevault_prk_escrowed": None,
        "filevault_next_rotation": "",
        "filevault_regen_required": None,
    },
    "lost_mode": {},
    "automated_device_enrollment": {},
    "kandji_agent": {"agent_installed": "", "install_date": "", "last_check_in": None, "agent_version": ""},
    "hardware_overview": _keys("", "uuid", "serial_number", "model_identifier"),
    "volumes": [],
    "network": _keys("", "local_hostname", "mac_address", "ip_address", "public_ip"),
    "recovery_information": _keys(
        None,
        "recovery_lock_enabled",
        "firmware_password_exist",
        "firmware_password_pending",
        "password_rotation_scheduled",
        "password_has_been_set",
    ),
    "users": {"regular_users": [], "system_users": []},
    "installed_profiles": [],
    "apple_business_manager": {},
    "security_information": {"remote_desktop_enabled": None},
    "cellular": {},
    "tags": [],
}
_MAC_SHAPE = {
    **_APPLE_SHAPE,
    "hardware_overview": _keys(
        "",
        "model_name",
        "model_identifier",
        "processor_name",
        "processor_speed",
        "number_of_processors",
        "total_number_of_cores",
        "memory",
        "udid",
        "serial_number",
    ),
}
_APPLE_TV_SHAPE = {
    **{section: keys for section, keys in _APPLE_SHAPE.items() if section not in {"lost_mode", "cellular"}},
    "mdm": {key: value for key, value in _APPLE_SHAPE["mdm"].items() if key != "supervised"},
    "network": {},
    "recovery_information": _keys(
        None,
        "recovery_lock_enabled",
        "firmware_password_exist",
        "firmware_password_pending",
        "password_rotation_scheduled",
    ),
}
_WINDOWS_SHAPE: dict[str, Any] = {
    "general": {
        **_keys("", "device_id", "device_name", "platform", "first_enrollment", "last_enrollment"),
        "assigned_user": None,
        **_keys(
            "",
            "blueprint_name",
            "blueprint_uuid",
            "asset_tag",
            "manufacturer",
            "device_model",
            "device_type",
            "os_name",
            "os_version",
            "os_build",
            "os_edition",
            "update_build_revision",
            "language",
        ),
    },
    "mdm": _keys("", "management_client_revision", "windows_device_id"),
    "hardware_overview": _keys(
        "",
        "bios_version",
        "commercialization_operator",
        "free_capacity",
        "processor_architecture",
        "radio_software_version",
        "smbios_serial_number",
        "total_ram",
        "total_capacity",
    ),
    "network": _keys(
        "",
        "dns_computer_name",
        "iccid",
        "volte_service_setting",
        "wifi_dns_suffix",
        "wifi_ipv4_address",
        "wifi_ipv6_address",
        "wifi_subnet_mask",
    ),
    "kandji_agent": {**_keys(None, "is_agent_installed", "install_date", "last_check_in_datetime"), "version": ""},
    "tags": [],
}
_ANDROID_SHAPE: dict[str, Any] = {
    "general": {
        **_keys("", "device_id", "device_name", "platform", "first_enrollment", "last_enrollment"),
        "assigned_user": None,
        **_keys(
            "",
            "blueprint_name",
            "blueprint_uuid",
            "asset_tag",
            "manufacturer",
            "model_name",
            "serial_number",
            "os_version",
            "os_build",
            "api_level",
            "security_patch_level",
            "enterprise_id",
            "enterprise_device_id",
        ),
    },
    "hardware": _keys("", "available_capacity", "total_capacity", "total_ram", "wifi_mac_address"),
    "management": _keys("", "management_mode", "ownership"),
    "cellular": _keys("", "imei", "meid"),
    "security": {
        "android_debug_bridge_enabled": None,
        "device_posture": "",
        "developer_mode_enabled": None,
        "encryption_status": "",
        **_keys(None, "has_google_play_protect", "has_passcode", "is_encrypted", "unknown_app_sources_enabled"),
    },
    "tags": [],
}
# Keys that only some states of a device have: where a device reports the section without them, they are left out.
OPTIONAL_KEYS = {"recovery_information": {"password_has_been_set"}}
_SHAPES: dict[str, dict[str, Any]] = {
    Platform.MAC: _MAC_SHAPE,
    Platform.IPAD: _APPLE_SHAPE,
    Platform.IPHONE: _APPLE_SHAPE,
    Platform.APPLE_TV: _APPLE_TV_SHAPE,
    Platform.WINDOWS: _WINDOWS_SHAPE,
    Platform.ANDROID: _ANDROID_SHAPE,
}


def _with_facts(platform: str, shape: dict[str, Any]) -> dict[str, Any]:
    """The shape with the facts that it does not name, at the end of their sections."""
    shape = deepcopy(shape)
    for fact, field in DETAIL_FIELDS[platform]:
        empty = None if fact.parser in {"boolean", "moment"} else ""
        shape[field.section].setdefault(field.key, field.converter(empty))
    return shape


# As JSON, which is read in a sixth of the time of a copy.
_COMPLETE_SHAPES = {platform: orjson.dumps(_with_facts(platform, shape)) for platform, shape in _SHAPES.items()}


def skeleton(platform: str) -> dict[str, Any]:
    """Every section and key of the platform's details, empty; the caller's own copy."""
    shape: dict[str, Any] = orjson.loads(_COMPLETE_SHAPES[platform])
    return shape
