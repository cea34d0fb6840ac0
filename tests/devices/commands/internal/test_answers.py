"""What a device answers, as the API and Prism show it afterwards."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent, Tenant
from devices.commands import EVERY_COMMAND
from devices.commands.queue import acknowledge, fail
from devices.enrollment.authorities import Purpose, authority
from devices.fleet.secrets import read_secrets
from devices.models import Device, DeviceCommand, DeviceInventory, DeviceSecret, Platform
from devices.models.prism.tables import ROWS
from devices.wire.envelopes import seal_envelope
from tests.devices.commands.internal.answering import (
    CERTIFICATES,
    MANAGED,
    PROFILES,
    USERS,
    answer,
    apps,
    ask,
    information,
    security,
)
from tests.devices.sending import ACTOR, ERROR, send
from tests.factories.access import TenantFactory
from tests.factories.devices import DeviceFactory
from tests.types import Call, IssuedApiToken, IssueToken

pytestmark = pytest.mark.django_db

KEY = "AB12-CD34-EF56-GH78-IJ90-KL12"
CHANGED, UNCHANGED = 40, 1  # statements of one answer, without those of the queue
# These are compared with the items of the device each time, in one statement more.
LIBRARY = {"profile_list", "installed_applications"}


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token("get_device", "get_device_details", "get_device_apps", "prism_device_information", "prism_apps")


@pytest.fixture
def mac(tenant: Tenant) -> Device:
    return DeviceFactory.create(tenant=tenant, name="Desk", model="Mac15,3", serial_number="")


def shown(api: Call, token: IssuedApiToken, device: Device, part: str = "") -> Any:
    answer = api("GET", f"/api/v1/devices/{device.uuid}{part}", token)
    assert answer.status_code == 200, answer.content
    return answer.json()


def prism(device: Device, category: str, *columns: str) -> list[dict[str, Any]]:
    rows = ROWS[category].objects.filter(report__device=device).order_by("content__key")
    return [{name.removeprefix("content__"): getattr_path(row, name) for name in columns} for row in rows]


def getattr_path(row: Any, path: str) -> Any:
    for part in path.split("__"):
        row = row.get(part) if isinstance(row, dict) else getattr(row, part)
    return row


def filevault_key(device: Device) -> str | None:
    (key,) = read_secrets(
        tenant=device.tenant, device_id=device.uuid, kinds=[DeviceSecret.Kind.FILEVAULT_KEY], actor=ACTOR
    )
    return key


# --- DeviceInformation ------------------------------------------------------------------------------------------------


def test_a_mac_says_what_it_is(api: Call, token: IssuedApiToken, mac: Device) -> None:
    row = answer(mac, "device_information", information(Platform.MAC))
    record = shown(api, token, mac)
    assert (record["device_name"], record["serial_number"]) == ("Reception", "C02REPORTED")
    assert (record["model"], record["os_version"]) == ("MacBook Pro", "15.2")
    assert (record["supplemental_build_version"], record["is_missing"]) == ("24C101", False)
    details = shown(api, token, mac, "/details")
    assert details["general"]["system_version"] == "macOS 15.2 (24C101)"
    assert details["mdm"]["supervised"] == "True"
    assert details["hardware_overview"]["model_identifier"] == "Mac15,3"
    assert details["hardware_overview"]["udid"] == "00008103-001A2B3C4D5E6F70"
    assert details["network"]["local_hostname"] == "reception"
    assert details["network"]["mac_address"] == "a4:83:e7:01:02:03"
    assert details["volumes"][0]["capacity"] == "494.38 GB"
    assert details["volumes"][0]["percent_used"] == "76%"
    assert details["activation_lock"]["activation_lock_supported"] is True
    assert details["activation_lock"]["activation_lock_allowed_while_supervised"] is False
    assert prism(mac, "device_information", "host_name", "content__apple_silicon", "content__device_capacity") == [
        {"host_name": "reception.accuhive.example", "apple_silicon": True, "device_capacity": 494.38}
    ]
    (row_of_prism,) = api("GET", "/api/v1/prism/device_information", token).json()["data"]
    assert (row_of_prism["device__name"], row_of_prism["model"]) == ("Reception", "MacBook Pro")
    assert (row_of_prism["host_name"], row_of_prism["apple_silicon"]) == ("reception.accuhive.example", True)
    assert row.metadata["QueryResponses"]["ProductName"] == "Mac15,3"


@pytest.mark.parametrize("platform", [Platform.IPHONE, Platform.IPAD, Platform.APPLE_TV])
def test_the_other_families_say_it_too(platform: Platform, api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform, serial_number="STAYS", model="iPad Air (5th)")
    answer(device, "device_information", information(platform))
    record, details = shown(api, token, device), shown(api, token, device, "/details")
    assert (record["device_name"], record["serial_number"], record["os_version"]) == ("Reception", "STAYS", "18.2")
    assert details["hardware_overview"]["uuid"] == "00008103-001A2B3C4D5E6F70"
    if platform == Platform.APPLE_TV:
        assert "supervised" not in details["mdm"]
        assert (details["network"], details["volumes"]) == ({}, [])
        assert record["model"] == "Apple TV"
        return
    assert details["cellular"] == {"cellular_technology": 3, "data_roaming": True, "voice_roaming": False}
    assert details["volumes"][0]["available"] == "64.00 GB"
    assert details["activation_lock"]["user_activation_lock_enabled"] is True
    assert prism(device, "cellular", "content__cellular_technology", "imei_slot_1", "content__slot_1") == [
        {"cellular_technology": "Both", "imei_slot_1": "351234567890123", "slot_1": "CTSubscriptionSlotOne"}
    ]


def test_a_new_name_is_an_event(mac: Device) -> None:
    answer(mac, "device_information", information(Platform.MAC))
    answer(mac, "device_information", information(Platform.MAC))
    (event,) = mac.activity.filter(action_type="name_changed")
    assert event.details == {"to": "Reception", "from": "Desk"}


@pytest.mark.parametrize(
    ("stored", "said", "kept"),
    [
        ("MacBook Pro (14-inch, 2023)", "MacBook Pro", "MacBook Pro (14-inch, 2023)"),
        ("iPhone 15", "iPhone15,4", "iPhone 15"),
        ("iPhone15,4", "iPhone 15", "iPhone 15"),
        ("", "iPhone15,4", "iPhone15,4"),
        ("iPhone", "iPhone 15 Pro", "iPhone 15 Pro"),
    ],
)
def test_a_model_gets_no_less_readable(stored: str, said: str, kept: str, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE, model=stored)
    answer(device, "device_information", information(Platform.IPHONE, ModelName=said))
    device.refresh_from_db()
    assert device.model == kept


def test_a_serial_number_of_another_device_is_not_taken(mac: Device, tenant: Tenant) -> None:
    DeviceFactory.create(tenant=tenant, serial_number="c02reported")
    answer(mac, "device_information", information(Platform.MAC))
    mac.refresh_from_db()
    assert (mac.serial_number, mac.name) == ("", "Reception")


def test_what_a_device_does_not_say_stays(mac: Device) -> None:
    inventory = {
        "network": {"ip_address": "10.1.2.3"},
        "mdm": {"last_check_in": "2020-01-01 00:00:00.000000+00:00", "install_date": "then"},
        "volumes": [{"name": "Macintosh HD", "format": "APFS", "encrypted": "Yes"}, {"name": "Data"}],
        "tags": ["x"],
    }
    DeviceInventory.objects.create(device=mac, details=inventory, parameters=[{"name": "p"}])
    answer(mac, "device_information", information(Platform.MAC))
    stored = DeviceInventory.objects.get(device=mac)
    assert stored.parameters == [{"name": "p"}]
    assert stored.details["network"] == {"ip_address": "10.1.2.3", "local_hostname": "reception"}
    assert stored.details["mdm"] == {"install_date": "then", "supervised": "True"}  # the column has the newer check-in
    assert stored.details["volumes"][0]["name"] == "Macintosh HD"
    assert stored.details["volumes"][0]["capacity"] == "494.38 GB"
    assert stored.details["volumes"][1] == {"name": "Data"}
    assert stored.details["tags"] == ["x"]


# --- What follows -----------------------------------------------------------------------------------------------------


def waiting(device: Device) -> set[str]:
    return set(device.commands.unfinished().values_list("command", flat=True))


def test_a_supervised_mac_is_asked_for_more(mac: Device) -> None:
    answer(mac, "device_information", information(Platform.MAC, IsSupervised=False))
    assert waiting(mac) == set()
    answer(mac, "device_information", information(Platform.MAC))
    assert waiting(mac) == {"user_list", "bypass_code"}


def test_the_bypass_code_is_asked_for_once(mac: Device) -> None:
    answer(mac, "device_information", information(Platform.MAC))
    fail(command=mac.commands.get(command="bypass_code"), error_chain=[ERROR])
    answer(mac, "device_information", information(Platform.MAC))
    assert waiting(mac) == {"user_list"}
    assert DeviceInventory.objects.get(device=mac).details["activation_lock"]["bypass_code_failed"] is True


@pytest.mark.parametrize("id", ["update_inventory", "daily_checkin"])
def test_an_administrator_gets_the_whole_inventory(id: str, mac: Device) -> None:
    row = acknowledge(command=send(mac, id).command, metadata=information(Platform.MAC))
    mac.refresh_from_db()
    assert mac.name == "Reception"
    assert row.metadata["QueryResponses"]["DeviceName"] == "Reception"
    lists = {"installed_applications", "profile_list", "certificate_list", "security_info"}
    assert waiting(mac) == {*lists, "user_list", "bypass_code"}


def test_the_bypass_code_is_a_secret_alone(mac: Device, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        row = answer(mac, "bypass_code", {"ActivationLockBypassCode": "FA9K-CODE-1234"})
    assert row.metadata == {}
    (code,) = read_secrets(
        tenant=mac.tenant, device_id=mac.uuid, kinds=[DeviceSecret.Kind.DEVICE_BYPASS_CODE], actor=ACTOR
    )
    assert code == "FA9K-CODE-1234"
    assert AuditEvent.objects.filter(summary="Activation Lock bypass code stored").count() == 1
    assert "FA9K" not in everything(mac) + caplog.text


# --- SecurityInfo -----------------------------------------------------------------------------------------------------


def everything(device: Device) -> str:
    """All that is stored of a device in the clear."""
    rows = [
        *DeviceInventory.objects.filter(device=device).values(),
        *DeviceCommand.objects.filter(device=device).values(),
        *device.activity.values(),
        *AuditEvent.objects.values(),
        *Device.objects.filter(pk=device.pk).values(),
    ]
    return json.dumps(rows, default=str)


def test_a_mac_says_how_safe_it_is(api: Call, token: IssuedApiToken, mac: Device) -> None:
    row = answer(mac, "security_info", security())
    details = shown(api, token, mac, "/details")
    assert details["filevault"]["filevault_enabled"] is True
    assert details["filevault"]["filevault_recoverykey_type"] == "Personal"
    assert details["filevault"]["filevault_prk_escrowed"] is False
    assert details["filevault"]["filevault_regen_required"] is True
    assert details["security_information"] == {"remote_desktop_enabled": False}
    assert details["recovery_information"]["recovery_lock_enabled"] is False
    assert details["recovery_information"]["firmware_password_exist"] is False
    assert details["automated_device_enrollment"] == {"auto_enroll_eligible": True, "auto_enrolled": True}
    assert prism(mac, "application_firewall", "content__status", "content__stealth_mode") == [
        {"status": True, "stealth_mode": True}
    ]
    assert prism(mac, "startup_settings", "content__sip", "content__secure_boot_level", "content__extra") == [
        {"sip": True, "secure_boot_level": "medium", "extra": {"any_signed_os": False, "mdm_manages_kext": True}}
    ]
    assert prism(mac, "filevault", "content__status", "content__key_escrowed") == [
        {"status": True, "key_escrowed": False}
    ]
    assert row.metadata["SecurityInfo"]["FDE_Enabled"] is True


def test_a_filevault_key_is_stored_as_a_secret_alone(mac: Device, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    certificate = authority(mac.tenant, Purpose.ESCROW).certificate
    said = security(
        FDE_PersonalRecoveryKeyCMS=seal_envelope(KEY.encode(), certificate), FDE_PersonalRecoveryKeyDeviceKey="SERIAL-X"
    )
    for _ in range(2):
        row = answer(mac, "security_info", said)
    assert filevault_key(mac) == KEY
    assert AuditEvent.objects.filter(summary="FileVault recovery key stored").count() == 1
    details = DeviceInventory.objects.get(device=mac).details["filevault"]
    assert (details["filevault_prk_escrowed"], details["filevault_regen_required"]) == (True, False)
    assert (
        row.metadata["SecurityInfo"]
        .keys()
        .isdisjoint({"FDE_PersonalRecoveryKeyCMS", "FDE_PersonalRecoveryKeyDeviceKey"})
    )
    assert "AB12" not in everything(mac) + caplog.text
    assert "SERIAL-X" not in everything(mac) + caplog.text
    another = seal_envelope(KEY.replace("AB12", "ZZ99").encode(), certificate)
    answer(mac, "security_info", security(FDE_PersonalRecoveryKeyCMS=another))
    assert filevault_key(mac) == KEY.replace("AB12", "ZZ99")


def test_a_key_for_another_tenant_is_not_taken(mac: Device) -> None:
    foreign = authority(TenantFactory.create(), Purpose.ESCROW).certificate
    authority(mac.tenant, Purpose.ESCROW)
    for envelope in (seal_envelope(KEY.encode(), foreign), b"junk", b"", KEY, 7, [b"x"]):
        answer(mac, "security_info", security(FDE_PersonalRecoveryKeyCMS=envelope))
    assert filevault_key(mac) is None
    assert DeviceInventory.objects.get(device=mac).details["filevault"]["filevault_prk_escrowed"] is False


@pytest.mark.parametrize("platform", [Platform.IPHONE, Platform.APPLE_TV])
def test_a_device_without_filevault_has_none(platform: Platform, tenant: Tenant) -> None:
    device = DeviceFactory.create(tenant=tenant, platform=platform)
    row = answer(device, "security_info", {"SecurityInfo": {"PasscodePresent": True, "FDE_Enabled": True}})
    device.refresh_from_db()
    assert device.filevault_enabled is None
    assert row.metadata == {"SecurityInfo": {"PasscodePresent": True, "FDE_Enabled": True}}


# --- Lists ------------------------------------------------------------------------------------------------------------


def test_apps_are_listed(api: Call, token: IssuedApiToken, mac: Device) -> None:
    agents = {"app_name": "Zed", "bundle_id": "com.example.Zed", "path": "/Applications/Zed.app", "version": "1.1"}
    DeviceInventory.objects.create(device=mac, apps=[agents, {"app_name": "Gone", "bundle_id": "x"}])
    row = answer(mac, "installed_applications", apps("Zed", "Arc", Installing=False))
    listed = shown(api, token, mac, "/apps")["apps"]
    assert [(app["app_name"], app["version"], app["bundle_size"], app["path"]) for app in listed] == [
        ("Arc", "1.2", "4096", ""),
        ("Zed", "1.2", "4096", "/Applications/Zed.app"),
    ]
    assert prism(mac, "apps", "content__name", "content__short_version", "content__version", "content__installing") == [
        {"name": "Zed", "short_version": "1.2", "version": "120", "installing": False},
        {"name": "Arc", "short_version": "1.2", "version": "120", "installing": False},
    ]
    assert row.metadata == {"count": 2}
    answer(mac, "installed_applications", {"InstalledApplicationList": []})
    assert shown(api, token, mac, "/apps")["apps"] == []
    assert prism(mac, "apps", "content__name") == []


def test_profiles_certificates_and_users_are_listed(api: Call, token: IssuedApiToken, mac: Device) -> None:
    users = {"regular_users": [{"username": "ann", "path": "/Users/ann", "admin": "Yes"}, {"username": "gone"}]}
    DeviceInventory.objects.create(device=mac, details={"users": users})
    assert answer(mac, "profile_list", PROFILES).metadata == {"count": 1}
    assert answer(mac, "certificate_list", CERTIFICATES).metadata == {"count": 2}
    assert answer(mac, "user_list", USERS).metadata == {"count": 2}
    details = shown(api, token, mac, "/details")
    (profile,) = details["installed_profiles"]
    assert (profile["name"], profile["payload_types"]) == ("Wi-Fi", ["com.apple.wifi.managed"])
    (ann,) = details["users"]["regular_users"]
    assert ann == {"username": "ann", "path": "/Users/ann", "admin": "Yes", "uid": "501", "name": "Ann Example"}
    assert [user["username"] for user in details["users"]["system_users"]] == ["_mdm"]
    assert prism(mac, "installed_profiles", "content__removable", "content__signed", "content__managed") == [
        {"removable": False, "signed": True, "managed": True}
    ]
    assert prism(mac, "certificates", "content__common_name", "content__identity_certificate") == [
        {"common_name": "Accuhive CA", "identity_certificate": False},
        {"common_name": "reception", "identity_certificate": True},
    ]
    assert prism(mac, "local_users", "generated_uid", "content__type", "content__logged_in") == [
        {"generated_uid": "AAAA", "type": "Administrator", "logged_in": True}
    ]
    answer(mac, "profile_list", {"ProfileList": []})
    assert shown(api, token, mac, "/details")["installed_profiles"] == []
    assert prism(mac, "installed_profiles", "content__managed") == []


def test_an_iphone_says_which_apps_are_managed(tenant: Tenant) -> None:
    iphone = DeviceFactory.create(tenant=tenant, platform=Platform.IPHONE)
    assert answer(iphone, "managed_applications", MANAGED).metadata == {
        "ManagedApplicationList": {"com.example.a": "Managed"}
    }


# --- Cost -------------------------------------------------------------------------------------------------------------

ANSWERS = {
    "device_information": information(Platform.MAC),
    "security_info": security(),
    "installed_applications": apps(*(f"App{n:03}" for n in range(150))),
    "profile_list": PROFILES,
    "certificate_list": CERTIFICATES,
    "user_list": USERS,
}
WRITES = ("UPDATE", "INSERT", "DELETE")


def reports(mac: Device, id: str) -> Iterator[list[str]]:
    """The statements of an answer, the first time and when it says the same again."""
    for _ in range(2):
        row = ask(mac, id)
        row.device = mac
        with CaptureQueriesContext(connection) as queries:
            EVERY_COMMAND[id].take_answer(row, ANSWERS[id])
        mac.commands.all().delete()
        yield [query["sql"] for query in queries.captured_queries]


@pytest.mark.parametrize("id", ANSWERS)
def test_an_answer_that_says_nothing_new_writes_nothing(id: str, mac: Device) -> None:
    first, again = reports(mac, id)
    assert [sql for sql in again if sql.startswith(WRITES)] == []
    assert len(first) <= CHANGED, len(first)
    assert len(again) <= UNCHANGED + (id in LIBRARY), len(again)
