"""The statuses that a device can meet. 401 would end its enrollment, and 403 does for one that was deleted here."""

import plistlib
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from access.models import Tenant
from devices.commands import queue
from devices.mdm import sessions
from devices.mdm.simulator.device import CHECK_IN, CONNECT
from devices.models import DeviceCommand, Enrollment
from tests.devices.mdm.conftest import NewDevice, stored, transport
from tests.devices.sending import send

pytestmark = pytest.mark.django_db
HOST = "accuhive.mdm.iru.test"


def ask(method: str, path: str, body: bytes = b"", host: str = HOST, **headers: str) -> int:
    return transport(method, path, {"Host": host, "Content-Type": CONNECT, **headers}, body).status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/api/v1/devices", 404),
        ("GET", "/connect", 405),
        ("POST", "/check-in", 405),
        ("PUT", "/scep", 405),
        ("GET", "/scep", 400),
        ("GET", "/scep?operation=GetCRL", 400),
        ("GET", "/scep?operation=PKIOperation&message=%00", 400),
        ("POST", "/scep?operation=PKIOperation", 400),
        ("PUT", "/connect", 400),
    ],
)
def test_an_address_that_is_not_asked_as_it_should(mdm: Tenant, method: str, path: str, status: int) -> None:
    assert ask(method, path) == status


def test_a_host_of_no_tenant(mdm: Tenant) -> None:
    assert ask("GET", "/scep?operation=GetCACert", host="nobody.mdm.iru.test") == 404
    assert ask("PUT", "/connect", host="nobody.mdm.iru.test") == 400


@pytest.mark.parametrize(
    ("path", "kind", "size"),
    [("/connect", CONNECT, 8 << 20), ("/check-in", CHECK_IN, 6 << 20), ("/scep?operation=PKIOperation", "", 64 << 10)],
)
def test_a_body_that_is_too_large(mdm: Tenant, path: str, kind: str, size: int) -> None:
    method = "POST" if path.startswith("/scep") else "PUT"
    body = bytes(size + 1)
    assert transport(method, path, {"Host": HOST, "Content-Type": kind}, body).status == 413
    # The length is a claim.
    small = Client(raise_request_exception=False).generic(
        method, path, b"x", content_type=kind, headers={"host": HOST}, CONTENT_LENGTH=str(size + 1)
    )
    assert small.status_code == 413


def test_only_a_status_report_may_be_large(new_device: NewDevice) -> None:
    device = new_device()
    large = bytes(1 << 20)
    assert device.check_in("SetBootstrapToken", BootstrapToken=large).status == 413
    assert device.check_in("DeclarativeManagement", Endpoint="tokens", Data=large).status == 200


def test_a_body_of_another_type(new_device: NewDevice) -> None:
    device = new_device()
    body = plistlib.dumps({"UDID": device.udid, "Status": "Idle"})
    assert device.put(f"http://{HOST}/connect", "text/plain", body).status == 400
    assert device.put(f"http://{HOST}/connect", f"{CONNECT}; charset=utf-8", body).status == 200


def test_an_unknown_status_or_message(new_device: NewDevice) -> None:
    device = new_device()
    assert device.say("Bored").status == 400
    assert device.check_in("GetToken").status == 400
    assert device.check_in("UserAuthenticate", UserID="0F").status == 410


@pytest.mark.parametrize("error", [OperationalError("database is locked"), RuntimeError("a mistake")])
def test_what_the_device_cannot_help_has_it_come_again(
    new_device: NewDevice, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    device = new_device()

    def fail(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(sessions, "_turn", fail)
    answer = device.say("Idle")
    assert (answer.status, answer.headers["Retry-After"], answer.body) == (503, "30", b"")


def test_a_mistake_in_an_answer_does_not_keep_the_other_commands_away(
    new_device: NewDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = new_device()
    device.connect()
    broken = send(stored(device), "set_device_name", DeviceName="Broken").command
    whole = send(stored(device), "restart_device").command
    monkeypatch.setattr("devices.commands.set_device_name.SetDeviceName.on_completed", lambda *_: 1 / 0)
    assert [kind for kind, _ in device.connect()] == ["Settings", "RestartDevice"]
    for row, status in ((broken, 4), (whole, 3)):
        row.refresh_from_db()
        assert row.status == status
    assert broken.error_chain[0]["localized_description"] == sessions.NOT_STORED


def refused_by_the_database(*_: Any) -> None:
    """SQLite has no limits but those of its driver."""
    refused: dict[str, Any] = {"push_attempts": 2**64} if connection.vendor == "sqlite" else {"push_error": "x" * 101}
    Enrollment.objects.update(**refused)


def test_an_answer_that_the_database_refuses_is_dropped(
    new_device: NewDevice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    device = new_device()
    device.connect()
    monkeypatch.setattr(
        "devices.commands.update_inventory.store_information",
        lambda device, answer: refused_by_the_database() if answer else None,
    )
    asked = send(stored(device), "update_inventory").command
    after = send(stored(device), "restart_device").command
    assert [kind for kind, _ in device.connect()][:2] == ["DeviceInformation", "RestartDevice"]
    for row in (asked, after):
        row.refresh_from_db()
        assert (row.status, row.error_chain) == (row.Status.COMPLETED, [])
    assert asked.metadata == {}
    assert str(asked.uuid).upper() in caplog.text


def test_an_answer_is_kept_for_a_database_that_is_away(new_device: NewDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    device = new_device()
    device.connect()
    asked = send(stored(device), "update_inventory").command
    device.say("Idle")
    said = {"CommandUUID": str(asked.uuid).upper(), "QueryResponses": {"DeviceName": "Reception"}}

    def away(*_: Any) -> None:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as patch:
        patch.setattr("devices.commands.update_inventory.store_information", away)
        assert device.say("Acknowledged", **said).status == 503
    asked.refresh_from_db()
    assert asked.status == asked.Status.RUNNING
    assert device.say("Acknowledged", **said).status == 200
    assert stored(device).name == "Reception"


@pytest.mark.parametrize("hook", ["on_completed", "take_answer"])
def test_a_command_whose_end_the_database_refuses_has_failed(
    new_device: NewDevice, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    device = new_device()
    device.connect()
    row = send(stored(device), "set_device_name", DeviceName="Broken").command
    after = send(stored(device), "restart_device").command
    monkeypatch.setattr(f"devices.commands.set_device_name.SetDeviceName.{hook}", refused_by_the_database)
    assert [kind for kind, _ in device.connect()] == ["Settings", "RestartDevice"]
    for each, status in ((row, 4), (after, 3)):
        each.refresh_from_db()
        assert each.status == status
    assert row.error_chain[0]["localized_description"] == sessions.NOT_STORED


def test_the_errors_of_a_device_that_the_database_refuses(
    new_device: NewDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that was refused is no success, even where the reason cannot be stored."""
    device = new_device()
    device.connect()
    original = queue.take_error

    def take_error(row: DeviceCommand, chain: list[dict[str, Any]]) -> None:
        if chain[0]["domain"] != "iru":
            refused_by_the_database()
        original(row, chain)

    monkeypatch.setattr(queue, "take_error", take_error)
    name = send(stored(device), "set_device_name", DeviceName="x").command
    restart = send(stored(device), "restart_device").command
    device.say("Idle")
    refused = [{"Item": "DeviceName", "Status": "Error", "ErrorChain": [{"ErrorCode": 1, "ErrorDomain": "d"}]}]
    device.say("Acknowledged", CommandUUID=str(name.uuid).upper(), Settings=refused)
    device.say("Error", CommandUUID=str(restart.uuid).upper(), ErrorChain=[{"ErrorCode": 1, "ErrorDomain": "d"}])
    for row in (name, restart):
        row.refresh_from_db()
        assert row.status == row.Status.FAILED
        assert row.error_chain[0]["localized_description"] == sessions.NOT_STORED


@pytest.mark.parametrize(
    "said",
    [
        {"Latitude": "9" * 1000, "Longitude": "9" * 1000},
        {"Latitude": True, "Longitude": 10**18},
        {"Timestamp": "0001-01-01T00:00:00+14:00"},
        {"Timestamp": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_a_location_that_is_none(new_device: NewDevice, said: dict[str, Any]) -> None:
    device = new_device("iphone")
    device.connect()
    send(stored(device), "enable_lost_mode", Message="Lost")
    device.connect()
    asked = send(stored(device), "update_location").command
    after = send(stored(device), "restart_device").command
    device.say("Idle")
    answer = device.say("Acknowledged", CommandUUID=str(asked.uuid).upper(), **said)
    assert plistlib.loads(answer.body)["Command"]["RequestType"] == "RestartDevice"
    asked.refresh_from_db()
    assert asked.status == asked.Status.COMPLETED
    lost = stored(device).lost_mode
    assert (lost.location_status, lost.latitude, lost.longitude) == ("completed", "", "")
    assert lost.location_at is not None
    assert after.pk


def test_http_is_refused_without_ending_an_enrollment(mdm: Tenant, settings: Any) -> None:
    settings.HTTPS = True
    assert ask("PUT", "/connect") == 400
