"""What a tenant has beside its devices - blueprints, users, tags, library items - written here as it is there."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.enrollment import codes as enrollment_codes
from devices.fleet import records
from devices.imports import values
from devices.imports.relations import imported_integration
from devices.imports.values import Unusable
from devices.models import Assignment, Blueprint, DirectoryIntegration, LibraryItem, Tag, User

_BLUEPRINT = ("name", "icon", "color", "description", "type", "params", "enrollment_code", "enrollment_code_active")
_USER = ("name", "email", "active", "archived", "department", "job_title", "deprecated_user_id", "integration")
_USER_DATES = ("created_at", "updated_at")


class Written:
    """How many objects of one kind are new or changed, and the reasons for those that were not taken."""

    def __init__(self) -> None:
        self.created = self.updated = 0
        self.problems: list[str] = []

    def __iadd__(self, other: "Written") -> "Written":
        self.created += other.created
        self.updated += other.updated
        self.problems += other.problems
        return self


@transaction.atomic
def write_blueprints(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Blueprints whole: looks, params, type and enrollment code. A code that another one has here is left out."""
    enrollment_codes.lock(tenant)
    written = Written()
    stored = {row.uuid: row for row in tenant.blueprints.select_for_update()}
    new, changed, renamed = list[Blueprint](), list[Blueprint](), list[int]()
    for row, id in _identified(rows, written):
        try:
            facts = _blueprint(row)
        except Unusable as error:
            written.problems.append(f"blueprint {id}: {error}")
            continue
        blueprint = stored.setdefault(id, Blueprint(tenant=tenant, uuid=id))
        code = facts["enrollment_code"]
        if code and code != blueprint.enrollment_code:
            try:
                enrollment_codes.check(code, blueprint)
            except ValidationError:
                facts["enrollment_code"] = blueprint.enrollment_code
                written.problems.append(f"blueprint {facts['name']}: another one has the enrollment code {code} here")
        if blueprint.pk and facts["name"] != blueprint.name:
            renamed.append(blueprint.pk)
        if _assign(blueprint, facts):
            (changed if blueprint.pk else new).append(blueprint)
    Blueprint.objects.bulk_create(new)
    Blueprint.objects.bulk_update(changed, _BLUEPRINT)
    records.refresh(list(tenant.devices.filter(blueprint__in=renamed).values_list("pk", flat=True)))
    return _told(tenant, actor, "blueprints", written, new=new, changed=changed)


@transaction.atomic
def write_users(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Users whole, with their directory integrations and dates."""
    written, facts_of = Written(), {}
    for row, id in _identified(rows, written):
        try:
            facts_of[id] = _user(row)
        except Unusable as error:
            written.problems.append(f"user {id}: {error}")
    integrations = _integrations(tenant, [facts.pop("integration") for facts in facts_of.values()])
    stored = {row.uuid: row for row in tenant.users.select_for_update().filter(uuid__in=facts_of)}
    new, changed = list[User](), list[User]()
    for (id, facts), integration in zip(facts_of.items(), integrations, strict=True):
        user = stored.get(id) or User(tenant=tenant, uuid=id)
        if _assign(user, {**facts, "integration": integration}):
            (changed if user.pk else new).append(user)
    dates = {user.uuid: (user.created_at, user.updated_at) for user in new}
    User.objects.bulk_create(new, batch_size=500)
    for user in new:
        user.created_at, user.updated_at = dates[user.uuid]
    # Once more for the new ones: only so is the moment of their last change that of the source.
    User.objects.bulk_update([*new, *changed], [*_USER, *_USER_DATES], batch_size=200)
    records.refresh(list(tenant.devices.filter(user__in=changed).values_list("pk", flat=True)))
    return _told(tenant, actor, "users", written, new=new, changed=changed)


@transaction.atomic
def write_tags(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Tags; one whose name is known here keeps the id that it has here."""
    written = Written()
    stored = {row.uuid: row for row in tenant.tags.select_for_update()}
    names = {row.name for row in stored.values()}
    new, changed = list[Tag](), list[Tag]()
    for row, id in _identified(rows, written):
        try:
            name = values.text("name", row.get("name"), values.limit(Tag, "name"))
        except Unusable as error:
            written.problems.append(f"tag {id}: {error}")
            continue
        if not name or name in names:
            continue
        names.add(name)
        tag = stored.get(id) or Tag(tenant=tenant, uuid=id)
        tag.name = name
        (changed if tag.pk else new).append(tag)
    Tag.objects.bulk_create(new)
    Tag.objects.bulk_update(changed, ["name"])
    records.refresh(list(tenant.devices.filter(tags__in=changed).values_list("pk", flat=True).distinct()))
    return _told(tenant, actor, "tags", written, new=new, changed=changed)


@transaction.atomic
def write_library_items(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Library items as far as devices and blueprints refer to them: `id`, `name`, and `type` where it is known."""
    written = Written()
    wanted: dict[UUID, tuple[str, str]] = {}
    for row, id in _identified(rows, written):
        try:
            name = values.text("name", row.get("name"), values.limit(LibraryItem, "name"))
            kind = values.text("type", row.get("type"), values.limit(LibraryItem, "type"))
        except Unusable as error:
            written.problems.append(f"library item {id}: {error}")
            continue
        wanted[id] = (name, kind)
    stored = {row.uuid: row for row in tenant.library_items.select_for_update().filter(uuid__in=wanted)}
    new, changed = list[LibraryItem](), list[LibraryItem]()
    for id, (name, kind) in wanted.items():
        item = stored.get(id) or LibraryItem(tenant=tenant, uuid=id)
        if _assign(item, {"name": name or item.name, "type": kind or item.type}):
            (changed if item.pk else new).append(item)
    LibraryItem.objects.bulk_create(new)
    LibraryItem.objects.bulk_update(changed, ["name", "type"])
    return _told(tenant, actor, "library items", written, new=new, changed=changed)


@transaction.atomic
def write_assignments(*, tenant: Tenant, blueprint_id: UUID, items: Iterable[UUID], actor: Actor) -> Written:
    """What a blueprint installs. The public API does not tell the node of a map, so the items lie on the map itself."""
    blueprint = tenant.blueprints.select_for_update().get(uuid=blueprint_id)
    there = set(blueprint.assignments.values_list("library_item__uuid", flat=True))
    missing = tenant.library_items.filter(uuid__in=set(items) - there).order_by("pk")
    new = Assignment.objects.bulk_create(Assignment(blueprint=blueprint, library_item=item) for item in missing)
    return _told(tenant, actor, f"library items on {blueprint.name}", Written(), new=new, changed=[])


def _identified(rows: Iterable[Any], written: Written) -> Iterable[tuple[dict[str, Any], UUID]]:
    """Each object with its id, the first of those that have the same: pages may overlap while they are read."""
    seen: set[UUID] = set()
    for row in rows:
        try:
            id = values.uuid("id", row.get("id")) if isinstance(row, dict) else None
            if id is None:
                raise Unusable("an object without an id")
            document = values.storable(row)
        except Unusable as error:
            written.problems.append(str(error))
            continue
        if id not in seen:
            seen.add(id)
            yield document, id


def _blueprint(row: dict[str, Any]) -> dict[str, Any]:
    def text(name: str) -> str:
        return values.text(name, row.get(name), values.limit(Blueprint, name))

    code, params = row.get("enrollment_code"), row.get("params")
    code = code if isinstance(code, dict) else {}
    if not text("name"):
        raise Unusable("name is missing")
    type_ = text("type") or Blueprint.Type.CLASSIC
    if type_ not in Blueprint.Type.values:
        raise Unusable(f"unknown type: {values.shown(type_)}")
    return {
        "name": text("name"),
        "icon": text("icon"),
        "color": text("color"),
        "description": values.text("description", row.get("description"), 100_000),
        "type": type_,
        "params": params if isinstance(params, dict) else {},
        "enrollment_code": values.text("enrollment_code", code.get("code"), values.limit(Blueprint, "enrollment_code")),
        "enrollment_code_active": values.boolean("enrollment_code.is_active", code.get("is_active")) or False,
    }


def _user(row: dict[str, Any]) -> dict[str, Any]:
    def text(name: str) -> str:
        return values.text(name, row.get(name), values.limit(User, name))

    created = values.moment("created_at", row.get("created_at"))
    if not (text("name") or text("email")) or created is None:
        raise Unusable("name or created_at is missing")
    return {
        "name": text("name") or text("email"),
        "email": text("email"),
        "active": values.boolean("active", row.get("active")) is not False,
        "archived": values.boolean("archived", row.get("archived")) or False,
        "department": None if row.get("department") is None else text("department"),
        "job_title": None if row.get("job_title") is None else text("job_title"),
        "deprecated_user_id": text("deprecated_user_id"),
        "created_at": created,
        "updated_at": values.moment("updated_at", row.get("updated_at")) or created,
        "integration": _integration(row.get("integration")),
    }


def _integration(row: Any) -> dict[str, Any] | None:
    id = values.uuid("integration.uuid", row.get("uuid")) if isinstance(row, dict) else None
    if id is None:
        return None
    number = row.get("id")
    return {
        "uuid": id,
        "number": number if isinstance(number, int) and 0 <= number < 2**31 else 1,
        "name": values.text("integration.name", row.get("name"), values.limit(DirectoryIntegration, "name")),
        "type": values.text("integration.type", row.get("type"), values.limit(DirectoryIntegration, "type")),
    }


def _integrations(tenant: Tenant, wanted: Iterable[dict[str, Any] | None]) -> list[DirectoryIntegration]:
    """The integration of each user, in their order."""
    stored = {row.uuid: row for row in tenant.directory_integrations.all()}
    found, imported = [], None
    for facts in wanted:
        if facts is None:
            imported = imported or imported_integration(tenant)
            found.append(imported)
            continue
        integration = stored.setdefault(facts["uuid"], DirectoryIntegration(tenant=tenant))
        if _assign(integration, facts):
            integration.save()
        found.append(integration)
    return found


def _assign(row: Any, facts: dict[str, Any]) -> bool:
    """Whether these attributes differ from what the row had, or the row is new."""
    differs = row.pk is None or any(getattr(row, name) != value for name, value in facts.items())
    for name, value in facts.items():
        setattr(row, name, value)
    return differs


def _told(tenant: Tenant, actor: Actor, what: str, written: Written, *, new: list[Any], changed: list[Any]) -> Written:
    written.created, written.updated = len(new), len(changed)
    if new or changed:
        log_event(
            target=Target.whole(tenant),
            actor=actor,
            action=AuditEvent.Action.CREATE,
            summary=f"Copied from another tenant: {what}",
            metadata={"created": len(new), "updated": len(changed)},
        )
    return written
