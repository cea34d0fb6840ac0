"""What `GET /devices/{id}/details` answers: one shape per device family, filled with what is known.

Three layers, the later over the earlier: the empty shape of the family, what the device reported, and the facts that
its row holds now.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from devices.dates import spaced, zulu
from devices.fleet.lost_mode import described
from devices.inventory.detail_shapes import skeleton
from devices.models import Device, DeviceInventory, Platform


def english(value: bool | None) -> str:
    """`True` or `False` as the word that the Apple families' details carry in place of a boolean."""
    return "" if value is None else str(value)


def plain(value: Any) -> Any:
    return value


class Place(NamedTuple):
    """Where a family's details show a fact of the device's row, and in which form.

    `fact` is the key under which the device's record (`GET /devices/{id}`) has it, so that an import finds it by the
    same table.
    """

    fact: str
    section: str
    key: str
    form: Callable[[Any], Any] = plain


_GENERAL = (
    Place("device_id", "general", "device_id", str),
    Place("device_name", "general", "device_name"),
    Place("platform", "general", "platform"),
    Place("os_version", "general", "os_version"),
    Place("asset_tag", "general", "asset_tag"),
    Place("first_enrollment", "general", "first_enrollment", spaced),
    Place("last_enrollment", "general", "last_enrollment", spaced),
    Place("blueprint_name", "general", "blueprint_name"),
    Place("blueprint_id", "general", "blueprint_uuid", str),
)
_APPLE = (
    *_GENERAL,
    Place("user", "general", "assigned_user", lambda user: user or ""),
    Place("model", "general", "model"),
    Place("supplemental_build_version", "general", "supplemental_build_version"),
    Place("supplemental_os_version_extra", "general", "supplemental_os_version_extra"),
    Place("mdm_enabled", "mdm", "mdm_enabled", english),
    Place("last_check_in", "kandji_agent", "last_check_in", zulu),
    Place("last_check_in", "mdm", "last_check_in", spaced),
    Place("agent_installed", "kandji_agent", "agent_installed", english),
    Place("agent_version", "kandji_agent", "agent_version"),
    Place("serial_number", "hardware_overview", "serial_number"),
    Place("filevault_enabled", "filevault", "filevault_enabled"),
)
_MAC_ADDRESS = Place("mac_address", "network", "mac_address")
_IPAD = (*_APPLE, _MAC_ADDRESS)
_WINDOWS = (
    *_GENERAL,
    Place("user", "general", "assigned_user"),
    Place("model", "general", "device_model"),
    Place("serial_number", "hardware_overview", "smbios_serial_number"),
    Place("agent_installed", "kandji_agent", "is_agent_installed"),
    Place("agent_version", "kandji_agent", "version"),
    Place("last_check_in", "kandji_agent", "last_check_in_datetime", zulu),
)
_ANDROID = (
    *_GENERAL,
    Place("user", "general", "assigned_user"),
    Place("model", "general", "model_name"),
    Place("serial_number", "general", "serial_number"),
    Place("api_level", "general", "api_level"),
    Place("security_patch_level", "general", "security_patch_level"),
    Place("mac_address", "hardware", "wifi_mac_address"),
)
PLACES: dict[str, tuple[Place, ...]] = {
    Platform.MAC: _IPAD,
    Platform.IPAD: _IPAD,
    Platform.IPHONE: _IPAD,
    Platform.APPLE_TV: _APPLE,  # reports no network section
    Platform.WINDOWS: _WINDOWS,
    Platform.ANDROID: _ANDROID,
}


# Facts that row and record call by the same name.
_SAME_NAME = (
    "platform",
    "os_version",
    "asset_tag",
    "first_enrollment",
    "last_enrollment",
    "model",
    "supplemental_build_version",
    "supplemental_os_version_extra",
    "mdm_enabled",
    "last_check_in",
    "agent_installed",
    "agent_version",
    "serial_number",
    "filevault_enabled",
    "mac_address",
    "api_level",
    "security_patch_level",
)


def details(device: Device) -> dict[str, Any]:
    """The device's details, in the shape of its platform, ready for JSON.

    Sections and keys beyond the documented shape are kept as the device's tenant once sent them. Costs no query where
    `blueprint`, `user`, `inventory`, `lost_mode` and `tags` were fetched with the device.
    """
    result = skeleton(device.platform)
    inventory: DeviceInventory | None = getattr(device, "inventory", None)
    for section, reported in (inventory.details if inventory else {}).items():
        empty = result.get(section)
        if isinstance(empty, dict) and isinstance(reported, dict):
            empty.update(reported)
        elif not isinstance(empty, dict | list) or type(reported) is type(empty):
            result[section] = reported
    facts = _facts(device)
    for place in PLACES[device.platform]:
        result[place.section][place.key] = place.form(facts[place.fact])
    result["tags"] = facts["tags"]
    if "lost_mode" in result:
        row = getattr(device, "lost_mode", None)
        result["lost_mode"] = described(row) if row else {}
    return result


def _facts(device: Device) -> dict[str, Any]:
    """What the row says, under the names that the device's record uses."""
    user = device.user
    return {
        "device_id": device.uuid,
        "device_name": device.name,
        "user": user and {"email": user.email, "name": user.name, "id": str(user.uuid), "is_archived": user.archived},
        "blueprint_id": device.blueprint.uuid,
        "blueprint_name": device.blueprint.name,
        "tags": sorted(tag.name for tag in device.tags.all()),
        **{fact: getattr(device, fact) for fact in _SAME_NAME},
    }
