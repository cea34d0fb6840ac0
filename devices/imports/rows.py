"""One foreign row - a record of `GET /devices`, a `/details` document, any other answer about a device, a line of a
report - as facts about one device."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from devices.fleet.facts import DETAIL_FIELDS
from devices.imports.errors import RowError, UnreadableRow, validated
from devices.imports.models import FIELDS, ActivityIn, CommandIn, Details, ItemStatusIn, LostModeIn, NoteIn, Person, Row
from devices.imports.values import is_blank, storable
from devices.models import DeviceSecret

# A details document calls these by other names than the list and may give them another wording (a Windows model, say).
# The list's has the last word, or importing both would change the device every time.
_FALLBACKS_IN_DETAILS = {"model", "serial_number"}
LIST = 20  # weight of details, or of a list that a device reports: it takes some 100 kB while it is compared
_REPORTED = {"apps", "parameters"}  # lists that devices report
_HISTORY = {"notes", "commands", "activity"}
# Under which keys the API answers secrets.
_SECRETS = {
    "key": DeviceSecret.Kind.FILEVAULT_KEY,
    "pin": DeviceSecret.Kind.UNLOCK_PIN,
    "recovery_password": DeviceSecret.Kind.RECOVERY_PASSWORD,
    "user_based_albc": DeviceSecret.Kind.USER_BYPASS_CODE,
    "device_based_albc": DeviceSecret.Kind.DEVICE_BYPASS_CODE,
}
# Keys of what stands beside a device's record and its details.
_SUPPLEMENTS = {*_REPORTED, *_HISTORY, *_SECRETS, "library_items", "lost_mode"}
_IDENTITY = {"device_id", "serial_number"}
_DESCRIPTION = {"device_name", "platform", "general"}  # keys of a record or a details document alone


class BlueprintRef(NamedTuple):
    uuid: UUID | None
    name: str


@dataclass(slots=True)
class DeviceRow:
    """What one row says about one device. Only what it says: `facts` holds no attribute that the row leaves out."""

    uuid: UUID | None
    serial_number: str
    facts: dict[str, Any]  # attributes of Device
    blueprint: BlueprintRef | None
    has_user: bool
    user: Person | None
    tags: frozenset[str] | None
    reported: dict[str, Any]  # attributes of DeviceInventory
    library_items: list[ItemStatusIn] | None
    has_lost_mode: bool
    lost_mode: LostModeIn | None
    notes: list[NoteIn]
    commands: list[CommandIn]
    activity: list[ActivityIn]
    secrets: dict[DeviceSecret.Kind, str] = field(repr=False)
    fallbacks: dict[str, Any] = field(default_factory=dict)  # attributes of Device, for those that are still empty
    is_supplement: bool = False  # to a device that another row describes

    @property
    def weight(self) -> int:
        """How much it takes to hold and to write it, in records of a device."""
        lists = sum(map(len, (self.notes, self.commands, self.activity, self.library_items or ())))
        return lists + (LIST if self.reported else 1)

    @property
    def reports(self) -> list[ItemStatusIn]:
        """The library items that the device has reported on."""
        return [each for each in self.library_items or () if each.is_report]


def device_row(document: object) -> DeviceRow:
    """Read a DEVICE record, a DETAILS document, a dict with some of the keys of the first (and `mac_address`,
    `filevault_enabled`), or an answer of `/apps`, `/library-items`, `/parameters`, `/notes`, `/commands`, `/activity`,
    `/details/lostmode` or `/secrets/…`, or several in one.

    An answer that does not describe the device stands beside its `device_id` (and its `serial_number`, for a device
    that has another id here). Notes stand under `notes`, and paged rows may stand without their page.

    Raises RowError.
    """
    if isinstance(document, UnreadableRow):
        raise RowError(document.reason)
    if not isinstance(document, dict):
        raise RowError("not a JSON object")
    supplements = document.keys() & _SUPPLEMENTS
    if supplements and not document.keys() & _DESCRIPTION:
        return _supplement(storable({key: document[key] for key in document.keys() & (_SUPPLEMENTS | _IDENTITY)}))
    if "general" in document:
        return _details(storable(document))
    return _record(storable(document) if supplements else document)


def _supplement(document: dict[str, Any]) -> DeviceRow:
    row = _row(document)
    if row.uuid is None:
        raise RowError("device_id is missing")
    row.is_supplement, row.facts = True, {}
    return row


def _details(document: dict[str, Any]) -> DeviceRow:
    # No supplement, least of all a secret, is stored among the details.
    supplements = {key: document.pop(key) for key in document.keys() & _SUPPLEMENTS}
    row = _record(_flattened(document) | supplements)
    row.fallbacks = {name: row.facts.pop(name) for name in _FALLBACKS_IN_DETAILS & row.facts.keys()}
    row.reported["details"] = document
    return row


def _record(record: dict[str, Any]) -> DeviceRow:
    if "note_id" in record:
        raise RowError('notes stand beside the id of their device: {"device_id": "…", "notes": […]}')
    if record and record.keys() <= {"detail", "message", "error"}:
        raise RowError("an error that the API answered")
    if not record.keys() & {*_IDENTITY, "device_name"}:
        raise RowError("neither a device record nor a details document")
    row = _row(record)
    if row.uuid is None and not row.serial_number:
        raise RowError("device_id and serial_number are both missing")
    return row


def _row(document: dict[str, Any]) -> DeviceRow:
    if {"library_items", "parameters"} <= document.keys():
        raise RowError("the status of a device is not needed: its library items and its parameters say the same")
    answers = validated(Row, document)
    present = answers.model_fields_set
    values = vars(answers)
    blueprint = BlueprintRef(answers.blueprint_id, answers.blueprint_name)
    return DeviceRow(
        uuid=answers.device_id,
        serial_number=values["serial_number"] or "",
        facts={name: value for name in FIELDS if (value := values[name]) is not None},
        blueprint=blueprint if any(blueprint) else None,
        has_user="user" in present,
        user=answers.user,
        tags=answers.tags,
        reported={name: values[name] for name in _REPORTED & present},
        library_items=answers.library_items if "library_items" in present else None,
        has_lost_mode="lost_mode" in present,
        lost_mode=answers.lost_mode,
        notes=answers.notes,
        commands=answers.commands,
        activity=answers.activity,
        secrets={kind: value for key, kind in _SECRETS.items() if (value := values[key])},
    )


def _flattened(details: dict[str, Any]) -> dict[str, Any]:
    """A details document as a record. Blank values are left out, except for an unassigned user."""
    platform = validated(Details, details).general.platform
    flat: dict[str, Any] = {}
    for fact, place in DETAIL_FIELDS[platform]:
        section = details.get(place.section)
        if not isinstance(section, dict) or place.key not in section:
            continue
        value = section[place.key]
        if fact.key == "user" or not (is_blank(value) or fact.key in flat):
            flat[fact.key] = value
    if isinstance(tags := details.get("tags"), list):
        flat["tags"] = tags
    return flat
