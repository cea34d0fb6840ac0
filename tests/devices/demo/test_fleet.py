import re
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from access.audit.events import Actor
from access.models import Tenant
from access.people.tenants import create_tenant
from devices.commands import COMMANDS
from devices.demo.fleet import demo_fleet, load_demo_fleet
from devices.enrollment.ade_lease import Lease
from devices.fleet import records
from devices.fleet.secrets import read_secrets
from devices.models import (
    Device,
    DeviceActivity,
    DeviceCommand,
    DeviceNote,
    DeviceSecret,
    LibraryItem,
    Platform,
    RoutingActivity,
)

# The quick start loads it, and that is on SQLite.
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

ACTOR = Actor.command("test")
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def fleet(count: int = 400) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return list(demo_fleet(count, now=NOW))


def test_a_seed_gives_one_fleet() -> None:
    assert fleet(50) == fleet(400)[:50]
    assert list(demo_fleet(50, seed=2, now=NOW)) != fleet(50)


def test_it_is_made_as_it_is_asked_for() -> None:
    assert len(list(islice(demo_fleet(10**9), 3))) == 3


def test_it_is_believable() -> None:
    records = [record for record, _ in fleet(2000)]
    platforms = Counter(record["platform"] for record in records)
    assert 0.50 < platforms["Mac"] / 2000 < 0.60
    assert 0.20 < platforms["iPhone"] / 2000 < 0.30
    assert set(platforms) == {"Mac", "iPhone", "iPad", "AppleTV", "Windows", "Android"}
    assert 0.04 < sum(not record["user"] for record in records) / 2000 < 0.14
    assert 0.005 < sum(not record["last_check_in"] for record in records) / 2000 < 0.04
    for name in ("device_id", "serial_number", "asset_tag"):
        values = [record[name] for record in records if record[name]]
        assert len(set(values)) == len(values)
    people = {record["user"]["id"]: record["user"] for record in records if record["user"]}
    assert len({person["email"] for person in people.values()}) == len(people)
    assert all(re.fullmatch(r"[a-z0-9.]+@accuhive\.example", person["email"]) for person in people.values())
    assert any(not person["name"].isascii() for person in people.values())
    assert any(len(person["name"]) > 30 for person in people.values())
    for record in records:
        assert record["first_enrollment"] <= record["last_enrollment"] <= "2026-11-01 12:00:00"
        assert (record["last_check_in"] or "") <= "2026-11-01T12:00:00"


@pytest.fixture
def tenant(db: None) -> Tenant:
    return create_tenant(name="Accuhive", subdomain="accuhive", actor=ACTOR)


def test_loading_it(tenant: Tenant) -> None:
    report = load_demo_fleet(tenant=tenant, actor=ACTOR, count=300)
    assert (report.created, report.skipped) == (300, 0)
    assert tenant.devices.filter(inventory__isnull=False).count() == 300
    assert 5 <= report.counts["blueprints"] <= 8
    assert not tenant.users.filter(department=None).exists()
    assert not Device.objects.exclude(tenant=tenant).exists()
    assert not list(records.outdated(tenant.devices.values_list("pk", flat=True)))


def test_what_its_devices_hold(tenant: Tenant) -> None:
    load_demo_fleet(tenant=tenant, actor=ACTOR, count=200)
    for device in tenant.devices.select_related("inventory", "blueprint"):
        inventory, mac = device.inventory, device.platform == Platform.MAC
        if mac:
            assert 20 <= len(inventory.apps) <= 60
        elif device.platform != Platform.APPLE_TV:
            assert inventory.apps
        assert bool(inventory.parameters) == (mac and device.last_check_in is not None)
        assigned = set(device.blueprint.assignments.values_list("library_item", flat=True))
        reported = set(device.library_statuses.values_list("item", flat=True))
        assert bool(reported) == (device.last_check_in is not None)
        assert reported <= assigned


def test_how_its_company_is_set_up(tenant: Tenant) -> None:
    load_demo_fleet(tenant=tenant, actor=ACTOR, count=200)
    blueprints = tenant.blueprints.all()
    codes = [*(blueprint.enrollment_code for blueprint in blueprints), tenant.blueprint_routing.enrollment_code]
    assert len(set(codes)) == len(codes) == len(blueprints) + 1
    assert all(re.fullmatch(r"\d{6}", code) for code in codes)
    map_ = tenant.blueprints.get(type="map")
    assert map_.nodes.count() == 3
    assert not map_.assignments.filter(node=None).exists()
    assert (
        tenant.blueprints.exclude(pk=map_.pk).filter(assignments__node=None).distinct().count() == len(blueprints) - 1
    )
    types = set(tenant.routing_activity.values_list("activity_type", flat=True))
    assert types == {"enrollment_settings_changed", "routing_departure", "computer_enrollment"}


def test_its_bulk_actions(tenant: Tenant) -> None:
    load_demo_fleet(tenant=tenant, actor=ACTOR, count=200)
    actions = tenant.bulk_actions.all()
    assert {action.kind for action in actions} == {"command", "add_tag", "assign_item"}
    for action in actions:
        counts = Counter(action.results.values_list("status", flat=True))
        assert counts == {"done": action.done, "skipped": action.skipped}
        assert (action.queued, action.failed, bool(action.ended_at)) == (0, 0, True)
        targets = tenant.library_items if action.of_items else tenant.devices
        uuids = action.results.values_list("target_uuid", flat=True)
        assert targets.filter(uuid__in=list(uuids)).count() == action.total > 1


def test_its_devices_from_apple(tenant: Tenant) -> None:
    load_demo_fleet(tenant=tenant, actor=ACTOR, count=200)
    works, broken = tenant.ade_integrations.order_by("server_name")
    assert (works.status, broken.status, broken.devices.count()) == ("SUCCESS", "BROKEN", 0)
    known = {device.serial_number: device for device in tenant.devices.all()}
    rows = list(tenant.ade_devices.all())
    enrolled = [row for row in rows if row.serial_number in known]
    assert 60 < len(enrolled) < 200
    assert 5 < len(rows) - len(enrolled) < 30
    for row in enrolled:
        device = known[row.serial_number]
        assert (row.device_family, row.user) == (device.platform, device.user)
        assert row.use_blueprint_routing or row.blueprint == device.blueprint
    assert {row.profile_status for row in rows} == {"pushed", "assigned", "empty"}
    # Workers do not send the tokens of the demo to Apple.
    assert Lease.take(works.pk) is None
    assert Lease.take(broken.pk) is None


def test_what_happened_to_its_devices(tenant: Tenant) -> None:
    load_demo_fleet(tenant=tenant, actor=ACTOR, count=200)
    now = datetime.now(UTC)
    for command in DeviceCommand.objects.filter(tenant=tenant).select_related("device"):
        assert command.device.platform in COMMANDS[command.command].platforms
        assert command.status in {DeviceCommand.Status.COMPLETED, DeviceCommand.Status.FAILED}
        assert command.date_requested < command.last_pushed < command.date_completed < now  # type: ignore[operator]
    happened = DeviceActivity.objects.filter(tenant=tenant)
    assert {"enrollment", "name_changed", "mdm_command_completed", "mdm_command_failed", "routing_arrival"} <= set(
        happened.values_list("action_type", flat=True)
    )
    assert happened.values("device").distinct().count() == 200
    assert 5 < tenant.device_notes.count() < 40
    assert not tenant.device_notes.filter(created_at__gt=now).exists()
    lost = tenant.devices.filter(lost_mode__status="enabled")
    assert {device.platform for device in lost} == {"iPhone", "iPad"}
    assert {device.lost_mode_status for device in lost} == {"enabled"}


def test_demo_secrets_are_encrypted_like_real_ones(tenant: Tenant) -> None:
    load_demo_fleet(tenant=tenant, actor=ACTOR, count=60)
    kinds = DeviceSecret.Kind
    macs = tenant.devices.filter(platform=Platform.MAC)
    for device in macs:
        assert device.secrets.filter(kind=kinds.FILEVAULT_KEY).exists() == device.filevault_enabled
    mac = macs.filter(filevault_enabled=True).order_by("pk")[0]
    key, password = read_secrets(
        tenant=tenant, device_id=mac.uuid, kinds=[kinds.FILEVAULT_KEY, kinds.RECOVERY_PASSWORD], actor=ACTOR
    )
    assert re.fullmatch(r"([A-Z2-9]{4}-){5}[A-Z2-9]{4}", str(key))
    assert str(key).encode() not in bytes(mac.secrets.get(kind=kinds.FILEVAULT_KEY).ciphertext)
    assert password


def test_a_second_import_changes_no_history(tenant: Tenant) -> None:
    def counts() -> list[int]:
        return [
            model.objects.filter(tenant=tenant).count()
            for model in (DeviceActivity, DeviceCommand, DeviceNote, DeviceSecret, LibraryItem, RoutingActivity)
        ]

    load_demo_fleet(tenant=tenant, actor=ACTOR, count=40)
    before = counts()
    report = load_demo_fleet(tenant=tenant, actor=ACTOR, count=40)
    assert (report.created, report.skipped) == (0, 0)
    assert counts() == before


def test_only_the_first_devices_of_a_large_fleet_have_a_past(tenant: Tenant) -> None:
    load_demo_fleet(tenant=tenant, actor=ACTOR, count=30, complete=10)
    assert tenant.devices.exclude(inventory__apps=[]).count() <= 10
    assert tenant.devices.filter(activity__isnull=False).distinct().count() == 10


def test_two_tenants_have_the_same_fleet_under_ids_of_their_own(tenant: Tenant) -> None:
    other = create_tenant(name="Other", subdomain="other", actor=ACTOR)
    for each in (tenant, other):
        load_demo_fleet(tenant=each, actor=ACTOR, count=30, now=NOW)
    for rows in ("devices", "users", "blueprints"):
        ids = [set(getattr(each, rows).values_list("uuid", flat=True)) for each in (tenant, other)]
        assert len(ids[0]) == len(ids[1]) > 0
        assert not ids[0] & ids[1]
    columns = ("name", "serial_number", "model", "os_version", "asset_tag", "user__name", "blueprint__name")
    fleets = [list(each.devices.order_by("pk").values_list(*columns)) for each in (tenant, other)]
    assert fleets[0] == fleets[1]
