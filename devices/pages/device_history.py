"""The activity of a device: its own events and the audit events of people and integrations, merged by time."""

from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.paginator import Page, Paginator

from access.models import AuditEvent
from devices.commands import COMMANDS
from devices.fleet.activity import COMMAND_COMPLETED, COMMAND_FAILED, NAME_CHANGED
from devices.models import Device, DeviceActivity
from devices.text import as_words

PER_PAGE = 50
MERGED = 2000  # the newest entries; two sorted queries return them quickly
TITLES = {
    "enrollment": "Enrolled",
    NAME_CHANGED: "Name changed",
    COMMAND_COMPLETED: "Command completed",
    COMMAND_FAILED: "Command failed",
    "routing_arrival": "Arrived by Blueprint routing",
    "device_csp_query": "Setting read",
    "device_csp_application": "Setting applied",
    "amapi_policy_update_success": "Policy updated",
}
COMMAND_TITLES = {command.command_type: command.title for command in COMMANDS.values()}
FIELDS = {
    "blueprint_name": "Blueprint",
    "enrollment_type": "Enrollment",
    "request_type": "Command",
    "csp_name": "Provider",
    "csp_path": "Path",
    "status": "Status",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """`who` is empty for an event of the device itself. `facts` are (label, old value or None, new value).

    `command` is the id of the command that the entry is about.
    """

    at: datetime
    title: str
    who: str = ""
    event: AuditEvent | None = None
    facts: list[tuple[str, Any, Any]] = field(default_factory=list)
    command: UUID | None = None


def history(device: Device, number: Any) -> Page[Any]:
    """One page of the activity, newest first."""
    own = device.activity.order_by("-created_at", "-id")
    events = device.tenant.audit_events.about("device", device.uuid)
    total = own[:MERGED].count() + events[:MERGED].count()
    page: Page[Any] = Paginator(range(min(total, MERGED)), PER_PAGE).get_page(number)
    last = page.number * PER_PAGE
    both = merge(map(_of_device, own[:last]), map(_of_people, events[:last]), key=lambda entry: entry.at, reverse=True)
    entries = list(islice(both, last - PER_PAGE, last))
    _add_parameters(device, entries)
    page.object_list = entries
    return page


def _add_parameters(device: Device, entries: list[Entry]) -> None:
    """Add the parameters of the commands that the entries are about, which are in the rows of the commands."""
    rows = device.commands.filter(uuid__in={entry.command for entry in entries if entry.command})
    by_id = {row.uuid: row for row in rows.exclude(command="")}
    for entry in entries:
        row = by_id.get(entry.command) if entry.command else None
        if row and row.command in COMMANDS:
            parameters = COMMANDS[row.command].parameters_in_words(row)
            entry.facts[:0] = [(label, None, value) for label, value in parameters]


def _of_device(row: DeviceActivity) -> Entry:
    details = row.details if isinstance(row.details, dict) else {}
    title = TITLES.get(row.action_type, as_words(row.action_type))
    if row.action_type == NAME_CHANGED:
        return Entry(row.created_at, title, facts=[("Name", details.get("from"), details.get("to"))])
    if row.action_type in {COMMAND_COMPLETED, COMMAND_FAILED}:
        chain, type_ = details.get("error_chain"), details.get("command_type")
        errors = [each for each in chain if isinstance(each, dict)] if isinstance(chain, list) else []
        messages = [("Error", None, each.get("us_english_description")) for each in errors]
        command = COMMAND_TITLES.get(str(type_), type_)
        word = "completed" if row.action_type == COMMAND_COMPLETED else "failed"
        return Entry(row.created_at, f"Command {word}: {command}", facts=messages, command=_id(details.get("uuid")))
    facts = [(label, None, details[name]) for name, label in FIELDS.items() if details.get(name)]
    return Entry(row.created_at, title, facts=facts)


def _of_people(event: AuditEvent) -> Entry:
    facts = [(as_words(name), _text(c.get("old")), _text(c.get("new"))) for name, c in event.changes.items()]
    metadata = event.metadata if event.target_component == "commands" else None
    command = _id(metadata.get("uuid")) if isinstance(metadata, dict) else None
    return Entry(event.occurred_at, event.summary, event.actor_name, event, facts, command)


def _id(text: Any) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None


def _text(value: Any) -> str:
    match value:
        case None | "" | []:
            return "nothing"
        case list():
            return ", ".join(map(str, value))
        case bool():
            return "yes" if value else "no"
    return str(value)
