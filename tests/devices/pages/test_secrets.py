"""Device secrets in the browser: who may, after which password, on which record, and in which one reply."""

import pytest

from access.models import AuditEvent, Role, Session, Tenant
from devices.fleet.secrets import store_secret
from devices.models import Device, DeviceSecret, Platform
from tests.devices.pages.browsing import HTMX, SignIn, newest, page, text, unkept
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
KEY = "A1B2-C3D4-E5F6"
Kind = DeviceSecret.Kind


@pytest.fixture
def escrowed(mac: Device) -> Device:
    store_secret(device=mac, kind=Kind.FILEVAULT_KEY, value=KEY)
    return mac


def test_a_secret_is_shown_on_record_in_one_reply(escrowed: Device, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.SECRETS_AUDITOR)
    listed = text(client.get(page("device-secrets", escrowed)))
    assert "FileVault recovery key" in listed
    assert "Not stored" in listed
    assert KEY not in listed
    response = client.post(page("device-secret", escrowed, "filevault_key"), headers=HTMX)
    assert KEY in text(response)
    assert "<html" not in text(response)
    assert unkept(response)
    event = newest(tenant)
    assert (event.summary, event.action, event.target_id) == (
        "FileVault recovery key read",
        AuditEvent.Action.READ,
        str(escrowed.uuid),
    )
    assert not any(KEY in value for _, value in response.items())
    assert not any(KEY in str(session.get_decoded()) for session in Session.objects.all())
    assert KEY not in str(list(tenant.audit_events.values()))
    whole = client.post(page("device-secret", escrowed, "filevault_key"))  # without JavaScript
    assert KEY in text(whole)
    assert "<html" in text(whole)
    assert unkept(whole)


def test_an_old_sign_in_requires_the_password_first(escrowed: Device, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.STANDARD, recently=False, password=PASSWORD)
    url = page("device-secret", escrowed, "filevault_key")
    for data in ({}, {"password": ""}, {"password": "not it"}):
        response = client.post(url, data, headers=HTMX)
        assert response.status_code == 422
        assert 'name="password"' in text(response)
        assert "What you typed is kept" not in text(response)
        assert KEY not in text(response)
    assert not tenant.audit_events.filter(action=AuditEvent.Action.READ).exists()
    assert KEY in text(client.post(url, {"password": PASSWORD}, headers=HTMX))
    assert KEY in text(client.post(url, headers=HTMX))  # for the next ten minutes


@pytest.mark.slow
def test_only_roles_that_may_read_secrets_see_them(escrowed: Device, tenant: Tenant, sign_in: SignIn) -> None:
    for role in Role:
        client = sign_in(role)
        allowed = role not in {Role.HELP_DESK, Role.AUDITOR}
        link = f'href="{page("device-secrets", escrowed)}"'
        assert (link in text(client.get(page("device", escrowed)))) == allowed
        assert client.get(page("device-secrets", escrowed)).status_code == (200 if allowed else 403)
        response = client.post(page("device-secret", escrowed, "filevault_key"))
        assert (KEY in text(response)) == allowed


def test_a_secret_is_never_read_by_an_address_alone(escrowed: Device, sign_in: SignIn) -> None:
    assert sign_in().get(page("device-secret", escrowed, "filevault_key")).status_code == 405


def test_no_record_no_secret(escrowed: Device, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**event: object) -> None:
        raise RuntimeError("no audit")

    client = sign_in()
    client.raise_request_exception = False
    monkeypatch.setattr("devices.fleet.secrets.log_event", fail)
    response = client.post(page("device-secret", escrowed, "filevault_key"))
    assert response.status_code == 500
    assert KEY not in text(response)


def test_a_secret_that_does_not_decrypt_is_not_shown(escrowed: Device, sign_in: SignIn) -> None:
    DeviceSecret.objects.update(ciphertext=b"x" * 40)
    response = sign_in().post(page("device-secret", escrowed, "filevault_key"))
    assert response.status_code == 503
    assert "cannot be read at the moment" in text(response)


def test_what_is_not_there_is_said(mac: Device, other_tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    assert "No longer stored." in text(client.post(page("device-secret", mac, "unlock_pin"), headers=HTMX))
    assert client.post(page("device-secret", mac, "command_secret")).status_code == 404
    assert client.post(page("device-secret", mac, "nonsense")).status_code == 404
    theirs = DeviceFactory.create(tenant=other_tenant)
    store_secret(device=theirs, kind=Kind.FILEVAULT_KEY, value=KEY)
    assert client.post(page("device-secret", theirs, "filevault_key")).status_code == 404
    windows = DeviceFactory.create(tenant=mac.tenant, platform=Platform.WINDOWS)
    assert page("device-secrets", windows) not in text(client.get(page("device", windows)))
