from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from access.models import AuditEvent, Tenant
from access.services.audit import Actor, difference, record
from devices.models import Tag
from devices.services import records


@transaction.atomic
def create_tag(*, tenant: Tenant, name: str, actor: Actor) -> Tag:
    """Raises ValidationError for a name that the tenant has already."""
    tag = Tag(tenant=tenant, name=name)
    _save(tag)
    _record(tag, actor, AuditEvent.Action.CREATE, "Tag created")
    return tag


@transaction.atomic
def rename_tag(*, tenant: Tenant, tag_id: UUID, name: str, actor: Actor) -> Tag:
    """Rename it on every device that carries it. Raises Tag.DoesNotExist, and ValidationError for a taken name."""
    tag = tenant.tags.select_for_update().get(uuid=tag_id)
    changes = difference({"name": tag.name}, {"name": name})
    if changes:
        tag.name = name
        _save(tag)
        records.refresh(list(tag.devices.values_list("pk", flat=True)))
        _record(tag, actor, AuditEvent.Action.UPDATE, "Tag renamed", changes)
    return tag


@transaction.atomic
def delete_tag(*, tenant: Tenant, tag_id: UUID, actor: Actor) -> None:
    """Take it off every device and delete it. Raises Tag.DoesNotExist."""
    tag = tenant.tags.select_for_update().get(uuid=tag_id)
    carriers = list(tag.devices.values_list("pk", flat=True))
    _record(tag, actor, AuditEvent.Action.DELETE, "Tag deleted")
    tag.delete()
    records.refresh(carriers)


def _save(tag: Tag) -> None:
    try:
        with transaction.atomic():
            tag.save()
    except IntegrityError:
        raise ValidationError({"name": "A tag with this name already exists."}) from None


def _record(
    tag: Tag, actor: Actor, action: AuditEvent.Action, summary: str, changes: dict[str, dict[str, str]] | None = None
) -> None:
    record(
        tenant=tag.tenant,
        actor=actor,
        action=action,
        summary=summary,
        target_type="tag",
        target_id=tag.uuid,
        target_name=tag.name,
        changes=changes,
        new_state=None if action == AuditEvent.Action.DELETE else {"name": tag.name},
    )
