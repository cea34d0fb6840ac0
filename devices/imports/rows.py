"""One foreign row - a record of `GET /devices`, a `/details` document, a line of a report - as facts about a device."""

from collections.abc import Callable
from functools import partial
from typing import Any

from devices.fleet.facts import DETAIL_FIELDS, FACTS, Fact
from devices.imports import values
from devices.imports.additions import add, addition, additions, lost_mode, only_adds
from devices.imports.facts import BlueprintRef, DeviceRow, Person
from devices.imports.values import Broken, Unusable
from devices.models import Blueprint, Device, Platform, Tag, User

# A details document calls these by other names than the list and may give them another wording (a Windows model, say).
# The list's has the last word, or importing both would change the device every time.
_WEAK_IN_DETAILS = {"model", "serial_number"}


def device_row(document: object) -> DeviceRow:
    """Read a DEVICE record, a DETAILS document, a dict with some of the keys of the first (and `mac_address`,
    `filevault_enabled`), or what `import_additions` reads.

    Raises Unusable.
    """
    if isinstance(document, Broken):
        raise Unusable(document.reason)
    if not isinstance(document, dict):
        raise Unusable("not a JSON object")
    if only_adds(document):
        return addition(values.storable(document))
    if not (beside := additions(document)):
        return _described(document)
    given = values.storable(document)
    added = {key: given.pop(key) for key in beside}  # none of it, least of all a secret, is kept among the details
    row = _described(given)
    add(row, added)
    return row


def _described(document: dict[str, Any]) -> DeviceRow:
    if "general" not in document:
        return _row(document)
    details = values.storable(document)
    flat = _flattened(details)
    row = _row(flat)
    row.weak = {name: row.facts.pop(name) for name in _WEAK_IN_DETAILS & row.facts.keys()}
    if "lost_mode" in details:  # has a row of its own here, which the API changes
        row.says_lost_mode, row.lost_mode = True, lost_mode(details.pop("lost_mode"))
    row.reported = {"details": details}
    return row


def _row(record: dict[str, Any]) -> DeviceRow:
    if "note_id" in record:
        raise Unusable('notes stand beside the id of their device: {"device_id": "…", "notes": […]}')
    if record and record.keys() <= {"detail", "message", "error"}:
        raise Unusable("an error that the API answered")
    if not record.keys() & {"device_id", "serial_number", "device_name"}:
        raise Unusable("neither a device record nor a details document")
    facts: dict[str, Any] = {}
    for key, (attribute, parse) in _COLUMNS.items():
        if key in record and (value := parse(key, record[key])) is not None:
            facts[attribute] = value
    serial_number: str = facts.get("serial_number", "")
    row = DeviceRow(values.uuid("device_id", record.get("device_id")), serial_number, facts)
    if row.uuid is None and not serial_number:
        raise Unusable("device_id and serial_number are both missing")
    blueprint = BlueprintRef(
        values.uuid("blueprint_id", record.get("blueprint_id")),
        values.text("blueprint_name", record.get("blueprint_name"), values.limit(Blueprint, "name")),
    )
    row.blueprint = blueprint if any(blueprint) else None
    if "user" in record:
        row.says_user, row.user = True, _person(record["user"])
    if record.get("tags") is not None:
        row.tags = _tags(record["tags"])
    return row


def _flattened(details: dict[str, Any]) -> dict[str, Any]:
    """A details document as a record. A blank in it says nothing, except that nobody is assigned."""
    general = details["general"]
    if not isinstance(general, dict):
        raise Unusable("general is not an object")
    platform = _platform("general.platform", general.get("platform"))
    if platform is None:
        raise Unusable("general.platform is missing")
    flat: dict[str, Any] = {}
    for fact, field in DETAIL_FIELDS[platform]:
        section = details.get(field.section)
        if not isinstance(section, dict) or field.key not in section:
            continue
        value = section[field.key]
        if fact.key == "user" or (value not in (None, "") and fact.key not in flat):
            flat[fact.key] = value
    if isinstance(tags := details.get("tags"), list):
        flat["tags"] = tags
    return flat


_PLATFORMS = {
    **{value.lower(): Platform(value) for value in Platform.values},
    "macos": Platform.MAC,
    "ipados": Platform.IPAD,
    "ios": Platform.IPHONE,
    "tvos": Platform.APPLE_TV,
}


def _platform(key: str, value: object) -> str | None:
    text = values.text(key, value, 255)
    if not text:
        return None
    platform = _PLATFORMS.get(text.lower().replace(" ", ""))
    if platform is None:
        raise Unusable(f"unknown platform: {values.shown(text)}")
    return platform.value


def _serial_number(key: str, value: object) -> str | None:
    return values.serial_number(value, values.limit(Device, "serial_number")) or None


def _mac_address(key: str, value: object) -> str | None:
    # In upper case, as the API's filter looks for it.
    return values.text(key, value, values.limit(Device, "mac_address")).upper().replace("-", ":") or None


def _person(value: object) -> Person | None:
    if not value:
        return None
    if isinstance(value, str):
        value = {"email": value} if "@" in value else {"name": value}
    if not isinstance(value, dict):
        raise Unusable("user is neither an object nor empty")
    email = values.text("user.email", value.get("email"), values.limit(User, "email"))
    name = values.text("user.name", value.get("name"), values.limit(User, "name")) or email
    # Records of 2022 have integers here, which name nobody today; the e-mail address still does.
    id_ = None if isinstance(value.get("id"), int) else values.uuid("user.id", value.get("id"))
    if id_ is None and not name:
        return None
    return Person(id_, name, email, values.boolean("user.is_archived", value.get("is_archived")) or False)


def _tags(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        raise Unusable("tags is not a list")
    return frozenset(values.text("tags", name, values.limit(Tag, "name")) for name in value) - {""}


_Parse = Callable[[str, Any], Any]
_PARSERS: dict[str, _Parse] = {
    "boolean": values.boolean,
    "moment": values.moment,
    "platform": _platform,
    "serial_number": _serial_number,
    "mac_address": _mac_address,
}
_TEXTS = {"text": values.text, "required_text": values.required}


def _parser(fact: Fact) -> _Parse:
    if read := _TEXTS.get(fact.parser or ""):
        return partial(read, limit=values.limit(Device, fact.paths[0]))
    return _PARSERS[fact.parser or ""]


_COLUMNS: dict[str, tuple[str, _Parse]] = {
    fact.key: (fact.paths[0], _parser(fact)) for fact in FACTS if fact.parser is not None
}
