"""Copy the blueprints, users and tags of another tenant, with the same ids."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from pydantic import BaseModel

from access.audit.events import Actor, Target, log_event
from access.models import AuditEvent, Tenant
from devices.enrollment import codes as enrollment_codes
from devices.fleet import records
from devices.imports.errors import RowError, validated
from devices.imports.problems import Problems
from devices.imports.relations import imported_integration
from devices.imports.tenant.models import BlueprintIn, IntegrationIn, TagIn, UserIn
from devices.imports.values import storable, uuid_or_none
from devices.models import Blueprint, DirectoryIntegration, Tag, User

_BLUEPRINT = ("name", "icon", "color", "description", "type", "params", "enrollment_code", "enrollment_code_active")
_USER = ("name", "email", "active", "archived", "department", "job_title", "deprecated_user_id", "integration")
_USER_DATES = ("created_at", "updated_at")


class Written:
    """How many objects of one kind are new or changed, and the reasons for those that were not taken."""

    def __init__(self) -> None:
        self.created = self.updated = 0
        self.problems = Problems()

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
    for row, id in read_rows(BlueprintIn, "blueprint", rows, written):
        facts = row.model_dump()
        blueprint = stored.setdefault(id, Blueprint(tenant=tenant, uuid=id))
        code = facts["enrollment_code"]
        if code and code != blueprint.enrollment_code:
            try:
                enrollment_codes.check(code, blueprint)
            except ValidationError:
                facts["enrollment_code"] = blueprint.enrollment_code
                written.problems.add(f"blueprint {facts['name']}", f"another one has the enrollment code {code} here")
        if blueprint.pk and facts["name"] != blueprint.name:
            renamed.append(blueprint.pk)
        if assign(blueprint, facts):
            (changed if blueprint.pk else new).append(blueprint)
    Blueprint.objects.bulk_create(new)
    Blueprint.objects.bulk_update(changed, _BLUEPRINT)
    records.refresh(list(tenant.devices.filter(blueprint__in=renamed).values_list("pk", flat=True)))
    return record_import(tenant, actor, "blueprints", written, new=new, changed=changed)


@transaction.atomic
def write_users(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Users whole, with their directory integrations and dates."""
    written = Written()
    users = {id: row for row, id in read_rows(UserIn, "user", rows, written)}
    integrations = _integrations(tenant, [row.integration for row in users.values()])
    stored = {row.uuid: row for row in tenant.users.select_for_update().filter(uuid__in=users)}
    new, changed = list[User](), list[User]()
    for (id, row), integration in zip(users.items(), integrations, strict=True):
        user = stored.get(id) or User(tenant=tenant, uuid=id)
        if assign(user, {**row.model_dump(exclude={"integration"}), "integration": integration}):
            (changed if user.pk else new).append(user)
    dates = {user.uuid: (user.created_at, user.updated_at) for user in new}
    User.objects.bulk_create(new, batch_size=500)
    for user in new:
        user.created_at, user.updated_at = dates[user.uuid]
    # Once more for the new ones: only so is the moment of their last change that of the source.
    User.objects.bulk_update([*new, *changed], [*_USER, *_USER_DATES], batch_size=200)
    records.refresh(list(tenant.devices.filter(user__in=changed).values_list("pk", flat=True)))
    return record_import(tenant, actor, "users", written, new=new, changed=changed)


@transaction.atomic
def write_tags(*, tenant: Tenant, rows: Iterable[Any], actor: Actor) -> Written:
    """Tags. A tag whose name exists here keeps its id."""
    written = Written()
    stored = {row.uuid: row for row in tenant.tags.select_for_update()}
    names = {row.name for row in stored.values()}
    new, changed = list[Tag](), list[Tag]()
    for row, id in read_rows(TagIn, "tag", rows, written):
        if not row.name or row.name in names:
            continue
        names.add(row.name)
        tag = stored.get(id) or Tag(tenant=tenant, uuid=id)
        tag.name = row.name
        (changed if tag.pk else new).append(tag)
    Tag.objects.bulk_create(new)
    Tag.objects.bulk_update(changed, ["name"])
    records.refresh(list(tenant.devices.filter(tags__in=changed).values_list("pk", flat=True).distinct()))
    return record_import(tenant, actor, "tags", written, new=new, changed=changed)


def read_rows[M: BaseModel](
    model: type[M], noun: str, rows: Iterable[Any], written: Written
) -> Iterator[tuple[M, UUID]]:
    """Each usable object with its id, the first of those that have the same: pages may overlap while they are read."""
    ids: set[UUID] = set()
    for row in rows:
        id = uuid_or_none(row.get("id")) if isinstance(row, dict) else None
        if id is None:
            written.problems.add(f"a {noun}", "id is missing or no UUID")
        elif id not in ids:
            ids.add(id)
            try:
                yield validated(model, storable(row)), id
            except RowError as error:
                written.problems.add(f"{noun} {id}", str(error))


def _integrations(tenant: Tenant, integrations: Iterable[IntegrationIn | None]) -> list[DirectoryIntegration]:
    """The integration of each user, in their order."""
    stored = {row.uuid: row for row in tenant.directory_integrations.all()}
    result, imported = [], None
    for row in integrations:
        if row is None:
            imported = imported or imported_integration(tenant)
            result.append(imported)
            continue
        integration = stored.setdefault(row.uuid, DirectoryIntegration(tenant=tenant))
        if assign(integration, row.model_dump()):
            integration.save()
        result.append(integration)
    return result


def assign(row: Any, facts: dict[str, Any]) -> bool:
    """Whether these attributes differ from what the row had, or the row is new."""
    differs = row.pk is None or any(getattr(row, name) != value for name, value in facts.items())
    for name, value in facts.items():
        setattr(row, name, value)
    return differs


def record_import(
    tenant: Tenant, actor: Actor, what: str, written: Written, *, new: list[Any], changed: list[Any]
) -> Written:
    """Count the new and the changed rows, and write the audit event of the import. Returns `written`."""
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
