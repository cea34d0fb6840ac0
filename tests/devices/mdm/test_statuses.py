"""The statuses that a device can meet. 401 would end its enrollment, and 403 does for one that was deleted here."""

import plistlib
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from access.models import Tenant
from devices.mdm import sessions
from devices.mdm.simulator.device import CHECK_IN, CONNECT
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
    [("/connect", CONNECT, 8 << 20), ("/check-in", CHECK_IN, 1 << 20), ("/scep?operation=PKIOperation", "", 64 << 10)],
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


def test_http_is_refused_without_ending_an_enrollment(mdm: Tenant, settings: Any) -> None:
    settings.HTTPS = True
    assert ask("PUT", "/connect") == 400
