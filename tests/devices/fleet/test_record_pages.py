import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import Func, QuerySet, Subquery, TextField

from access.models import Tenant
from access.tokens import authentication
from access.tokens.authentication import authenticate
from devices.fleet import record_pages
from devices.fleet.record_pages import filtered_record_page, record_of, record_page
from devices.models import Device, Fleet
from tests import plans
from tests.factories.devices import BlueprintFactory, DeviceFactory
from tests.types import IssueToken

pytestmark = pytest.mark.slow

PLACES = [(10, 0), (3, 2), (10, 35), (10, 200)]  # limit and offset; the last is past the end


class Joined(Func):
    """The queryset's form of what JOINED selects: all records in one value."""

    template = "CAST(GROUP_CONCAT(%(expressions)s) AS BLOB)"
    output_field = TextField()


@pytest.fixture
def fleets(tenant: Tenant, other_tenant: Tenant, analyze: Callable[[], None]) -> list[Tenant]:
    """Two tenants whose devices were made in turns, so that neither has its primary keys in a row."""
    blueprints = [BlueprintFactory.create(tenant=each) for each in (tenant, other_tenant)]
    for _ in range(40):
        for blueprint in blueprints:
            DeviceFactory.create(tenant=blueprint.tenant, blueprint=blueprint)
    analyze()
    return [tenant, other_tenant]


def count(tenant: Tenant) -> Subquery:
    return Subquery(Fleet.objects.filter(tenant_id=tenant.pk).values("device_count"))


def page(tenant: Tenant, limit: int, offset: int) -> QuerySet[Device]:
    return tenant.devices.order_by("pk")[offset : offset + limit]


def test_one_record_is_its_querysets(fleets: list[Tenant]) -> None:
    native = connection.features.has_native_uuid_field
    for tenant in fleets:
        for other in fleets:
            uuid: UUID = other.devices.order_by("pk")[5].uuid
            queryset = Device.objects.filter(tenant_id=tenant.pk, uuid=uuid).values_list(
                "record_json", "last_check_in", "seen__at"
            )
            plans.assert_equal(record_pages.ONE, [tenant.pk, uuid if native else uuid.hex], queryset)
            assert queryset.exists() == (tenant == other)


def test_one_record_beside_a_token_is_that_of_the_tokens_tenant(
    fleets: list[Tenant], issue_token: IssueToken, settings: Any
) -> None:
    settings.IRU_TOKEN_KEYS = settings.IRU_TOKEN_KEYS[:1]
    for tenant in fleets:
        token = issue_token("get_device", tenant=tenant)
        for other in fleets:
            device = other.devices.order_by("pk")[5]
            found = authenticate(
                f"Bearer {token.secret}", subdomain=None, beside=record_pages.record_beside_token(device.uuid)
            ).beside
            assert found is not None
            if tenant == other:
                assert record_pages.record_in(found) == device.record_json == record_of(tenant.pk, device.uuid)
            else:
                assert found == (None, None, None)


@pytest.mark.sqlite_only
def test_one_record_beside_a_token_is_found_by_indexes(fleets: list[Tenant]) -> None:
    beside = record_pages.record_beside_token(fleets[0].devices.all()[5].uuid)
    statement = authentication._look_up(1, columns=beside.columns, joins=beside.joins)
    steps = plans.plan(statement, [*beside.parameters, "digest"])
    assert [step for step in steps if step.startswith("SEARCH")] == steps
    assert len(steps) == 4


@pytest.mark.parametrize(("limit", "offset"), PLACES)
def test_a_near_page_is_its_querysets(fleets: list[Tenant], limit: int, offset: int) -> None:
    for tenant in fleets:
        queryset = page(tenant, limit, offset).values_list("record_json", count(tenant))
        plans.assert_equal(record_pages.NEAR, [tenant.pk, tenant.pk, limit, offset], queryset)


@pytest.mark.parametrize(("limit", "offset"), PLACES)
def test_a_far_page_is_its_querysets(fleets: list[Tenant], limit: int, offset: int) -> None:
    for tenant in fleets:
        rows = Device.objects.filter(pk__in=page(tenant, limit, offset).values("pk")).order_by("pk")
        queryset = rows.values_list("record_json", count(tenant))
        plans.assert_equal(record_pages.FAR, [tenant.pk, tenant.pk, limit, offset], queryset)


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("limit", "offset"), PLACES)
def test_a_joined_page_is_its_querysets(fleets: list[Tenant], limit: int, offset: int) -> None:
    for tenant in fleets:
        rows = Device.objects.filter(pk__in=page(tenant, limit, offset).values("pk"))
        queryset = rows.values_list(Joined("record_json"), count(tenant))
        plans.assert_equal(record_pages.JOINED, [tenant.pk, tenant.pk, limit, offset], queryset)


@pytest.mark.parametrize(("limit", "offset"), PLACES)
@pytest.mark.parametrize("nearest", [0, 1000])
def test_a_page_is_the_records_of_the_tenant_in_order(
    fleets: list[Tenant], limit: int, offset: int, nearest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_pages, "NEAREST", nearest)
    for tenant in fleets:
        records, total = record_page(tenant.pk, limit=limit, offset=offset)
        assert total == 40
        assert json.loads(records) == [json.loads(device.record_json) for device in page(tenant, limit, offset)]


@pytest.mark.parametrize("walked", [0, 10_000])
@pytest.mark.parametrize("place", [range(20, 40), range(20), range(0, 40, 2)], ids=["last", "first", "all over"])
@pytest.mark.parametrize(
    ("names", "order"),
    [
        ([], ["pk"]),
        (["device_name"], ["name", "pk"]),
        (["-device_name"], ["-name", "-pk"]),
        (["-platform"], ["-platform", "-pk"]),
        (["blueprint_id", "-serial_number"], ["blueprint__uuid", "-serial_number", "-pk"]),
    ],
    ids=str,
)
def test_a_page_of_many_that_match(
    names: list[str],
    order: list[str],
    place: range,
    walked: int,
    fleets: list[Tenant],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are looked for in the order, and sorted where they are far behind."""
    monkeypatch.setattr(record_pages, "FEW", 0)
    monkeypatch.setattr(record_pages, "WALKED", walked)
    for tenant in fleets:
        keys = list(tenant.devices.order_by("pk").values_list("pk", flat=True))
        tenant.devices.filter(pk__in=[keys[index] for index in place]).update(model="Found")
        matches = tenant.devices.filter(model="Found").order_by(*order)
        for limit, offset in ((2, 0), (2, 5), (10, 18), (10, 30)):
            records, total = filtered_record_page(
                tenant.pk, {"model": "FOUND", "platform": "Mac"}, names, limit=limit, offset=offset
            )
            expected = [json.loads(device.record_json) for device in matches[offset : offset + limit]]
            assert (json.loads(records), total) == (expected, 20)


def test_one_record_of_another_tenant_is_not_there(fleets: list[Tenant]) -> None:
    device: Any = fleets[0].devices.first()
    assert record_of(fleets[0].pk, device.uuid) == device.record_json
    for tenant, uuid in ((fleets[1], device.uuid), (fleets[0], uuid4())):
        with pytest.raises(Device.DoesNotExist):
            record_of(tenant.pk, uuid)
