"""No secret is in the report of an unexpected error, as Django mails it to operators who set ADMINS."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.views.debug import ExceptionReporter

from access.models import Administrator, Role
from access.tokens.digests import Digest, digests
from devices.fleet.secrets import store_secret
from devices.models import Device, DeviceSecret, Platform
from tests.devices.pages.browsing import NAME, SignIn, page
from tests.factories.devices import DeviceFactory
from tests.types import Call, IssueToken

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"
PIN = "904817"
VALUE = "ABCD-EFGH-IJKL"


class Unexpected(Exception):
    pass


def fail(*arguments: Any, **fields: Any) -> None:
    raise Unexpected


@pytest.fixture
def reports(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Every form of the report of each error that was logged."""

    def reports() -> str:
        texts = []
        for record in caplog.records:
            if record.exc_info and record.exc_info[0] is Unexpected:
                reporter = ExceptionReporter(getattr(record, "request", None), *record.exc_info, is_email=True)
                texts += [reporter.get_traceback_text(), reporter.get_traceback_html()]
        assert texts
        assert all("in fail" in text for text in texts)  # the traceback is there
        return "\n".join(texts)

    return reports


@pytest.fixture
def old_sign_in(sign_in: SignIn) -> Client:
    """A browser that has to give the password again, and shows the 500 page."""
    client = sign_in(recently=False, password=PASSWORD)
    client.raise_request_exception = False
    return client


def key_of(client: Client) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def test_the_pin_of_an_erase(
    mac: Device, old_sign_in: Client, reports: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.commands.queue.log_event", fail)
    form = {"typed_name": NAME, "PIN": PIN, "password": PASSWORD}
    assert old_sign_in.post(page("device-action", mac, "erase"), form).status_code == 500
    report = reports()
    assert PIN not in report
    assert PASSWORD not in report
    assert key_of(old_sign_in) not in report


def test_the_passcode_in_a_call(
    mac: Device, api: Call, issue_token: IssueToken, reports: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixel = DeviceFactory.create(tenant=mac.tenant, platform=Platform.ANDROID)
    token = issue_token("reset_work_profile_passcode")
    monkeypatch.setattr("devices.commands.queue.log_event", fail)
    path = f"/api/v1/devices/{pixel.uuid}/action/resetworkprofilepasscode"
    assert api("POST", path, token, json={"newPassword": PASSWORD}).status_code == 500
    report = reports()
    assert PASSWORD not in report
    assert token.secret not in report


def test_the_password_and_the_new_token(
    old_sign_in: Client, reports: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets: list[str] = []

    def noted(secret: str) -> list[Digest]:
        secrets.append(secret)
        return digests(secret)

    monkeypatch.setattr("access.tokens.lifecycle.digests", noted)
    monkeypatch.setattr("access.tokens.lifecycle.log_event", fail)
    form = {"name": "Okta", "submission": "98765000-0000-4000-8000-000000000001", "password": PASSWORD}
    assert old_sign_in.post(reverse("token-create"), form).status_code == 500
    report = reports()
    assert PASSWORD not in report
    assert secrets[0] not in report


def test_the_password_and_the_secret_of_a_device(
    mac: Device, old_sign_in: Client, reports: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_secret(device=mac, kind=DeviceSecret.Kind.FILEVAULT_KEY, value=VALUE)
    monkeypatch.setattr("devices.pages.secrets.fragment", fail)
    answer = old_sign_in.post(page("device-secret", mac, "filevault_key"), {"password": PASSWORD})
    assert answer.status_code == 500
    report = reports()
    assert PASSWORD not in report
    assert VALUE not in report


def test_the_password_of_a_sign_in(
    sign_in: SignIn, reports: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(Role.OWNER, password=PASSWORD)
    client = Client(raise_request_exception=False)
    monkeypatch.setattr("access.sign_in.trail.log_event", fail)
    email = Administrator.objects.get().email
    assert client.post(reverse("account_login"), {"login": email, "password": PASSWORD}).status_code == 500
    assert PASSWORD not in reports()
