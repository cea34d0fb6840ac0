"""That each filter and each order of the API's list of devices finds its devices by an index, on both databases."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Concat

from access import sql
from access.models import Tenant
from access.tasks.upkeep import refresh_statistics
from devices.api.schemas.devices import DeviceQuery
from devices.fleet import record_pages
from devices.fleet.record_filters import FILTERS, TERMS
from devices.models import Device, Platform
from tests import plans
from tests.devices.macs import store_macs
from tests.factories.devices import BlueprintFactory, DirectoryIntegrationFactory, TagFactory, UserFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

type Statement = tuple[str, Sequence[Any]]

COUNT = 1000
NONE = UUID(int=5)
# For each filter, a value that many devices have, and one that none has.
VALUES: dict[str, tuple[Any, Any]] = {
    "asset_tag": ("A", "zq"),
    "blueprint_id": ("{blueprint}", "zq"),
    "device_id": ("{device}", NONE),
    "device_name": ("Mac", "zq"),
    "filevault_enabled": (True, False),
    "mac_address": ("aa-5", "AA:BB:CC:00:11:23"),
    "model": ("Mac", "zq"),
    "os_version": ("2", "zq"),
    "platform": ("Mac", "AppleTV"),
    "serial_number": ("C", "zq"),
    "tag_id": ("{tag}", NONE),
    "tag_id_in": (["{tag}", "{tag_2}"], [NONE]),
    "tag_name": ("VIP", "zq"),
    "tag_name_in": (["VIP", "Loaner"], ["zq"]),
    "user": ("a", "zq"),
    "user_email": ("test", "zq"),
    "user_email_exact": ("{email}", "zq"),
    "user_id": ("{user}", NONE),
    "user_name": ("a", "zq"),
}
# The filters that look for a text: they read a narrow index of all devices, or of all people, of the tenant.
READS_ALL = {"asset_tag", "device_name", "serial_number", "user", "user_email", "user_name"}
ORDERS = [f"{sign}{name}" for name in TERMS for sign in ("", "-")]


@pytest.fixture
def ids(tenant: Tenant) -> dict[str, Any]:
    """Parts of VALUES, of a fleet whose devices have one of each, with fresh statistics."""
    integration = DirectoryIntegrationFactory.create(tenant=tenant)
    blueprints = BlueprintFactory.create_batch(10, tenant=tenant)
    people = UserFactory.create_batch(100, tenant=tenant, integration=integration)
    store_macs(tenant, COUNT, *blueprints, people=people)
    tenant.devices.update(mac_address=Concat(Value("AA:"), Cast("pk", CharField())))
    # Where all devices match, an index of the tenant alone is as good as one of the filter.
    tenant.devices.alias(third=F("pk") % 3).filter(third=0).update(platform=Platform.IPAD)
    tags = [TagFactory.create(tenant=tenant, name=name) for name in ("VIP", "Loaner", *map(str, range(20)))]
    keys = list(tenant.devices.values_list("pk", flat=True))
    through = Device.tags.through
    through.objects.bulk_create(
        through(device_id=key, tag_id=tag.pk) for key in keys for tag in (tags[0], tags[1 + key % 21])
    )
    refresh_statistics()
    if connection.vendor == "postgresql":
        plans.analyze()
    # Each row that a bitmap leads to costs little, and the rows of other tests change which one costs least.
    plans.prefer_indexes("bitmapscan")
    return {
        "{blueprint}": str(blueprints[3].uuid),
        "{device}": tenant.devices.order_by("pk")[COUNT // 2].uuid,
        "{tag}": tags[0].uuid,
        "{tag_2}": tags[1].uuid,
        "{email}": people[5].email,
        "{user}": people[5].uuid,
    }


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[Statement]:
    """The statements that are run from now on."""
    run = sql.rows
    found: list[Statement] = []

    def rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        found.append((statement, parameters))
        return run(statement, *parameters)

    monkeypatch.setattr(sql, "rows", rows)
    return found


def filled(value: Any, ids: dict[str, Any]) -> Any:
    return [filled(each, ids) for each in value] if isinstance(value, list) else ids.get(value, value)


def reads_of_whole_tables(steps: list[str]) -> list[str]:
    """The steps that read a table of many rows from its first to its last."""
    if connection.vendor == "postgresql":
        return [step for step in steps if re.search(r"Seq Scan on devices_(device|device_tags|user)\b", step)]
    made = {step.split()[1] for step in steps if step.startswith(("CO-ROUTINE", "MATERIALIZE"))}
    scans = {step: step.split()[1] for step in steps if step.startswith("SCAN")}
    tables = {"d", "t", "u", "devices_device", "devices_device_tags", "devices_user"}
    return [step for step, name in scans.items() if name in tables - made]


def reads_of_a_tenant(steps: list[str]) -> list[str]:
    """The steps that read a whole tenant in an index: it is the only thing that they look for."""
    if connection.vendor == "postgresql":
        return [step for step in steps if re.fullmatch(r" *Index Cond: \(tenant_id = \S+\)", step)]
    return [step for step in steps if step.endswith("(tenant_id=?)") and not step.startswith("SEARCH b")]


def test_each_filter_of_the_api_is_here() -> None:
    assert FILTERS.keys() == DeviceQuery.model_fields.keys() - {"limit", "offset", "ordering"}
    assert VALUES.keys() == FILTERS.keys()


@pytest.mark.parametrize("few", [0, 3000])
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_finds_its_devices_by_an_index(
    name: str,
    few: int,
    tenant: Tenant,
    ids: dict[str, Any],
    statements: list[Statement],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record_pages, "FEW", few)  # with 0, every match is one of many
    for value in VALUES[name]:
        filters = {name: filled(value, ids)}
        record_pages.filtered_record_page(tenant.pk, filters, [], limit=50, offset=0)
    for statement in statements:
        steps = plans.steps(*statement)
        assert not reads_of_whole_tables(steps), steps
        if name in READS_ALL or not re.search(r"FROM devices_(device|user)", statement[0]):
            continue
        # Among many, the first ones are looked for in the order of the list, and no further. The lowest of all values
        # is at the beginning of an index.
        allowed = statement[0].count(record_pages.TESTED) + statement[0].count("RECURSIVE")
        assert len(reads_of_a_tenant(steps)) <= allowed, (statement[0], steps)


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_is_that_of_an_index(
    name: str, tenant: Tenant, ids: dict[str, Any], statements: list[Statement]
) -> None:
    record_pages.filtered_record_page(tenant.pk, {}, [name], limit=50, offset=0)
    for statement in statements:
        steps = plans.steps(*statement)
        assert not reads_of_whole_tables(steps), steps
        # The devices of the page are sorted once more, after they were found.
        if connection.vendor == "sqlite":
            assert sum("TEMP B-TREE" in step for step in steps) <= 1, steps
            continue
        for limit, below in pairwise(steps):
            if "Limit" in limit:
                assert not re.search(r"->  Sort", below), steps


@pytest.mark.sqlite_only
def test_people_are_found_by_their_address(tenant: Tenant, ids: dict[str, Any], statements: list[Statement]) -> None:
    filters = {"user_email_exact": ids["{email}"]}
    record_pages.filtered_record_page(tenant.pk, filters, [], limit=50, offset=0)
    steps = "\n".join(plans.steps(*statements[0]))
    assert "INDEX user_email (tenant_id=? AND email=?)" in steps
    assert "INDEX device_user (user_id=?)" in steps
