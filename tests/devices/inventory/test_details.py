import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.audit.events import Actor
from access.people.tenants import create_tenant
from devices.fleet.facts import DETAIL_FIELDS
from devices.inventory.detail_shapes import skeleton
from devices.inventory.details import details
from devices.models import Blueprint, Device, DeviceInventory, DirectoryIntegration, Platform, Tag, User
from tests.contract import OPERATIONS

APPLE = {Platform.MAC, Platform.IPAD, Platform.IPHONE, Platform.APPLE_TV}
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def device(platform: str, *, reported: dict[str, Any] | None = None, assigned: bool = True, **fields: Any) -> Device:
    tenant = create_tenant(name="Accuhive", subdomain="accuhive", actor=Actor.command("test"))
    integration = DirectoryIntegration.objects.create(tenant=tenant, name="Directory", type="okta")
    made = Device.objects.create(
        tenant=tenant,
        platform=platform,
        **{
            "name": "Ana's device",
            "serial_number": "C02XYZ",
            "model": "Model X",
            "os_version": "15.1",
            "asset_tag": "A1",
            "blueprint": Blueprint.objects.create(tenant=tenant, name="Everyone"),
            "user": User.objects.create(
                tenant=tenant, name="Ana", email="ana@accuhive.example", integration=integration, created_at=MOMENT
            )
            if assigned
            else None,
            "mac_address": "A4:83:E7:00:00:01",
            "first_enrollment": MOMENT,
            "last_enrollment": MOMENT,
            "last_check_in": MOMENT,
            **fields,
        },
    )
    made.tags.set([Tag.objects.create(tenant=tenant, name=name) for name in ("b", "a")])
    if reported is not None:
        DeviceInventory.objects.create(device=made, details=reported)
    return Device.objects.complete().get()


@pytest.mark.parametrize("platform", Platform.values)
def test_the_empty_shape_has_the_keys_of_the_contract(platform: str) -> None:
    variants = OPERATIONS["get_device_details"]["response_shape"]["$variants"]
    expected = variants["iPad" if platform == "iPhone" else platform]
    shape = skeleton(platform)
    assert list(shape) == list(expected)
    for section, keys in expected.items():
        assert type(shape[section]) is type(keys)
        if shape[section] or section not in {"cellular", "apple_business_manager", "automated_device_enrollment"}:
            assert list(shape[section]) == (list(keys) if isinstance(keys, dict) else [])


def test_the_empty_shape_is_the_callers_own() -> None:
    skeleton("Mac")["users"]["regular_users"].append(1)
    assert skeleton("Mac")["users"]["regular_users"] == []


@pytest.mark.parametrize("platform", Platform.values)
def test_every_detail_field_is_in_the_shape(platform: str) -> None:
    shape = skeleton(platform)
    assert [field for _, field in DETAIL_FIELDS[platform] if field.key not in shape[field.section]] == []


@pytest.mark.django_db
@pytest.mark.parametrize("platform", Platform.values)
def test_what_the_row_says(platform: str) -> None:
    subject = device(platform, agent_installed=True, filevault_enabled=True)
    with CaptureQueriesContext(connection) as queries:
        answer = details(subject)
    assert len(queries) == 0
    json.dumps(answer)  # every value is JSON already
    user = subject.user
    assert user is not None
    assert (
        answer["general"]
        | {
            "device_id": str(subject.uuid),
            "device_name": "Ana's device",
            "platform": platform,
            "os_version": "15.1",
            "asset_tag": "A1",
            "first_enrollment": "2026-01-02 03:04:05.000006+00:00",
            "last_enrollment": "2026-01-02 03:04:05.000006+00:00",
            "blueprint_name": "Everyone",
            "blueprint_uuid": str(subject.blueprint.uuid),
            "assigned_user": {
                "email": "ana@accuhive.example",
                "name": "Ana",
                "id": str(user.uuid),
                "is_archived": False,
            },
        }
        == answer["general"]
    )
    assert answer["tags"] == ["a", "b"]
    if platform in APPLE:
        assert answer["mdm"]["mdm_enabled"] == "True"
        assert answer["mdm"]["last_check_in"] == "2026-01-02 03:04:05.000006+00:00"
        assert answer["kandji_agent"]["agent_installed"] == "True"
        assert answer["kandji_agent"]["last_check_in"] == "2026-01-02T03:04:05.000006Z"
        assert answer["hardware_overview"]["serial_number"] == "C02XYZ"
        assert answer["filevault"]["filevault_enabled"] is True


@pytest.mark.django_db
def test_the_names_of_windows() -> None:
    answer = details(device("Windows", agent_installed=True, agent_version="1.2"))
    assert answer["general"]["device_model"] == "Model X"
    assert answer["hardware_overview"]["smbios_serial_number"] == "C02XYZ"
    assert answer["kandji_agent"] == {
        "is_agent_installed": True,
        "install_date": None,
        "last_check_in_datetime": "2026-01-02T03:04:05.000006Z",
        "version": "1.2",
    }


@pytest.mark.django_db
def test_the_names_of_android() -> None:
    answer = details(device("Android", api_level="35", security_patch_level="2026-01-05"))
    general = answer["general"]
    assert (general["model_name"], general["serial_number"]) == ("Model X", "C02XYZ")
    assert (general["api_level"], general["security_patch_level"]) == ("35", "2026-01-05")
    assert answer["hardware"]["wifi_mac_address"] == "A4:83:E7:00:00:01"


@pytest.mark.django_db
@pytest.mark.parametrize("platform", Platform.values)
def test_nobody_assigned_and_never_seen(platform: str) -> None:
    answer = details(device(platform, assigned=False, last_check_in=None))
    assert answer["general"]["assigned_user"] == ("" if platform in APPLE else None)
    if platform in APPLE:
        assert answer["mdm"]["last_check_in"] == ""
        assert answer["kandji_agent"]["last_check_in"] is None
        assert answer["filevault"]["filevault_enabled"] is None


@pytest.mark.django_db
def test_the_row_overrides_the_report_and_the_report_overrides_the_empty_shape() -> None:
    reported = {
        "general": {"device_name": "old name", "boot_volume": "Macintosh HD", "new_key": 1},
        "mdm": {"mdm_enabled": "False", "supervised": "True"},
        "volumes": [{"name": "Macintosh HD"}],
        "users": "what no device ever sent",
        "network": None,
        "tags": ["old"],
        "new_section": {"x": [1]},
    }
    answer = details(device("Mac", reported=reported))
    assert answer["general"]["device_name"] == "Ana's device"
    assert answer["general"]["boot_volume"] == "Macintosh HD"
    assert answer["general"]["last_user"] == ""
    assert answer["general"]["new_key"] == 1
    assert answer["mdm"] == {
        "mdm_enabled": "True",
        "supervised": "True",
        "install_date": "",
        "last_check_in": "2026-01-02 03:04:05.000006+00:00",
        "mdm_enabled_user": [],
    }
    assert answer["volumes"] == [{"name": "Macintosh HD"}]
    assert answer["users"] == {"regular_users": [], "system_users": []}
    assert answer["network"]["mac_address"] == "A4:83:E7:00:00:01"
    assert answer["tags"] == ["a", "b"]
    assert answer["new_section"] == {"x": [1]}
