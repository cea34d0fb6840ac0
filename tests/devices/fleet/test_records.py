import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count

from access.audit.events import Actor
from access.models import Tenant
from access.people.tenants import create_tenant
from devices.blueprints.blueprints import update_blueprint
from devices.demo.fleet import demo_fleet
from devices.fleet import records
from devices.fleet.facts import columns_of
from devices.fleet.tags import delete_tag, rename_tag
from devices.imports.devices import import_devices
from devices.models import Device, Fleet, Tag
from tests.types import RunTasks

pytestmark = pytest.mark.django_db

ACTOR = Actor.command("test")


@pytest.fixture
def tenant() -> Tenant:
    tenant = create_tenant(name="Accuhive", subdomain="accuhive", actor=ACTOR)
    macs = [
        record for record, _ in demo_fleet(60, now=datetime(2026, 11, 1, tzinfo=UTC)) if record["platform"] == "Mac"
    ]
    import_devices(tenant=tenant, rows=enumerate(macs[:20]), actor=ACTOR)
    return tenant


def pks(tenant: Tenant) -> list[int]:
    return list(tenant.devices.order_by("pk").values_list("pk", flat=True))


def record_of(device: Device) -> dict[str, Any]:
    device.refresh_from_db(fields=["record_json"])
    record: dict[str, Any] = json.loads(device.record_json)
    return record


def test_an_object_and_its_row_render_to_the_same_text(tenant: Tenant) -> None:
    for device in tenant.devices.select_related("blueprint", "user").prefetch_related("tags"):
        tags = [tag.name for tag in device.tags.all()]
        assert records.render(columns_of(device), tags, extended=False) == device.record_json


def test_only_outdated_records_are_rewritten(tenant: Tenant) -> None:
    assert records.refresh(pks(tenant)) == 0
    device = tenant.devices.order_by("pk")[3]
    Device.objects.filter(pk=device.pk).update(asset_tag="new")
    assert [pk for pk, _ in records.outdated(pks(tenant))] == [device.pk]
    assert records.refresh(pks(tenant)) == 1
    assert record_of(device)["asset_tag"] == "new"


def test_tags_are_part_of_it(tenant: Tenant) -> None:
    device = tenant.devices.order_by("pk")[0]
    device.tags.set([Tag.objects.create(tenant=tenant, name=name) for name in ("ß", "B", "a")])
    assert records.refresh([device.pk]) == 1
    assert record_of(device)["tags"] == ["B", "a", "ß"]


def test_extended_records(tenant: Tenant) -> None:
    fleet = Fleet.objects.get(tenant=tenant)
    records.enable_extended_records(fleet)
    for device in tenant.devices.all():
        assert list(record_of(device))[-3:] == ["api_level", "security_patch_level", "full_software_version"]
    assert records.refresh(pks(tenant)) == 0


def test_check_records_finds_a_wrong_record_and_mends_it(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("check_records")
    assert capsys.readouterr().out == "20 records, all up to date.\n"
    device = tenant.devices.order_by("pk")[7]
    Device.objects.filter(pk=device.pk).update(record_json="{}")
    Fleet.objects.filter(tenant=tenant).update(device_count=19)
    with pytest.raises(CommandError):
        call_command("check_records")
    errors = capsys.readouterr().err
    assert f"device {device.pk}: the record is outdated" in errors
    assert "the device count is 19, not 20" in errors
    call_command("check_records", "--fix")
    assert record_of(device)["device_id"] == str(device.uuid)
    assert Fleet.objects.get(tenant=tenant).device_count == 20
    call_command("check_records")


@pytest.mark.django_db(transaction=True)
def test_a_worker_renders_the_records_of_many_devices(
    tenant: Tenant, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "AT_ONCE", 7)
    monkeypatch.setattr(records, "PART", 3)
    blueprint = tenant.blueprints.annotate(n=Count("devices")).filter(n__gt=7).order_by("-n")[0]
    tag = Tag.objects.create(tenant=tenant, name="Old")
    tag.devices.set(tenant.devices.all())
    records.refresh_parts.call(pks(tenant))

    rename_tag(tenant=tenant, tag_id=tag.uuid, name="New", actor=ACTOR)
    update_blueprint(tenant=tenant, blueprint_id=blueprint.uuid, name="Ward", actor=ACTOR)
    assert list(records.outdated(pks(tenant)))
    run_tasks()
    assert not list(records.outdated(pks(tenant)))
    assert record_of(blueprint.devices.all()[0])["tags"][-1] == "New"

    delete_tag(tenant=tenant, tag_id=tag.uuid, actor=ACTOR)
    assert len(list(records.outdated(pks(tenant)))) == 20
    run_tasks()
    assert not list(records.outdated(pks(tenant)))


def test_few_records_are_rendered_with_the_change(tenant: Tenant, run_tasks: RunTasks) -> None:
    blueprint = tenant.blueprints.exclude(devices=None)[0]
    update_blueprint(tenant=tenant, blueprint_id=blueprint.uuid, name="Ward", actor=ACTOR)
    assert not list(records.outdated(pks(tenant)))
    assert run_tasks() == 0
