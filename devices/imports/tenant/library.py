"""Copy the Library of another tenant: categories, items with their contents, and the items of each blueprint."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from pydantic import BaseModel

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.tenant.groups import Written, assign, read_rows, record_import
from devices.imports.tenant.models import AppIn, CategoryIn, LibraryItemIn, ProfileIn, ScriptIn
from devices.library.kinds import CUSTOM_APP, CUSTOM_PROFILE, CUSTOM_SCRIPT, IPA_APP, Kind
from devices.library.profile_files import checked
from devices.models import Assignment, LibraryItem, SelfServiceCategory

SHARED = ("name", "active", "created_at", "updated_at")
IN_SELF_SERVICE = ("show_in_self_service", "self_service_recommended")
# Lists of the Library in the public API: the kind of their items, and the model of a row.
LIBRARY: dict[str, tuple[Kind, type[BaseModel]]] = {
    "library/custom-apps": (CUSTOM_APP, AppIn),
    "library/ipa-apps": (IPA_APP, AppIn),
    "library/custom-profiles": (CUSTOM_PROFILE, ProfileIn),
    "library/custom-scripts": (CUSTOM_SCRIPT, ScriptIn),
}


@transaction.atomic
def write_categories(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Write categories of Self Service, in their order. A category with the same name here gets the source's id."""
    written = Written()
    stored = list(tenant.self_service_categories.select_for_update())
    by_id, by_name = {row.uuid: row for row in stored}, {row.name: row for row in stored}
    new, changed = list[SelfServiceCategory](), list[SelfServiceCategory]()
    for position, (row, id) in enumerate(read_rows(CategoryIn, "category", rows, written)):
        category = by_id.get(id) or by_name.get(row.name) or SelfServiceCategory(tenant=tenant)
        if assign(category, {"uuid": id, "name": row.name, "position": position}):
            (changed if category.pk else new).append(category)
    SelfServiceCategory.objects.bulk_create(new)
    SelfServiceCategory.objects.bulk_update(changed, ["uuid", "name", "position"])
    return record_import(tenant, actor, "categories of Self Service", written, new=new, changed=changed)


def writer_of(kind: Kind, row: type[BaseModel]) -> Callable[..., Written]:
    """The function that writes the rows of one list of the Library."""

    @transaction.atomic
    def write(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
        return _Items(tenant, kind, row).write(list(rows), actor)

    return write


@transaction.atomic
def write_library_items(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Write the parts of library items to which devices and blueprints refer: `id`, `name`, and `type` if known."""
    written = Written()
    items = {id: row for row, id in read_rows(LibraryItemIn, "library item", rows, written)}
    stored = {row.uuid: row for row in tenant.library_items.select_for_update().filter(uuid__in=items)}
    new, changed = list[LibraryItem](), list[LibraryItem]()
    for id, row in items.items():
        item = stored.get(id) or LibraryItem(tenant=tenant, uuid=id)
        if assign(item, {"name": row.name or item.name, "type": row.type or item.type}):
            (changed if item.pk else new).append(item)
    LibraryItem.objects.bulk_create(new)
    LibraryItem.objects.bulk_update(changed, ["name", "type"])
    return record_import(tenant, actor, "library items", written, new=new, changed=changed)


@transaction.atomic
def write_assignments(*, tenant: Tenant, blueprint_id: UUID, items: Iterable[UUID], actor: Actor) -> Written:
    """Write the items of a blueprint. The public API omits the node of a map, so they go to the map itself."""
    blueprint = tenant.blueprints.select_for_update().get(uuid=blueprint_id)
    there = set(blueprint.assignments.values_list("library_item__uuid", flat=True))
    missing = tenant.library_items.filter(uuid__in=set(items) - there).order_by("pk")
    new = Assignment.objects.bulk_create(Assignment(blueprint=blueprint, library_item=item) for item in missing)
    return record_import(tenant, actor, f"library items on {blueprint.name}", Written(), new=new, changed=[])


class _Items:
    """Writes items of one kind, with the contents and the Self Service fields that the model of a row has."""

    def __init__(self, tenant: Tenant, kind: Kind, model: type[BaseModel]) -> None:
        self._tenant, self._kind, self._model = tenant, kind, model
        self._contents: Any = None
        if kind.fields and set(kind.fields) <= model.model_fields.keys():
            self._contents = LibraryItem._meta.get_field(kind.contents).related_model
        self._categories = {row.uuid: row for row in tenant.self_service_categories.all()}
        self._written = Written()

    def write(self, rows: list[Any], actor: Actor) -> Written:
        readable = read_rows(self._model, self._kind.label, rows, self._written)
        read = {id: row for row, id in readable if self._usable(id, row)}
        stored = self._stored(read)
        new, changed = list[LibraryItem](), list[LibraryItem]()
        contents, edited = list[Any](), list[Any]()
        for id, row in read.items():
            item = stored.get(id) or LibraryItem(tenant=self._tenant, uuid=id)
            content = self._content_of(item)
            differs = content is not None and assign(content, {name: getattr(row, name) for name in self._kind.fields})
            if assign(item, self._columns(id, row)) or differs:
                (changed if item.pk else new).append(item)
            if differs:
                (edited if content.pk else contents).append(content)
        LibraryItem.objects.bulk_create(new)
        LibraryItem.objects.bulk_update(changed, ["type", "category", *SHARED, *IN_SELF_SERVICE], batch_size=200)
        self._save_contents(contents, edited)
        if rows and self._contents is None:
            self._written.problems.add(self._kind.plural, "their files and settings are not copied, only their names")
        return record_import(self._tenant, actor, self._kind.plural, self._written, new=new, changed=changed)

    def _stored(self, ids: Iterable[UUID]) -> dict[UUID, LibraryItem]:
        items = self._tenant.library_items.select_for_update(of=("self",)).filter(uuid__in=ids)
        if self._contents is not None:
            items = items.select_related(self._kind.contents)
        return {item.uuid: item for item in items}

    def _content_of(self, item: LibraryItem) -> Any:
        if self._contents is None:
            return None
        return getattr(item, self._kind.contents, None) or self._contents(item=item)

    def _columns(self, id: UUID, row: Any) -> dict[str, Any]:
        columns = {"type": self._kind.type, **{name: getattr(row, name) for name in SHARED}}
        if not set(IN_SELF_SERVICE) <= self._model.model_fields.keys():
            return columns
        category = self._categories.get(row.self_service_category_id)
        if row.self_service_category_id and category is None:
            self._written.problems.add(f"{self._kind.label} {id}", "its category of Self Service is not known here")
        return columns | {"category": category, **{name: getattr(row, name) for name in IN_SELF_SERVICE}}

    def _usable(self, id: UUID, row: Any) -> bool:
        """Whether the contents can be used. An invalid profile is left out, with the reason."""
        if self._kind is CUSTOM_PROFILE:
            try:
                row.profile = checked(row.profile.encode())
            except ValidationError as error:
                self._written.problems.add(f"{self._kind.label} {id}", " ".join(error.messages))
                return False
        return True

    def _save_contents(self, new: list[Any], changed: list[Any]) -> None:
        if self._contents is not None:
            for content in new:
                content.item = content.item  # the item has its primary key by now
            self._contents.objects.bulk_create(new, batch_size=100)
            self._contents.objects.bulk_update(changed, self._kind.fields, batch_size=100)
