"""An answer that says what the last one said is stored again where something else was stored in between."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.tenant.prism import write_prism_rows
from devices.models import Device, DeviceInventory, Platform, PrismReport
from devices.models.prism.tables import ROWS
from tests.devices.commands.internal.answering import answer, apps, information, security
from tests.devices.imports.importing import load
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def mac(tenant: Tenant) -> Device:
    mac = DeviceFactory.create(tenant=tenant, name="Desk", model="Mac15,3", serial_number="C02REPORTED")
    answer(mac, "device_information", information(Platform.MAC))
    answer(mac, "installed_applications", apps("Slack", "Zoom"))
    return mac


def said(mac: Device) -> tuple[Any, ...]:
    """What is stored of the answers."""
    mac.refresh_from_db()
    inventory = DeviceInventory.objects.get(device=mac)
    rows = {
        category: list(
            ROWS[category].objects.filter(report__device=mac).order_by("content__key").values_list("content__digest")
        )
        for category in ("apps", "device_information")
    }
    return mac.name, mac.os_version, inventory.details["hardware_overview"], inventory.apps, rows


def say_again(mac: Device) -> None:
    answer(mac, "device_information", information(Platform.MAC))
    answer(mac, "installed_applications", apps("Slack", "Zoom"))


def test_after_an_import_of_the_device(mac: Device, tenant: Tenant) -> None:
    before = said(mac)
    load(
        tenant,
        {"device_id": str(mac.uuid), "device_name": "Old name", "os_version": "14.0"},
        {
            "general": {"device_id": str(mac.uuid), "platform": "Mac"},
            "hardware_overview": {"model_identifier": "Mac14,2"},
        },
        {"device_id": str(mac.uuid), "apps": [{"app_name": "Arc", "bundle_id": "company.arc", "version": "1"}]},
    )
    imported = said(mac)
    assert [now for now, then in zip(imported, before, strict=True) if now == then] == [], "it is about all of it"
    say_again(mac)
    assert said(mac)[:2] == before[:2]
    assert said(mac)[2]["model_identifier"] == before[2]["model_identifier"]
    assert [app["app_name"] for app in said(mac)[3]] == ["Slack", "Zoom"]
    assert said(mac)[4] == before[4]


def test_after_an_import_of_rows_of_prism(mac: Device, tenant: Tenant) -> None:
    before = said(mac)
    row = {"device_id": str(mac.uuid), "name": "Arc", "bundle_id": "company.arc", "version": "1"}
    write_prism_rows(tenant=tenant, category="apps", rows=[row], actor=Actor.command("tests"))
    assert said(mac) != before
    say_again(mac)
    assert said(mac) == before


def test_after_a_person_has_named_the_device(mac: Device) -> None:
    before = said(mac)
    mac.name = "Reception desk"
    mac.save(update_fields=["name"])
    say_again(mac)
    assert said(mac) == before


def test_an_answer_between_two_that_are_the_same_is_not_forgotten(mac: Device) -> None:
    before = said(mac)
    answer(mac, "installed_applications", apps("Slack"))
    assert said(mac) != before
    say_again(mac)
    assert said(mac) == before


@pytest.mark.parametrize("what", ["another version", "another enrollment"])
def test_after_what_may_change_the_rows(mac: Device, what: str) -> None:
    reports = PrismReport.objects.filter(device=mac, category="apps")
    before = reports.get().collected_at
    answer(mac, "installed_applications", apps("Slack", "Zoom"))
    assert reports.get().collected_at == before
    if what == "another enrollment":
        mac.last_enrollment += timedelta(days=1)
        mac.save(update_fields=["last_enrollment"])
    inventory = DeviceInventory.objects.get(device=mac)
    DeviceInventory.objects.filter(device=mac).update(apps=[])
    with override_settings(VERSION="0.0.1" if what == "another version" else settings.VERSION):
        answer(mac, "installed_applications", apps("Slack", "Zoom"))
    assert DeviceInventory.objects.get(device=mac).apps == inventory.apps


def test_a_security_answer_leaves_the_others_known(mac: Device) -> None:
    answers = DeviceInventory.objects.get(device=mac).answers
    answer(mac, "security_info", security())
    now = DeviceInventory.objects.get(device=mac).answers
    assert answers.items() < now.items()
    assert {"security_info", "prism.filevault", "prism.startup_settings", "prism.application_firewall"} <= now.keys()
