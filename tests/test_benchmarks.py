"""The fleets of the benchmarks: what is measured there holds for what an import writes."""

import orjson

from access.audit.events import Actor
from access.models import Tenant
from devices.fleet import records
from devices.imports.devices import import_devices
from devices.models import Device, Fleet
from tests.benchmarks.rows import documents, fill
from tests.types import Call, IssueToken

COUNT = 80  # some of each platform


def columns(tenant: Tenant) -> list[dict[str, object]]:
    own = [field.name for field in Device._meta.concrete_fields if field.name not in {"id", "tenant"}]
    shared = {"blueprint": "blueprint__uuid", "user": "user__uuid"}
    rows = tenant.devices.order_by("pk").values(*(shared.get(name, name) for name in own))
    return [dict(row) for row in rows]


def test_a_fleet_has_the_rows_of_an_import(
    tenant: Tenant, other_tenant: Tenant, api: Call, issue_token: IssueToken
) -> None:
    rows = list(documents(COUNT))
    assert fill(tenant, rows) == COUNT
    import_devices(tenant=other_tenant, rows=enumerate(rows), actor=Actor.command("test"))

    built, imported = columns(tenant), columns(other_tenant)
    assert len(built) == COUNT
    assert built == imported
    for name in ("device_count", "extended_records"):
        assert getattr(Fleet.objects.get(tenant=tenant), name) == getattr(Fleet.objects.get(tenant=other_tenant), name)
    assert list(records.outdated(tenant.devices.values_list("pk", flat=True))) == []

    token = issue_token("list_devices", "get_device")
    answer = api("GET", "/api/v1/devices", token)
    shown = orjson.loads(answer.content)
    assert shown == [orjson.loads(str(row["record_json"])) for row in imported]
    assert answer.headers["X-Total-Count"] == str(COUNT)
    one = api("GET", f"/api/v1/devices/{shown[7]['device_id']}", token)
    assert orjson.loads(one.content) == shown[7]


def test_a_fleet_is_varied(tenant: Tenant) -> None:
    fill(tenant, documents(400))
    devices = tenant.devices
    assert len(set(devices.values_list("platform", flat=True))) == 6
    assert len(set(devices.values_list("os_version", flat=True))) > 10
    assert tenant.blueprints.count() > 30
    assert tenant.tags.count() > 20
    assert tenant.users.count() > 150
    for empty in ({"user": None}, {"asset_tag": ""}, {"mac_address": ""}):
        assert 0 < devices.filter(**empty).count() < 400
