"""What `GET /devices/{id}/details` answers: one shape per device family, filled with what is known.

Three layers, the later over the earlier: the empty shape of the family, what the device reported, and the facts that
its row holds now. A field of which the device reports a value of its own keeps that value.
"""

from typing import Any

from devices.fleet.facts import DETAIL_FIELDS, FACTS, DetailField, columns_of, getter
from devices.fleet.lost_mode import lost_mode_fields
from devices.inventory.detail_shapes import OPTIONAL_KEYS, skeleton
from devices.models import Device, DeviceInventory

_GETTERS = {fact.key: getter(fact) for fact in FACTS}


def details(device: Device) -> dict[str, Any]:
    """The device's details, in the shape of its platform, ready for JSON.

    Sections and keys beyond the documented shape are kept as the device's tenant once sent them. Costs no query where
    `blueprint`, `user`, `inventory`, `lost_mode` and `tags` were fetched with the device.
    """
    result = skeleton(device.platform)
    inventory: DeviceInventory | None = getattr(device, "inventory", None)
    documents: dict[str, Any] = inventory.details if inventory else {}
    for section, reported in documents.items():
        empty = result.get(section)
        if isinstance(empty, dict) and isinstance(reported, dict):
            for key in OPTIONAL_KEYS.get(section, set()) - reported.keys():
                empty.pop(key, None)
            empty.update(reported)
        elif not isinstance(empty, dict | list) or type(reported) is type(empty):
            result[section] = reported
    tags = [tag.name for tag in device.tags.all()]
    columns = (*columns_of(device), tags)
    for fact, field in DETAIL_FIELDS[device.platform]:
        if field.own and _has(documents, field):
            continue
        result[field.section][field.key] = field.converter(fact.join(_GETTERS[fact.key](columns)))
    result["tags"] = sorted(tags)
    if "lost_mode" in result:
        row = getattr(device, "lost_mode", None)
        result["lost_mode"] = lost_mode_fields(row) if row else {}
    return result


def _has(documents: dict[str, Any], field: DetailField) -> bool:
    section = documents.get(field.section)
    return isinstance(section, dict) and field.key in section
