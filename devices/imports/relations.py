"""Blueprints, users and tags that imported devices refer to: looked up, or created when a device first needs them.

Each class asks the database once per batch. A row that it makes is saved only by `save`, so that a device which turns
out to be unusable leaves nothing behind.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from access.models import Tenant
from devices.imports.errors import RowError
from devices.imports.models import Person
from devices.imports.rows import BlueprintRef
from devices.models import Blueprint, DirectoryIntegration, Tag, User
from devices.statements import create

IMPORT = "import"  # type of the integration for users that come without a directory


class Blueprints:
    """Found by id where the row has one, else by name."""

    def __init__(self, tenant: Tenant, refs: set[BlueprintRef], pks: set[int]) -> None:
        self._tenant = tenant
        query = Q(pk__in=pks) | Q(uuid__in={ref.uuid for ref in refs if ref.uuid})
        query |= Q(name__in={ref.name for ref in refs if not ref.uuid})
        rows = list(Blueprint.with_deleted.filter(query, tenant=tenant).order_by("pk"))
        self.by_pk = {row.pk: row for row in rows}
        self._names = {row.pk: row.name for row in rows}
        # A device may still be in a deleted one, but no row puts it there.
        live = [row for row in rows if row.deleted_at is None]
        self._by_uuid = {row.uuid: row for row in live}
        self._by_name: dict[str, Blueprint] = {}
        for row in live:
            self._by_name.setdefault(row.name, row)

    def get(self, ref: BlueprintRef) -> Blueprint:
        """Raises RowError for an unknown id without a name."""
        blueprint = self._by_uuid.get(ref.uuid) if ref.uuid else self._by_name.get(ref.name)
        if blueprint is None:
            if not ref.name:
                raise RowError("blueprint_name is missing")
            blueprint = Blueprint(tenant=self._tenant, uuid=ref.uuid or uuid.uuid4(), name=ref.name)
            self._by_uuid[blueprint.uuid] = blueprint
            self._by_name.setdefault(blueprint.name, blueprint)
        elif ref.name:
            blueprint.name = ref.name
        return blueprint

    def save(self, used: Iterable[Blueprint]) -> tuple[int, list[Blueprint]]:
        """Save what is new among `used`. Returns how many those were, and the blueprints that have another name now."""
        created = _unsaved(used)
        Blueprint.objects.bulk_create(created)
        renamed = [row for row in self.by_pk.values() if row.name != self._names[row.pk]]
        Blueprint.objects.bulk_update(renamed, ["name"])
        return len(created), renamed


class People:
    """Found by id where the row has one, else by e-mail address in any case, or by name where that is all there is."""

    def __init__(self, tenant: Tenant, people: set[Person], pks: set[int]) -> None:
        self._tenant = tenant
        nameless = [person for person in people if not person.uuid]
        # A query for each, rather than one that looks through all users of the tenant.
        queries = [Q(pk__in=pks), Q(uuid__in={person.uuid for person in people if person.uuid})]
        if nameless:  # no index has the addresses in lower case: only a report, which has no ids, needs them
            queries.append(Q(lower_email__in={person.email.lower() for person in nameless if person.email}))
            queries.append(Q(name__in={person.name for person in nameless if not person.email}))
        users = tenant.users.alias(lower_email=Lower("email"))
        found = {row.pk: row for query in queries for row in users.filter(query)}
        rows = [found[pk] for pk in sorted(found)]
        self.by_pk = {row.pk: row for row in rows}
        self._by_uuid = {row.uuid: row for row in rows}
        self._by_key: dict[str, User] = {}
        for row in rows:
            self._name(row)
        self._before = {row.pk: _columns(row) for row in rows}

    def get(self, person: Person) -> User:
        user = self._by_uuid.get(person.uuid) if person.uuid else self._by_key.get(person.email.lower() or person.name)
        if user is None:
            if not person.name:
                raise RowError("user has neither a name nor an e-mail address")
            user = User(
                tenant_id=self._tenant.pk,
                uuid=person.uuid or uuid.uuid4(),
                name=person.name,
                email=person.email,
                archived=person.archived,
                created_at=timezone.now(),
            )
            self._by_uuid[user.uuid] = user
            self._name(user)
        elif person.uuid:
            user.name, user.email = person.name or user.name, person.email or user.email
            user.archived = person.archived
        return user

    def save(self, used: Iterable[User]) -> tuple[int, list[User]]:
        """Save what is new among `used`. Returns how many those were, and the users whose columns changed."""
        created = _unsaved(used)
        if created:
            integration = imported_integration(self._tenant)
            for user in created:
                user.integration_id = integration.pk
            create(User, created)
        changed = [row for row in self.by_pk.values() if _columns(row) != self._before[row.pk]]
        for row in changed:
            row.updated_at = timezone.now()
        User.objects.bulk_update(changed, ["name", "email", "archived", "updated_at"])
        return len(created), changed

    def _name(self, row: User) -> None:
        self._by_key.setdefault(row.email.lower() or row.name, row)
        self._by_key.setdefault(row.name, row)


def imported_integration(tenant: Tenant) -> DirectoryIntegration:
    """The integration of users that come without a directory: apart from those that a directory will sync."""
    existing = tenant.directory_integrations.filter(type=IMPORT).order_by("pk").first()
    return existing or DirectoryIntegration.objects.create(tenant=tenant, name="Imported users", type=IMPORT)


class Tags:
    def __init__(self, tenant: Tenant, names: set[str]) -> None:
        self._tenant = tenant
        self._by_name = {tag.name: tag for tag in tenant.tags.filter(name__in=names)}

    def save(self, used: set[str]) -> int:
        """Save those of `used` that the tenant did not have. Returns how many those were."""
        created = [Tag(tenant=self._tenant, name=name) for name in sorted(used - self._by_name.keys())]
        Tag.objects.bulk_create(created)
        self._by_name.update((tag.name, tag) for tag in created)
        return len(created)

    def pk(self, name: str) -> int:
        """Of a tag that is saved."""
        return self._by_name[name].pk


def _columns(user: User) -> tuple[str, str, bool]:
    return user.name, user.email, user.archived


def _unsaved[M: Any](rows: Iterable[M]) -> list[M]:
    return list({row.uuid: row for row in rows if row.pk is None}.values())
