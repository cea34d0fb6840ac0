"""Rows that are written without the ORM are those that the ORM would have written."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from access.models import Tenant
from devices.models import DirectoryIntegration, Tag, User
from devices.statements import COPIED, create
from tests.factories.devices import BlueprintFactory

pytestmark = pytest.mark.django_db

MOMENTS = (
    datetime(2026, 11, 1, 12, 30, 15, 123456, tzinfo=UTC),
    datetime(2026, 11, 1, 12, tzinfo=UTC),
    datetime(2026, 11, 1, 12, 30, 15, 7, tzinfo=timezone(timedelta(hours=5, minutes=30))),
)
TEXTS = ("Ann", "Zoë\tand\nBob", "back\\slash, \\N and \\.", "", "'; --", 'a "quote"', "Ω", "100 %s")


def users(tenant: Tenant, count: int) -> list[User]:
    integration, _ = DirectoryIntegration.objects.get_or_create(tenant=tenant, name="Okta", type="okta")
    return [
        User(
            tenant=tenant,
            uuid=uuid.UUID(int=number),
            name=TEXTS[number % len(TEXTS)],
            email=f"{number}@accuhive.example",
            department=None if number % 2 else TEXTS[number % len(TEXTS)],
            archived=number % 3 == 0,
            integration=integration,
            created_at=MOMENTS[number % len(MOMENTS)],
        )
        for number in range(count)
    ]


def stored(tenant: Tenant) -> list[dict[str, Any]]:
    names = [field.name for field in User._meta.concrete_fields if field.name not in {"id", "tenant", "updated_at"}]
    return list(tenant.users.order_by("pk").values(*(name for name in names if name != "integration")))


@pytest.mark.parametrize("count", [1, 2, COPIED + 1])
def test_created_rows_are_those_of_the_orm(tenant: Tenant, other_tenant: Tenant, count: int) -> None:
    create(User, made := users(tenant, count))
    User.objects.bulk_create(users(other_tenant, count))
    assert stored(tenant) == stored(other_tenant)
    # They are found by the values of each column, too, which SQLite compares as they are written.
    for user in users(other_tenant, count):
        assert tenant.users.filter(created_at=user.created_at, uuid=user.uuid).count() == 1
    assert [user.pk for user in made] == list(tenant.users.order_by("pk").values_list("pk", flat=True))
    assert all(user.updated_at for user in tenant.users.all())


def test_created_objects_can_be_saved_and_others_created_after_them(tenant: Tenant) -> None:
    first, second = Tag(tenant=tenant, name="one"), Tag(tenant=tenant, name="two")
    create(Tag, [first, second])
    second.name = "renamed"
    second.save()
    third = Tag.objects.create(tenant=tenant, name="three")
    create(Tag, [fourth := Tag(tenant=tenant, name="four")])
    assert list(tenant.tags.order_by("pk").values_list("name", flat=True)) == ["one", "renamed", "three", "four"]
    assert third.pk < fourth.pk
    # A key that a deleted row had is not used again.
    last = fourth.pk
    fourth.delete()
    create(Tag, [fifth := Tag(tenant=tenant, name="five")])
    assert fifth.pk > last


@pytest.mark.parametrize("count", [1, COPIED + 1])
def test_a_row_that_exists_already_is_an_error_of_the_database(tenant: Tenant, count: int) -> None:
    BlueprintFactory.create(tenant=tenant)
    create(User, users(tenant, count))
    with pytest.raises(IntegrityError), transaction.atomic():
        create(User, users(tenant, count))
    assert tenant.users.count() == count


def test_many_rows_take_as_many_statements_as_few(tenant: Tenant) -> None:
    def statements(rows: list[User]) -> int:
        with CaptureQueriesContext(connection) as captured:
            create(User, rows)
        return len(captured)

    rows = users(tenant, 60)
    # `executemany` is one entry here. PostgreSQL's COPY is none.
    assert statements(rows[:10]) == statements(rows[10:]) == 2
