"""The changes that a report makes, and the stored numbers of rows that all totals use."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext

from access.audit.events import Actor
from access.models import Tenant
from devices.fleet.devices import delete_device
from devices.models import Device, PrismReport, PrismTotal
from devices.models.prism.categories import CATEGORIES
from devices.models.prism.tables import CONTENTS, ROWS
from devices.prism.rows import store_rows
from devices.prism.upkeep import delete_unused_contents
from tests.devices.prism.reports import REPORTED, app, fleet_with_apps, report
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db

LATER = REPORTED + timedelta(days=1)
APPS, APP_CONTENTS = ROWS["apps"], CONTENTS["apps"]


def rows() -> list[dict[str, Any]]:
    return list(
        APPS.objects.order_by("pk").values("pk", "content__name", "content__version", "created_at", "updated_at")
    )


def assert_numbers_are_right(tenant: Tenant) -> None:
    for category in CATEGORIES:
        table = ROWS[category].objects.filter(tenant=tenant)
        total = PrismTotal.objects.filter(tenant=tenant, category=category).values_list("row_count", flat=True).first()
        assert (total or 0) == table.count()
        for path, counted in (
            ("content", CONTENTS[category].objects.filter(tenant=tenant)),
            ("report", PrismReport.objects.filter(tenant=tenant, category=category)),
        ):
            found = dict(table.order_by().values_list(path).annotate(n=Count("pk")))
            stored = dict(counted.exclude(row_count=0).values_list("pk", "row_count"))
            assert stored == found, (category, path)


def test_the_same_report_twice_changes_nothing_but_its_moment(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    assert report(device, app("Slack"), app("Zoom")) == 2
    before = rows()
    assert report(device, app("Zoom"), app("Slack"), at=LATER) == 0
    assert rows() == before
    assert PrismReport.objects.get().collected_at == LATER


def test_a_row_keeps_its_number_and_its_creation_while_its_values_change(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    report(device, app("Slack", "1.0"), app("Zoom"))
    slack, zoom = rows()
    assert report(device, app("Slack", "2.0"), app("Zoom"), at=LATER) == 1
    changed, unchanged = rows()
    assert unchanged == zoom
    assert changed == {**slack, "content__version": "2.0", "updated_at": LATER}


def test_what_is_not_reported_again_is_deleted_unless_it_is_a_part_of_a_report(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    report(device, app("Slack"), app("Zoom"))
    assert report(device, app("Arc"), whole=False) == 1
    assert [row["content__name"] for row in rows()] == ["Slack", "Zoom", "Arc"]
    assert report(device, app("Arc")) == 2
    assert [row["content__name"] for row in rows()] == ["Arc"]
    assert_numbers_are_right(tenant)


def test_rows_with_the_same_natural_key_are_all_there(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    certificates = [{"common_name": "CA", "identity_certificate": False}] * 3
    report(device, *certificates, category="certificates")
    assert report(device, *certificates, category="certificates") == 0
    assert ROWS["certificates"].objects.count() == 3


def test_devices_share_what_they_report_alike(tenant: Tenant, other_tenant: Tenant) -> None:
    fleet_with_apps(tenant, 3, "Slack", "Zoom")
    fleet_with_apps(other_tenant, 1, "Slack")
    assert APPS.objects.filter(tenant=tenant).count() == 6
    assert APP_CONTENTS.objects.filter(tenant=tenant).count() == 2
    assert APP_CONTENTS.objects.filter(tenant=other_tenant).count() == 1


def test_the_numbers_are_right_whatever_is_reported(tenant: Tenant) -> None:
    random = Random(5)
    devices = DeviceFactory.create_batch(4, tenant=tenant)
    names = ("Slack", "Zoom", "Arc", "Zed", "Figma")
    for step in range(25):
        reporting = random.sample(devices, random.randint(1, 4))
        store_rows(
            tenant=tenant,
            category="apps",
            reports={
                device.pk: [app(name, str(random.randint(1, 2))) for name in random.sample(names, random.randint(0, 4))]
                for device in reporting
            },
            collected_at=REPORTED + timedelta(hours=step),
            whole=random.random() < 0.8,
        )
        assert_numbers_are_right(tenant)
    delete_device(tenant=tenant, device_id=devices[0].uuid, actor=Actor.command("test"))
    assert_numbers_are_right(tenant)
    assert not PrismReport.objects.filter(device=devices[0].pk).exists()


def test_contents_without_rows_are_deleted_and_no_others(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    report(device, app("Slack", "1.0"), app("Zoom"))
    report(device, app("Slack", "2.0"), app("Zoom"))
    assert APP_CONTENTS.objects.filter(row_count=0).count() == 1
    delete_unused_contents.call()
    assert set(APP_CONTENTS.objects.values_list("name", "version")) == {("Slack", "2.0"), ("Zoom", "1.0")}
    report(device, app("Slack", "1.0"))  # used again
    assert_numbers_are_right(tenant)


@pytest.mark.parametrize(
    "odd",
    [
        {"name": None, "bundle_size": "many", "beta_app": "perhaps", "path": ["a"]},
        {"name": "a\0b", "bundle_size": 10**30, "path": "x", "info": {"a": "\0"}},
        {"name": 7, "bundle_size": float("inf"), "version": {"major": 1}, "unknown": 1},
        {},
    ],
)
def test_odd_values_are_stored_as_empty_ones(tenant: Tenant, odd: dict[str, Any]) -> None:
    device = DeviceFactory.create(tenant=tenant)
    report(device, odd)
    (content,) = APP_CONTENTS.objects.all()
    assert (content.bundle_size, content.beta_app, content.extra) == (None, None, {})
    assert content.name == {"a\0b": "ab", 7: "7"}.get(odd.get("name"), "")


def test_values_of_unknown_type_are_kept(tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant)
    report(device, app("Slack", info={"a": [1]}, apple_scriptable=False))
    assert APP_CONTENTS.objects.get().extra == {"info": {"a": [1]}, "apple_scriptable": False}


def test_what_differs_from_device_to_device_is_no_content(tenant: Tenant) -> None:
    daemon: dict[str, Any]
    for pid in (100, 200):
        daemon = {"path": "/a.plist", "label": "a", "pid": pid, "domain": {"daemon": {}}}
        report(DeviceFactory.create(tenant=tenant), daemon, category="launch_agents_and_daemons")
    assert CONTENTS["launch_agents_and_daemons"].objects.count() == 1
    device = Device.objects.latest("pk")
    daemon = {"path": "/a.plist", "label": "a", "pid": None, "domain": {"daemon": {}}}
    assert report(device, daemon, category="launch_agents_and_daemons") == 1
    stored = ROWS["launch_agents_and_daemons"].objects.order_by("pk").values_list("pid", "domain")
    assert list(stored) == [(100, {"daemon": {}}), (None, {"daemon": {}})]


def test_reports_of_many_devices_take_as_many_statements_as_those_of_two(tenant: Tenant) -> None:
    def statements(devices: list[Device], version: str) -> int:
        reports = {device.pk: [app("Slack", version), app("Zoom")] for device in devices}
        with CaptureQueriesContext(connection) as queries:
            store_rows(tenant=tenant, category="apps", reports=reports, collected_at=REPORTED)
        return len(queries)

    fleet_with_apps(tenant, 1, "Slack", "Zoom")
    first, second, *others = DeviceFactory.create_batch(12, tenant=tenant)
    new, changed = statements([first, second], "1.0"), statements([first, second], "2.0")
    assert statements(others, "1.0") <= new
    assert statements(others, "2.0") <= changed
    assert_numbers_are_right(tenant)
