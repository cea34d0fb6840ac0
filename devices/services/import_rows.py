"""One foreign row - a record of `GET /devices`, a `/details` document, a line of a report - as facts about a device."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, NamedTuple, cast
from uuid import UUID

import orjson
from django.db.models import CharField

from devices.models import Blueprint, Device, Platform, Tag, User
from devices.services.details import PLACES


class Unusable(Exception):
    """A row that cannot be taken; the message is the reason, for the person who runs the import."""


class Broken:
    """Stands among the rows where one could not even be read."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class BlueprintRef(NamedTuple):
    uuid: UUID | None
    name: str


class Person(NamedTuple):
    """An assigned user as a row names them. What it does not say is None or empty."""

    uuid: UUID | None
    name: str
    email: str
    archived: bool


@dataclass(slots=True)
class DeviceRow:
    """What one row says about one device. Only what it says: `facts` holds no attribute that the row leaves out."""

    uuid: UUID | None
    serial_number: str
    facts: dict[str, Any]  # attributes of Device
    weak: dict[str, Any] = field(default_factory=dict)  # the same, for attributes that are still empty
    blueprint: BlueprintRef | None = None
    says_user: bool = False
    user: Person | None = None
    tags: frozenset[str] | None = None
    details: dict[str, Any] | None = None


# A details document calls these by other names than the list and may give them another wording (a Windows model, say).
# The list's has the last word, or importing both would change the device every time.
_WEAK_IN_DETAILS = {"model", "serial_number"}
_PLATFORMS = {
    **{value.lower(): Platform(value) for value in Platform.values},
    "macos": Platform.MAC,
    "ipados": Platform.IPAD,
    "ios": Platform.IPHONE,
    "tvos": Platform.APPLE_TV,
}
_TRUE = {"true", "yes", "on", "1", "enabled"}
_FALSE = {"false", "no", "off", "0", "disabled"}


def device_row(document: object) -> DeviceRow:
    """Read a DEVICE record, a DETAILS document, or a dict with some of the keys of the first (and `mac_address`,
    `filevault_enabled`). Raises Unusable."""
    if isinstance(document, Broken):
        raise Unusable(document.reason)
    if not isinstance(document, dict):
        raise Unusable("not a JSON object")
    if "general" not in document:
        return _row(document)
    details = _storable(document)
    flat = _flattened(details)
    row = _row(flat)
    row.weak = {name: row.facts.pop(name) for name in _WEAK_IN_DETAILS & row.facts.keys()}
    row.details = details
    return row


def _row(record: dict[str, Any]) -> DeviceRow:
    if not record.keys() & {"device_id", "serial_number", "device_name"}:
        raise Unusable("neither a device record nor a details document")
    facts: dict[str, Any] = {}
    for key, (attribute, parse) in _COLUMNS.items():
        if key in record and (value := parse(key, record[key])) is not None:
            facts[attribute] = value
    serial_number: str = facts.get("serial_number", "")
    if not serial_number.isascii():  # databases disagree on the upper case of other letters
        raise Unusable("serial_number has characters outside ASCII")
    row = DeviceRow(_uuid("device_id", record.get("device_id")), serial_number, facts)
    if row.uuid is None and not serial_number:
        raise Unusable("device_id and serial_number are both missing")
    blueprint = BlueprintRef(
        _uuid("blueprint_id", record.get("blueprint_id")),
        _text("blueprint_name", record.get("blueprint_name"), _limit(Blueprint, "name")),
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
    for place in PLACES[platform]:
        section = details.get(place.section)
        if not isinstance(section, dict) or place.key not in section:
            continue
        value = section[place.key]
        if place.fact == "user" or (value not in (None, "") and place.fact not in flat):
            flat[place.fact] = value
    if isinstance(tags := details.get("tags"), list):
        flat["tags"] = tags
    return flat


def _storable(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, proven to be what every database can keep as JSON."""
    try:
        text = orjson.dumps(document)  # refuses lone surrogates, endless nesting and numbers beyond 64 bits
    except TypeError as error:
        raise Unusable(f"cannot be stored: {error}") from None
    copy: dict[str, Any] = orjson.loads(text)
    if b"\\u0000" in text and _has_null_character(copy):
        raise Unusable("holds a NUL character")
    return copy


def _has_null_character(value: object) -> bool:
    match value:
        case str():
            return "\0" in value
        case list():
            return any(map(_has_null_character, value))
        case dict():
            return any(_has_null_character(part) for pair in value.items() for part in pair)
        case _:
            return False


def _text(key: str, value: object, limit: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unusable(f"{key} is not a text")
    text = str(value).strip()
    if "\0" in text:
        raise Unusable(f"{key} holds a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Unusable(f"{key} is not valid Unicode text") from None
    if len(text) > limit:
        raise Unusable(f"{key} is longer than {limit} characters")
    return text


def _required(key: str, value: object, limit: int) -> str | None:
    return _text(key, value, limit) or None


def _uuid(key: str, value: object) -> UUID | None:
    if value in (None, ""):
        return None
    try:
        return UUID(value)  # type: ignore[arg-type]
    except (ValueError, AttributeError, TypeError):
        raise Unusable(f"{key} is not a UUID: {_shown(value)}") from None


def _platform(key: str, value: object) -> str | None:
    text = _text(key, value, 255)
    if not text:
        return None
    platform = _PLATFORMS.get(text.lower().replace(" ", ""))
    if platform is None:
        raise Unusable(f"unknown platform: {_shown(text)}")
    return platform.value


def _moment(key: str, value: object) -> datetime | None:
    """Any of the API's ways to write a moment; one without a zone is UTC."""
    if value in (None, ""):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())  # type: ignore[attr-defined]
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, AttributeError, TypeError, OverflowError):
        raise Unusable(f"{key} is not a date: {_shown(value)}") from None


def _boolean(key: str, value: object) -> bool | None:
    text = str(value).strip().lower()
    if value is None or text == "":
        return None
    if text not in _TRUE | _FALSE:
        raise Unusable(f"{key} is neither true nor false: {_shown(value)}")
    return text in _TRUE


def _mac_address(key: str, value: object) -> str | None:
    # In upper case, as the API's filter looks for it.
    return _text(key, value, _limit(Device, "mac_address")).upper().replace("-", ":") or None


def _person(value: object) -> Person | None:
    if not value:
        return None
    if isinstance(value, str):
        value = {"email": value} if "@" in value else {"name": value}
    if not isinstance(value, dict):
        raise Unusable("user is neither an object nor empty")
    email = _text("user.email", value.get("email"), _limit(User, "email"))
    name = _text("user.name", value.get("name"), _limit(User, "name")) or email
    # Records of 2022 have integers here, which name nobody today; the e-mail address still does.
    id_ = None if isinstance(value.get("id"), int) else _uuid("user.id", value.get("id"))
    if id_ is None and not name:
        return None
    return Person(id_, name, email, _boolean("user.is_archived", value.get("is_archived")) or False)


def _tags(value: object) -> frozenset[str]:
    if not isinstance(value, list):
        raise Unusable("tags is not a list")
    return frozenset(_text("tags", name, _limit(Tag, "name")) for name in value) - {""}


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@cache
def _limit(model: type[Device | Blueprint | User | Tag], name: str) -> int:
    """The greatest length of a text column."""
    return cast("CharField[str, str]", model._meta.get_field(name)).max_length or 0


_Parse = Callable[[str, Any], Any]
_COLUMNS: dict[str, tuple[str, _Parse]] = {
    "device_name": ("name", partial(_required, limit=_limit(Device, "name"))),
    "serial_number": ("serial_number", partial(_required, limit=_limit(Device, "serial_number"))),
    "platform": ("platform", _platform),
    **{
        name: (name, partial(_text, limit=_limit(Device, name)))
        for name in (
            "model",
            "os_version",
            "supplemental_build_version",
            "supplemental_os_version_extra",
            "asset_tag",
            "agent_version",
            "lost_mode_status",
            "api_level",
            "security_patch_level",
            "full_software_version",
        )
    },
    **{
        name: (name, _boolean)
        for name in ("filevault_enabled", "mdm_enabled", "agent_installed", "is_missing", "is_removed")
    },
    **{name: (name, _moment) for name in ("first_enrollment", "last_enrollment", "last_check_in")},
    "mac_address": ("mac_address", _mac_address),
}
