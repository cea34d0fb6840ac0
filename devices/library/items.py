"""The functions for library items of all kinds: find, add, change and delete them, with their activity."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from access import retention
from access.audit.events import Actor, Target, difference, log_event
from access.models import AuditEvent, Tenant
from devices.library import app_files, categories
from devices.library.desired.changes import item_changed
from devices.library.kinds import Kind, contents_of, kind_of, version_of
from devices.models import LibraryActivity, LibraryItem
from devices.text import as_words

type Changes = dict[str, dict[str, Any]]

ARROW = "→"
# What devices do not see of an item.
UNSEEN = {"self_service_category_id", "self_service_recommended"}

retention.register(
    retention.Kind(
        name="activity of the Library",
        setting="IRU_KEEP_ACTIVITY",
        rows=lambda before: LibraryActivity.objects.filter(activity_time__lt=before),
        age="activity_time",
        indexed=False,
    )
)


def items_of(tenant: Tenant, kind: Kind) -> QuerySet[LibraryItem]:
    """The tenant's items of a kind, with their contents, in the order of the API's lists.

    An item whose contents are on another server is not in this list.
    """
    items = tenant.library_items.filter(type=kind.type, **{f"{kind.contents}__isnull": False})
    return items.select_related(kind.contents, "category").order_by("pk")


def new_item(tenant: Tenant, kind: Kind, **given: Any) -> LibraryItem:
    """An unsaved item of a kind, with unsaved contents: for `assign`, then `insert`."""
    item = LibraryItem(tenant=tenant, type=kind.type, **given)
    contents: Any = LibraryItem._meta.get_field(kind.contents).related_model
    contents(item=item)  # this also sets the contents of the item
    return item


def locked(tenant: Tenant, kind: Kind, item_id: UUID) -> LibraryItem:
    """The item with its contents, locked until the end of the transaction. Raises LibraryItem.DoesNotExist."""
    return items_of(tenant, kind).select_for_update(of=("self",)).get(uuid=item_id)


def values(item: LibraryItem) -> dict[str, Any]:
    """All values of the item that can be set, by their names in the API."""
    kind, contents = kind_of(item), contents_of(item)
    shared = {"name": item.name, "active": item.active}
    if kind.self_service:
        shared |= {
            "show_in_self_service": item.show_in_self_service,
            "self_service_category_id": str(item.category.uuid) if item.category else None,
            "self_service_recommended": item.self_service_recommended,
        }
    return shared | ({name: getattr(contents, name) for name in kind.fields} if contents else {})


def assign(item: LibraryItem, fields: Mapping[str, Any]) -> None:
    """Set these fields of the item and of its contents, unsaved.

    Raises ValidationError for a category that the tenant does not have.
    """
    kind, contents = kind_of(item), contents_of(item)
    for name, value in fields.items():
        if name == "self_service_category_id":
            item.category = categories.get(item.tenant, value) if value else None
        elif name in kind.fields:
            setattr(contents, name, value)
        else:
            setattr(item, name, value)


def check_self_service(item: LibraryItem, *, required: bool = False) -> None:
    """Apply the rules of Self Service to the unsaved item. `required`: Self Service is the only way to a device.
    Without Self Service the category and the recommendation are dropped. Raises ValidationError."""
    if not item.show_in_self_service:
        if required:
            raise ValidationError({"show_in_self_service": "Required when not enforcing install"})
        item.category, item.self_service_recommended = None, False
    elif item.category is None:
        raise ValidationError({"self_service_category_id": "Required when showing in self service"})


def insert(item: LibraryItem, actor: Actor) -> None:
    """Save a new item and its contents, and log its creation."""
    contents = contents_of(item)
    item.version = version_of(item)
    item.save(force_insert=True)
    contents.item = item
    contents.save(force_insert=True)
    record(item, actor, LibraryActivity.Type.CREATED)


def save(item: LibraryItem, before: Mapping[str, Any], actor: Actor) -> Changes:
    """Save a changed item, and log and return the differences from `before`, which `values` returned."""
    kind, changes = kind_of(item), difference(dict(before), values(item))
    if not changes:
        return changes
    columns = {"category" if name == "self_service_category_id" else name for name in changes}
    if of_contents := columns & set(kind.fields):
        contents_of(item).save(update_fields=of_contents)
    former, item.version = item.version, version_of(item)
    item.updated_at = timezone.now()
    item.save(update_fields=[*(columns - of_contents), "updated_at", "version"])
    if changes.keys() - UNSEEN:
        item_changed(item, version=item.version != former)
    record(item, actor, LibraryActivity.Type.EDITED, changes=_readable(item, changes))
    return changes


@transaction.atomic
def delete_item(*, tenant: Tenant, item_id: UUID, actor: Actor, kind: Kind | None = None) -> None:
    """Delete an item, of `kind` if it is given, and remove it from every blueprint. Devices remove it.

    Its statuses are deleted too; its activity stays. Raises LibraryItem.DoesNotExist.
    """
    items = items_of(tenant, kind) if kind else tenant.library_items
    item = items.select_for_update(of=("self",)).get(uuid=item_id)
    blueprints = sorted(set(item.assignments.values_list("blueprint__name", flat=True)))
    state = {"name": item.name, "type": item.type}
    if hasattr(contents := contents_of(item), "file_id"):
        app_files.release(contents)
    item_changed(item)
    item.delete()
    record(item, actor, LibraryActivity.Type.DELETED, metadata={**state, "blueprints": blueprints})


def activity_of(tenant: Tenant, item_id: UUID) -> QuerySet[LibraryActivity]:
    """The changes of an item, newest first, also of a deleted one.

    Raises LibraryItem.DoesNotExist for an item that this tenant never had.
    """
    activity = tenant.library_activity.filter(item_uuid=item_id)
    if not tenant.library_items.filter(uuid=item_id).exists() and not activity.exists():
        raise LibraryItem.DoesNotExist
    return activity.order_by("-pk")


def record(
    item: LibraryItem,
    actor: Actor,
    type: LibraryActivity.Type,
    *,
    changes: Changes | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Write the activity and then the audit event of a change, as the last step of its transaction."""
    log_activity([item], actor, type, changes=changes)
    actions = {
        LibraryActivity.Type.CREATED: AuditEvent.Action.CREATE,
        LibraryActivity.Type.DELETED: AuditEvent.Action.DELETE,
    }
    log_event(
        target=Target(item.tenant, "library_item", item.uuid, item.name, state=partial(_state, item)),
        actor=actor,
        action=actions.get(type, AuditEvent.Action.UPDATE),
        summary=f"{kind_of(item).label} {type.label.lower()}",
        changes=changes,
        metadata=metadata,
    )


def log_activity(
    items: Iterable[LibraryItem], actor: Actor, type: LibraryActivity.Type, *, changes: Changes | None = None
) -> None:
    """Write only the activity of items, for a change whose audit event has another object as its target."""
    person = actor.administrator
    LibraryActivity.objects.bulk_create(
        LibraryActivity(
            tenant_id=item.tenant_id,
            item_uuid=item.uuid,
            activity_type=type,
            user_id=actor.id,
            user_email=person.email if person else "",
            user_name=actor.name,
            details=_lines(changes) if changes else None,
        )
        for item in items
    )


def _lines(changes: Changes) -> list[str]:
    """Lines such as `<Field>: <old> → <new>`, the format of the public API for edits."""
    return [f"{as_words(name)}: {_text(each['old'])} {ARROW} {_text(each['new'])}" for name, each in changes.items()]


def _text(value: Any) -> str:
    return "none" if value in {None, ""} else str(value)


def _state(item: LibraryItem) -> dict[str, Any]:
    state = {name: _logged(item, name, value) for name, value in values(item).items()}
    return {"type": item.type, **state}


def _readable(item: LibraryItem, changes: Changes) -> Changes:
    return {name: {side: _logged(item, name, value) for side, value in each.items()} for name, each in changes.items()}


def _logged(item: LibraryItem, name: str, value: Any) -> Any:
    """A value in the form for the audit trail and the activity."""
    kind = kind_of(item)
    return kind.describe(value) if name in kind.digested and value else value
