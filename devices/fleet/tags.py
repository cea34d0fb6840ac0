from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.fleet import records
from devices.models import Tag


@transaction.atomic
def create_tag(*, tenant: Tenant, name: str, actor: Actor) -> Tag:
    """Raises ValidationError for a name that the tenant has already."""
    tag = Tag(tenant=tenant, name=name)
    _save(tag)
    log_event(target=_target(tag), actor=actor, action=AuditEvent.Action.CREATE, summary="Tag created")
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
        log_event(
            target=_target(tag), actor=actor, action=AuditEvent.Action.UPDATE, summary="Tag renamed", changes=changes
        )
    return tag


@transaction.atomic
def delete_tag(*, tenant: Tenant, tag_id: UUID, actor: Actor) -> None:
    """Take it off every device and delete it. Raises Tag.DoesNotExist."""
    tag = tenant.tags.select_for_update().get(uuid=tag_id)
    carriers = list(tag.devices.values_list("pk", flat=True))
    log_event(target=_target(tag), actor=actor, action=AuditEvent.Action.DELETE, summary="Tag deleted")
    tag.delete()
    records.refresh(carriers)


def _save(tag: Tag) -> None:
    try:
        with transaction.atomic():
            tag.save()
    except IntegrityError:
        raise ValidationError({"name": "A tag with this name already exists."}) from None


def _target(tag: Tag) -> Target:
    return Target(tag.tenant, "tag", tag.uuid, tag.name, state=lambda: {"name": tag.name})
