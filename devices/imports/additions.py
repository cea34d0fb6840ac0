"""What the API answers about one device beside its record and its details, as facts: lists of what it reported, notes,
its past, its lost mode and its secrets."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from devices.imports import values
from devices.imports.facts import ActivityFacts, CommandFacts, DeviceRow, LostModeFacts, NoteFacts, PastBlueprint
from devices.imports.values import Unusable
from devices.models import Blueprint, Device, DeviceActivity, DeviceCommand, DeviceNote, DeviceSecret, LostMode

type Document = dict[str, Any]

# What devices report as lists, and the keys of their rows that are known from elsewhere.
LISTS: dict[str, set[str]] = {"apps": set(), "library_items": {"computer", "blueprint"}, "parameters": set()}
# Under which keys the API answers secrets.
SECRETS = {
    "key": DeviceSecret.Kind.FILEVAULT_KEY,
    "pin": DeviceSecret.Kind.UNLOCK_PIN,
    "recovery_password": DeviceSecret.Kind.RECOVERY_PASSWORD,
    "user_based_albc": DeviceSecret.Kind.USER_BYPASS_CODE,
    "device_based_albc": DeviceSecret.Kind.DEVICE_BYPASS_CODE,
}
_DESCRIBED = {"device_name", "platform", "general"}  # by a record or a details document alone
_TEXT = 1_000_000  # characters of a text that has no end of its own
_SECRET = 1000
_COUNT = 2**31 - 1
_ID = 2**63 - 1


def additions(document: Document) -> set[str]:
    """Keys of what the document says beside a device's record and details."""
    inside_details = {"lost_mode"} if "general" in document else set()
    return document.keys() & _ADDITIONS - inside_details


def only_adds(document: Document) -> bool:
    """Whether the document is about a device that another one describes."""
    return bool(additions(document)) and not document.keys() & _DESCRIBED


def addition(document: Document) -> DeviceRow:
    """Read an answer of `/apps`, `/library-items`, `/parameters`, `/notes`, `/commands`, `/activity`,
    `/details/lostmode` or `/secrets/…`, or several in one, beside the `device_id` (and the `serial_number`, for a
    device that has another id here). Notes stand under `notes`, and paged rows may stand without their page.

    Raises Unusable.
    """
    uuid = values.uuid("device_id", document.get("device_id"))
    if uuid is None:
        raise Unusable("device_id is missing")
    serial = values.serial_number(document.get("serial_number"), values.limit(Device, "serial_number"))
    row = DeviceRow(uuid, serial, adds=True)
    add(row, document)
    return row


def add(row: DeviceRow, document: Document) -> None:
    """Add to the row what `additions` of the document say. Raises Unusable."""
    if {"library_items", "parameters"} <= document.keys():
        raise Unusable("the status of a device is not needed: its library items and its parameters say the same")
    for name in document.keys() & LISTS.keys():
        row.reported[name] = [
            {key: value for key, value in item.items() if key not in LISTS[name]} for item in _objects(document, name)
        ]
    for name in document.keys() & _HISTORY.keys():
        setattr(row, name, [_HISTORY[name](each) for each in _objects(document, name)])
    if "lost_mode" in document:
        row.says_lost_mode, row.lost_mode = True, lost_mode(document["lost_mode"])
    for key in document.keys() & SECRETS.keys():
        if secret := _secret(key, document[key]):
            row.secrets[SECRETS[key]] = secret


def lost_mode(section: Any) -> LostModeFacts | None:
    """The lost mode that a device is in, as its details or its own answer tell it. None where it is in none.

    Raises Unusable.
    """
    if not isinstance(section, dict) or not section.get("lost_mode_status"):
        return None
    place = section.get("last_location")
    place = place if isinstance(place, dict) else {}

    def text(key: str, attribute: str) -> str:
        return values.text(f"lost_mode.{key}", section.get(key), values.limit(LostMode, attribute) or _TEXT)

    def moment(key: str) -> datetime | None:
        return values.moment(f"lost_mode.{key}", section.get(key))

    return LostModeFacts(
        status=text("lost_mode_status", "status"),
        enabled_by=text("enabled_by", "enabled_by"),
        message=text("lock_screen_message", "message"),
        phone_number=text("lock_screen_phone_number", "phone_number"),
        footnote=text("lock_screen_footnote", "footnote"),
        disable_status=text("disable_status", "disable_status"),
        disabled_by=text("disabled_by", "disabled_by"),
        location_status=text("last_location_status", "location_status"),
        latitude=values.text("lost_mode.latitude", place.get("latitude"), values.limit(LostMode, "latitude")),
        longitude=values.text("lost_mode.longitude", place.get("longitude"), values.limit(LostMode, "longitude")),
        sound_status=text("sound_status", "sound_status"),
        enable_status_at=moment("enable_status_at"),
        disable_status_at=moment("disable_status_at"),
        location_status_at=moment("last_location_status_at"),
        location_at=moment("last_location_at"),
        sound_status_at=moment("sound_status_at"),
    )


def _objects(document: Document, name: str) -> list[Document]:
    rows = document[name]
    if isinstance(rows, dict) and name in _HISTORY:
        rows = rows.get("results")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unusable(f"{name} is not a list of objects")
    return rows


def _note(note: Document) -> NoteFacts:
    uuid, created = (
        values.uuid("notes.note_id", note.get("note_id")),
        values.moment("notes.created_at", note.get("created_at")),
    )
    if uuid is None or created is None:
        raise Unusable("a note has no note_id or no created_at")
    return NoteFacts(
        uuid,
        values.text("notes.content", note.get("content"), _TEXT),
        values.text("notes.author", note.get("author"), values.limit(DeviceNote, "author")),
        created,
        values.moment("notes.updated_at", note.get("updated_at")) or created,
    )


def _command(command: Document) -> CommandFacts:
    uuid = values.uuid("commands.uuid", command.get("uuid"))
    requested = values.moment("commands.date_requested", command.get("date_requested"))
    status = command.get("status")
    if uuid is None or requested is None or status not in DeviceCommand.Status.values:
        raise Unusable("a command has no uuid, no date_requested or no status from 1 to 5")
    types = [
        values.text(f"commands.{key}", command.get(key), values.limit(DeviceCommand, key))
        for key in ("command_type", "request_type")
    ]
    return CommandFacts(
        uuid=uuid,
        command_type=types[0] or types[1],
        request_type=types[1] or types[0],
        metadata=_object("commands.metadata", command.get("metadata")),
        status=status,
        attempts=values.integer("commands.attempts", command.get("attempts") or 0, _COUNT),
        priority=values.integer("commands.priority", command.get("priority") or 0, 2**15 - 1),
        requires_network_tether=bool(
            values.boolean("commands.request_requires_network_tether", command.get("request_requires_network_tether"))
        ),
        error_chain=_errors(command.get("error_chain") or []),
        date_requested=requested,
        last_pushed=values.moment("commands.last_pushed", command.get("last_pushed")) or requested,
        date_completed=values.moment("commands.date_completed", command.get("date_completed")),
    )


def _errors(chain: Any) -> list[Document]:
    if not isinstance(chain, list) or not all(isinstance(error, dict) for error in chain):
        raise Unusable("commands.error_chain is not a list of objects")
    return [
        {
            "code": values.integer("commands.error_chain.code", error.get("code") or 0, _ID, negative=True),
            **{
                key: values.text(f"commands.error_chain.{key}", error.get(key), _TEXT)
                for key in ("domain", "localized_description", "us_english_description")
            },
        }
        for error in chain
    ]


def _activity(row: Document) -> ActivityFacts:
    created = values.moment("activity.created_at", row.get("created_at"))
    if row.get("id") is None or created is None or not row.get("action_type"):
        raise Unusable("a row of activity has no id, no created_at or no action_type")
    blueprint = _object("activity.blueprint", row.get("blueprint"))
    uuid = values.uuid("activity.blueprint.id", blueprint.get("id"))
    name = values.text("activity.blueprint.name", blueprint.get("name"), values.limit(Blueprint, "name"))
    removed = values.boolean("activity.blueprint.is_removed", blueprint.get("is_removed"))
    return ActivityFacts(
        id=values.integer("activity.id", row["id"], _ID),
        created_at=created,
        action_type=values.text(
            "activity.action_type", row["action_type"], values.limit(DeviceActivity, "action_type")
        ),
        blueprint=PastBlueprint(uuid, name, bool(removed)) if uuid and name else None,
        blueprint_routing=bool(values.boolean("activity.blueprint_routing", row.get("blueprint_routing"))),
        details=_object("activity.details", row.get("details")),
    )


def _object(key: str, value: Any) -> Document:
    if value is not None and not isinstance(value, dict):
        raise Unusable(f"{key} is not an object")
    return value or {}


def _secret(key: str, value: Any) -> str | None:
    # Unlike with other values, what stands there is not repeated in what is told.
    if value is not None and not isinstance(value, str):
        raise Unusable(f"{key} is neither a text nor null")
    if value and len(value) > _SECRET:
        raise Unusable(f"{key} is longer than {_SECRET} characters")
    return value or None


_HISTORY: dict[str, Callable[[Document], Any]] = {"notes": _note, "commands": _command, "activity": _activity}
_ADDITIONS = {*LISTS, *_HISTORY, *SECRETS, "lost_mode"}
