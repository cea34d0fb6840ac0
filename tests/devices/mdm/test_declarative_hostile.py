"""Devices that lie about their declarations, and what they may not fetch."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.declarations.reports import MOST_BYTES, MOST_STRANGERS
from devices.enrollment.profiles import enrollment_profile
from devices.mdm.simulator.declarations import ask, report
from devices.mdm.simulator.device import SimulatedDevice
from devices.models import Blueprint, DeviceCertificate, DeviceDeclarations, DeviceSeen
from tests.devices.mdm.conftest import NewDevice, stored
from tests.devices.mdm.test_declarative import ACTIVATION, STATUS, UPDATE, require, row_of, sessions
from tests.factories.devices import BlueprintFactory

pytestmark = pytest.mark.django_db
ENDPOINTS = ["tokens", "declaration-items", f"declaration/configuration/{STATUS}", "status"]
GOOD = {"StatusItems": {"device": {"operating-system": {"version": "15.2"}}}, "Errors": []}


@pytest.fixture
def device(new_device: NewDevice) -> SimulatedDevice:
    """A Mac that has its declarations."""
    device = new_device("mac")
    sessions(device)
    return device


def say(device: SimulatedDevice, items: Any, **more: Any) -> int:
    document = {"StatusItems": items, "Errors": [], **more}
    return ask(device, "status", json.dumps(document).encode()).status


def states(*rows: Any) -> dict[str, Any]:
    return {"management": {"declarations": {"configurations": list(rows)}}}


def state(identifier: str, token: str, **more: Any) -> dict[str, Any]:
    return {"identifier": identifier, "server-token": token, "active": True, "valid": "valid", **more}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"StatusItems": []}',
        b'{"StatusItems": {}, "StatusItems": {}}',
        b'{"StatusItems": {"a": "\xe9"}}',
        b'{"StatusItems": ' + b'{"a": ' * 100_000,
        b'{"StatusItems": {"a": [' + b"{}," * 1_300_000 + b"{}]}}",
        b'{"StatusItems": {}, "a": "' + b"a" * (4 << 20) + b'"}',
    ],
    ids=["empty", "text", "list", "no items", "items", "twice", "latin", "deep", "wide", "large"],
)
def test_a_report_that_is_none_changes_nothing(device: SimulatedDevice, body: bytes) -> None:
    before = DeviceDeclarations.objects.values().get()
    seen = DeviceSeen.objects.get().at
    assert ask(device, "status", body).status in {400, 413}
    assert DeviceDeclarations.objects.values().get() == before
    assert DeviceSeen.objects.get().at == seen
    assert ask(device, "status", json.dumps(GOOD).encode()).status == 200
    assert stored(device).os_version == "15.2"


@pytest.mark.parametrize("value", [None, 5, 1e300, True, [], ["15.2"], {}, "x" * 300, "a\0b", "\ud800", ""])
def test_a_value_of_another_type_keeps_the_old_one(device: SimulatedDevice, value: Any) -> None:
    before = stored(device)
    items = {
        "device": {"operating-system": {"version": value, "build-version": value, "supplemental": value}},
        "diskmanagement": {"filevault": {"enabled": value if value is not True else "yes"}},
        "softwareupdate": {"failure-reason": value, "pending-version": value, "install-state": value},
        "management": {"declarations": {"configurations": value, "activations": [value]}},
        "unknown": {"item": value},
    }
    assert say(device, items) == 200
    after = stored(device)
    assert (after.os_version, after.supplemental_build_version) == (
        before.os_version,
        before.supplemental_build_version,
    )
    assert after.filevault_enabled == before.filevault_enabled
    assert after.inventory.details == before.inventory.details
    assert row_of(device).states.keys() == {ACTIVATION, STATUS}
    assert "unknown" not in json.dumps(row_of(device).status)
    for other in ("management", "device", "softwareupdate"):
        assert say(device, {other: value}) == 200


def test_a_report_keeps_what_it_does_not_say(device: SimulatedDevice) -> None:
    before = dict(row_of(device).status)
    assert say(device, {"diskmanagement": {"filevault": {"enabled": False}}}) == 200
    row = row_of(device)
    assert row.status == before | {"diskmanagement.filevault.enabled": False}
    assert row.states.keys() == {ACTIVATION, STATUS}
    assert stored(device).filevault_enabled is False
    assert stored(device).os_version == "15.1"


def test_a_full_report_replaces_the_status_and_no_fact(device: SimulatedDevice) -> None:
    assert say(device, {"device": {"model": {"family": "Mac"}}}, FullReport=True) == 200
    row = row_of(device)
    assert row.status == {"device.model.family": "Mac"}
    assert row.states == {}
    assert (stored(device).os_version, stored(device).filevault_enabled) == ("15.1", True)
    report(device, full=True)
    assert row_of(device).states.keys() == {ACTIVATION, STATUS}


def test_success_of_an_unknown_declaration_changes_nothing_and_is_logged_once(
    device: SimulatedDevice, caplog: pytest.LogCaptureFixture
) -> None:
    before = row_of(device).states
    device.switches.lies = True
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            report(device, full=True)
    assert row_of(device).states == before
    assert caplog.text.count("com.example.stranger") == 1
    assert say(device, states(*(state(f"stranger-{number}", "t") for number in range(50)))) == 200
    assert len(row_of(device).strangers) == MOST_STRANGERS


def test_the_success_of_an_earlier_revision_says_nothing(device: SimulatedDevice, blueprint: Blueprint) -> None:
    require(blueprint)
    sessions(device)
    old = row_of(device).states[UPDATE]["server_token"]
    require(blueprint, "26.2")
    device.connect()
    device.state.declared.due = False
    assert say(device, states(state(UPDATE, old))) == 200
    assert row_of(device).states[UPDATE]["server_token"] != old


def test_the_declaration_of_another_device_is_not_there(
    new_device: NewDevice, device: SimulatedDevice, blueprint: Blueprint
) -> None:
    require(blueprint)
    sessions(device)
    other = new_device("mac")
    sessions(other)
    row = stored(other)
    row.blueprint = BlueprintFactory.create(tenant=row.tenant)
    row.save(update_fields=["blueprint"])
    wanted = f"declaration/configuration/{UPDATE}"
    assert ask(device, wanted).status == 200
    assert ask(other, wanted).status == 404
    before = row_of(other).states.get(UPDATE)
    token = row_of(device).states[UPDATE]["server_token"]
    sessions(other)
    assert say(other, states(state(UPDATE, token, valid="invalid"))) == 200
    assert row_of(other).states.get(UPDATE) in (before, None)
    assert row_of(device).states[UPDATE]["valid"] == "valid"


@pytest.mark.parametrize(
    "endpoint",
    [
        "declaration/configuration/unknown",
        f"declaration/activation/{STATUS}",
        f"declaration/configuration/{'x' * 900}",
        "declaration/configuration/%2e%2e",
        "declaration/é/é",
    ],
)
def test_an_unknown_declaration(device: SimulatedDevice, endpoint: str) -> None:
    assert ask(device, endpoint).status == 404
    assert ask(device, "tokens").status == 200


@pytest.mark.parametrize(
    "endpoint", ["", "token", "tokens/", "status/x", "declaration", "declaration/a", "declaration/a/b/c"]
)
def test_an_unknown_endpoint(device: SimulatedDevice, endpoint: str) -> None:
    assert ask(device, endpoint).status == 400


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_device_that_is_not_enrolled(new_device: NewDevice, blueprint: Blueprint, endpoint: str) -> None:
    device = new_device("mac", enrolled=False)
    device.install(enrollment_profile(blueprint))
    data = json.dumps(GOOD).encode()
    assert ask(device, endpoint, data).status == 400
    device.authenticate()
    assert ask(device, endpoint, data).status == 400
    device.update_token()
    assert ask(device, endpoint, data).status in {200, 404}
    device.check_in("CheckOut")
    assert ask(device, endpoint, data).status == 400
    assert device.enrolled, "a device takes 401 as the end of its enrollment"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_expired_certificate_and_a_user(device: SimulatedDevice, endpoint: str) -> None:
    data = json.dumps(GOOD).encode()
    for user in ({"UserID": "U"}, {"EnrollmentUserID": "U"}, {"UDID": "another"}):
        assert device.check_in("DeclarativeManagement", Endpoint=endpoint, Data=data, **user).status == 400
    assert ask(device, endpoint, data).status == 200
    DeviceCertificate.objects.update(not_after=timezone.now() - timedelta(days=1))
    assert ask(device, endpoint, data).status == 400
    assert device.enrolled


def test_the_state_is_bounded(device: SimulatedDevice) -> None:
    row = row_of(device)
    token = row.states[STATUS]["server_token"]
    reasons = [{"code": "é" * 5000, "description": "é" * 9000, "details": {"a": "x" * 50_000}}] * 10
    items = states(state(STATUS, token, reasons=reasons, valid="sure"))
    reason = {"Code": "é" * 900, "Description": "€" * 900}
    errors = [{"StatusItem": f"a.{number}", "Reasons": [reason] * 5} for number in range(40)]
    assert say(device, items, Errors=errors) == 200
    row = row_of(device)
    assert row.states[STATUS]["valid"] == "unknown"
    assert row.states[STATUS]["reasons"]
    assert row.errors[0] == {"item": "a.0", "reasons": []}
    for column in (row.states, row.status, row.errors, row.strangers):
        assert len(json.dumps(column, ensure_ascii=False).encode()) <= MOST_BYTES
