"""Notes that administrators and integrations write about devices."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.models import DeviceNote


@transaction.atomic
def create_note(*, tenant: Tenant, device_id: UUID, content: str, actor: Actor) -> DeviceNote:
    """Add a note to a device. Raises Device.DoesNotExist."""
    device = tenant.devices.only("pk", "name", "uuid").get(uuid=device_id)
    now = timezone.now()
    note = DeviceNote.objects.create(
        tenant=tenant, device=device, content=content, author=actor.name, created_at=now, updated_at=now
    )
    _log(note, actor, AuditEvent.Action.CREATE, "Note created")
    return note


@transaction.atomic
def update_note(*, tenant: Tenant, device_id: UUID, note_id: UUID, content: str, actor: Actor) -> DeviceNote:
    """Replace the content of a note; its author stays the same. Raises DeviceNote.DoesNotExist."""
    note = _get_locked(tenant, device_id, note_id)
    if changes := difference({"content": note.content}, {"content": content}):
        note.content, note.updated_at = content, timezone.now()
        note.save(update_fields=["content", "updated_at"])
        _log(note, actor, AuditEvent.Action.UPDATE, "Note edited", changes)
    return note


@transaction.atomic
def delete_note(*, tenant: Tenant, device_id: UUID, note_id: UUID, actor: Actor) -> datetime:
    """Delete a note and return the time of the deletion. Raises DeviceNote.DoesNotExist."""
    note = _get_locked(tenant, device_id, note_id)
    note.delete()
    _log(note, actor, AuditEvent.Action.DELETE, "Note deleted")
    return timezone.now()


def _get_locked(tenant: Tenant, device_id: UUID, note_id: UUID) -> DeviceNote:
    notes = tenant.device_notes.select_for_update(of=("self",)).select_related("device")
    return notes.get(device__uuid=device_id, uuid=note_id)


def _log(
    note: DeviceNote,
    actor: Actor,
    action: AuditEvent.Action,
    summary: str,
    changes: dict[str, dict[str, str]] | None = None,
) -> None:
    log_event(
        target=Target(note.tenant, "device", note.device.uuid, note.device.name, "notes"),
        actor=actor,
        action=action,
        summary=summary,
        changes=changes,
        metadata={"note_id": str(note.uuid)},
    )
