"""How the API answers what its rooms raise."""

from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.db import InterfaceError, OperationalError
from django.test import RequestFactory

from access.refusals import Refusal
from access.sealing import SecretUnreadable
from access.tokens.authentication import AuthenticationFailed
from devices.api import errors
from devices.commands import CommandRefused
from devices.fleet.lost_mode import LostModeRefused
from devices.models import Device

NO_TOKEN = {"detail": "A valid API token is required."}


@pytest.mark.parametrize(
    ("error", "status", "body", "headers"),
    [
        (Refusal("It is closed."), 400, {"detail": "It is closed."}, {}),
        (AuthenticationFailed(sent=False), 401, NO_TOKEN, {"WWW-Authenticate": "Bearer"}),
        (AuthenticationFailed(sent=True), 401, NO_TOKEN, {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
        (CommandRefused("Command already running"), 400, "Command already running", {}),
        (LostModeRefused("Device is not in lost mode."), 400, ["Device is not in lost mode."], {}),
        (SecretUnreadable(), 503, {"detail": "This secret cannot be read at the moment."}, {}),
        (Device.DoesNotExist(), 404, {"detail": "Not found."}, {}),
        (ValidationError({"name": ["Taken."]}), 400, {"name": ["Taken."]}, {}),
        (ValidationError("Taken."), 400, {"detail": "Taken."}, {}),
        (RequestDataTooBig(), 413, {"detail": "The request body is too large."}, {}),
    ],
    ids=lambda value: repr(value) if isinstance(value, Exception) else None,
)
def test_an_error_has_its_answer(
    error: Exception, status: int, body: Any, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = errors.answer(RequestFactory().get("/api/v1/devices"), error)
    assert (answer.status, answer.body, dict(answer.headers or {})) == (status, body, headers)
    assert not caplog.records


@pytest.mark.parametrize("error", [OperationalError(), InterfaceError()])
def test_a_lost_database_is_logged_and_answered_503(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    answer = errors.answer(RequestFactory().get("/api/v1/devices"), error)
    assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_room_declares_a_refusal_that_the_api_has_never_heard_of() -> None:
    class Closed(Refusal):
        status = 409

        def body(self) -> list[str]:
            return [str(self)]

    answer = errors.translate(Closed("It is closed."))
    assert (answer.status, answer.body) == (409, ["It is closed."])
