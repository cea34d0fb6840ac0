"""Tags of a tenant. A change to a tag is in the records of its devices at once, or within seconds on thousands."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.conditions.facts import facts_changed
from devices.fleet import records
from devices.models import Tag


@transaction.atomic
def create_tag(*, tenant: Tenant, name: str, actor: Actor) -> Tag:
    """Create a tag. Raises ValidationError for a name that another tag of the tenant has."""
    tag = Tag(tenant=tenant, name=name)
    _save(tag)
    log_event(target=_target(tag), actor=actor, action=AuditEvent.Action.CREATE, summary="Tag created")
    return tag


@transaction.atomic
def rename_tag(*, tenant: Tenant, tag_id: UUID, name: str, actor: Actor) -> Tag:
    """Rename a tag, on all of its devices too.

    Raises Tag.DoesNotExist, and ValidationError for a name that another tag of the tenant has.
    """
    tag = tenant.tags.select_for_update().get(uuid=tag_id)
    changes = difference({"name": tag.name}, {"name": name})
    if changes:
        tag.name = name
        _save(tag)
        records.refresh_sharing(tag.devices.values_list("pk", flat=True))
        log_event(
            target=_target(tag), actor=actor, action=AuditEvent.Action.UPDATE, summary="Tag renamed", changes=changes
        )
    return tag


@transaction.atomic
def delete_tag(*, tenant: Tenant, tag_id: UUID, actor: Actor) -> None:
    """Remove a tag from all of its devices and delete it. Raises Tag.DoesNotExist."""
    tag = tenant.tags.select_for_update().get(uuid=tag_id)
    devices = list(tag.devices.values_list("pk", flat=True))
    tag.delete()
    records.refresh_sharing(devices)
    facts_changed(tenant.pk, devices)
    log_event(target=_target(tag), actor=actor, action=AuditEvent.Action.DELETE, summary="Tag deleted")


def _save(tag: Tag) -> None:
    try:
        with transaction.atomic():
            tag.save()
    except IntegrityError:
        raise ValidationError({"name": "A tag with this name already exists."}) from None


def _target(tag: Tag) -> Target:
    return Target(tag.tenant, "tag", tag.uuid, tag.name, state=lambda: {"name": tag.name})
