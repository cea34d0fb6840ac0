"""Rows that follow from imports: of a device's record, its details and its list of apps."""

from typing import Any

import pytest

from access.audit.events import Actor
from access.models import Tenant
from devices.demo.fleet import demo_fleet, load_demo_fleet
from devices.demo.inventory import demo_lists
from devices.imports.devices import import_devices
from devices.models import Device, Platform
from devices.models.prism.categories import CATEGORIES
from devices.prism.search import Row, as_row, find

pytestmark = pytest.mark.django_db

COMMAND = Actor.command("test")


def rows(tenant: Tenant, category: str) -> list[Row]:
    search = find(tenant=tenant, category=CATEGORIES[category])
    return [as_row(search.category, fields) for fields in search.fields(search.at(0, 1000))]


def imported(tenant: Tenant, *documents: Any) -> Device:
    report = import_devices(tenant=tenant, rows=enumerate(documents), actor=COMMAND)
    assert not report.skipped, report.problems
    return Device.objects.get(tenant=tenant)


def a_device(platform: Platform) -> tuple[dict[str, Any], dict[str, Any]]:
    return next((record, details) for record, details in demo_fleet(60) if record["platform"] == platform)


def test_the_apps_of_a_device_are_rows(tenant: Tenant) -> None:
    record, _ = a_device(Platform.MAC)
    document = next(demo_lists(record))
    imported(tenant, record, document)
    (row,) = (row for row in rows(tenant, "apps") if row["name"] == "Safari")
    reported = next(app for app in document["apps"] if app["app_name"] == "Safari")
    assert (row["path"], row["bundle_id"], row["version"]) == (
        reported["path"],
        "com.apple.Safari",
        reported["version"],
    )
    assert row["bundle_size"] == int(reported["bundle_size"])
    assert (row["obtained_from"], row["app_store_vendable"]) == ("Apple", None)

    newer = {**document, "apps": [{**app, "version": "99"} for app in document["apps"] if app["app_name"] == "Safari"]}
    imported(tenant, newer)
    (after,) = rows(tenant, "apps")
    assert (after["version"], after["created_at"]) == ("99", row["created_at"])
    assert after["updated_at"] > row["updated_at"]


def test_the_details_of_a_mac_are_rows(tenant: Tenant) -> None:
    record, details = a_device(Platform.MAC)
    device = imported(tenant, record, details)
    (information,) = rows(tenant, "device_information")
    assert (information["os_version"], information["model"]) == (device.os_version, device.model)
    assert information["local_hostname"] == details["network"]["local_hostname"]
    assert (information["apple_silicon"], information["shared_ipad"]) == (True, None)
    assert f"{information['device_capacity']} GB" == details["volumes"][0]["capacity"]
    (filevault,) = rows(tenant, "filevault")
    assert filevault["status"] == details["filevault"]["filevault_enabled"]
    assert {row["payload_identifier"] for row in rows(tenant, "installed_profiles")} == {
        profile["identifier"] for profile in details["installed_profiles"]
    }
    users = {row["username"]: row["uid"] for row in rows(tenant, "local_users")}
    assert users[details["mdm"]["mdm_enabled_user"][0]] == 501
    assert "root" not in users  # a system account


def test_a_record_that_changes_changes_the_rows_that_follow_from_it(tenant: Tenant) -> None:
    record, details = a_device(Platform.MAC)
    imported(tenant, record, details)
    before = rows(tenant, "filevault")[0]["status"]
    imported(tenant, {**record, "device_name": "Renamed", "filevault_enabled": not before, "os_version": "26.9"})
    (filevault,) = rows(tenant, "filevault")
    (information,) = rows(tenant, "device_information")
    assert (filevault["status"], filevault["device__name"]) == (not before, "Renamed")
    assert (information["os_version"], information["display_os_version"]) == ("26.9", "26.9")
    assert (information["marketing_name"], information["local_hostname"]) == (
        "Tahoe",
        details["network"]["local_hostname"],  # still known, although the details were not imported again
    )


def test_a_family_has_no_rows_of_a_category_that_is_not_for_it(tenant: Tenant) -> None:
    record, details = a_device(Platform.WINDOWS)
    imported(tenant, record, details, *demo_lists(record))
    assert not any(rows(tenant, name) for name in CATEGORIES)


def test_the_same_import_twice_leaves_every_row_as_it_is(tenant: Tenant) -> None:
    record, details = a_device(Platform.IPAD)
    documents = (record, details, *demo_lists(record))
    imported(tenant, *documents)
    before = {name: rows(tenant, name) for name in CATEGORIES}
    imported(tenant, *documents)
    assert {name: rows(tenant, name) for name in CATEGORIES} == before


def test_the_demo_fleet_has_rows_of_every_category(tenant: Tenant) -> None:
    load_demo_fleet(tenant=tenant, actor=COMMAND, count=60)
    assert [name for name in CATEGORIES if not rows(tenant, name)] == []
