"""What `GET /devices/{id}/details` answers: one shape per device family, filled with what is known.

Three layers, the later over the earlier: the empty shape of the family, what the device reported, and the facts that
its row holds now.
"""

from typing import Any

from devices.fleet.facts import DETAIL_FIELDS, FACTS, columns_of, getter
from devices.fleet.lost_mode import lost_mode_fields
from devices.inventory.detail_shapes import skeleton
from devices.models import Device, DeviceInventory

_GETTERS = {fact.key: getter(fact) for fact in FACTS}


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
    tags = [tag.name for tag in device.tags.all()]
    columns = (*columns_of(device), tags)
    for fact, field in DETAIL_FIELDS[device.platform]:
        result[field.section][field.key] = field.converter(fact.join(_GETTERS[fact.key](columns)))
    result["tags"] = sorted(tags)
    if "lost_mode" in result:
        row = getattr(device, "lost_mode", None)
        result["lost_mode"] = lost_mode_fields(row) if row else {}
    return result
