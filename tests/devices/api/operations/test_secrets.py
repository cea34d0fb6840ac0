import logging
from io import StringIO
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings

from access.audit.events import log_event
from access.models import AuditEvent, Tenant
from devices.fleet.secrets import store_secret
from devices.models import Device, DeviceSecret
from tests.factories.devices import DeviceFactory
from tests.types import Call, IssuedApiToken, IssueToken

Kind = DeviceSecret.Kind
OLD, NEW = "1:" + "3" * 64, "2:" + "4" * 64
ENDPOINTS = {
    "filevaultkey": {"key": Kind.FILEVAULT_KEY},
    "unlockpin": {"pin": Kind.UNLOCK_PIN},
    "recoverypassword": {"recovery_password": Kind.RECOVERY_PASSWORD},
    "bypasscode": {"user_based_albc": Kind.USER_BYPASS_CODE, "device_based_albc": Kind.DEVICE_BYPASS_CODE},
}


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(
        "get_activation_lock_bypass_code",
        "get_filevault_recovery_key",
        "get_unlock_pin",
        "get_recovery_lock_password",
    )


@pytest.fixture
def device(tenant: Tenant) -> Device:
    device: Device = DeviceFactory.create(tenant=tenant)
    return device


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_stored_secrets_are_answered_and_missing_ones_are_null(
    endpoint: str, api: Call, token: IssuedApiToken, device: Device
) -> None:
    path = f"/api/v1/devices/{device.uuid}/secrets/{endpoint}"
    kinds = ENDPOINTS[endpoint]
    assert api("GET", path, token).json() == dict.fromkeys(kinds)
    for key, kind in kinds.items():
        store_secret(device=device, kind=kind, value=f"old {key}")
        store_secret(device=device, kind=kind, value=f"value of {key}, ü")
    assert api("GET", path, token).json() == {key: f"value of {key}, ü" for key in kinds}
    assert device.secrets.count() == len(kinds)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_each_reading_is_on_record_before_the_secret_leaves(
    endpoint: str, api: Call, token: IssuedApiToken, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/v1/devices/{device.uuid}/secrets/{endpoint}"
    for kind in ENDPOINTS[endpoint].values():
        store_secret(device=device, kind=kind, value="HUSH-HUSH")
    assert api("GET", path, token).status_code == 200
    event = AuditEvent.objects.get(target_type="device")
    assert (event.action, event.actor_id, event.target_id) == ("read", str(token.id), str(device.uuid))
    assert event.metadata == {"secrets": [kind.value for kind in ENDPOINTS[endpoint].values()]}

    def broken(**event: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("devices.fleet.secrets.log_event", broken)
    answer = api("GET", path, token)
    assert answer.status_code == 500
    assert b"HUSH" not in answer.content


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_nothing_is_decrypted_before_its_event(
    endpoint: str, api: Call, token: IssuedApiToken, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ENDPOINTS[endpoint].values():
        store_secret(device=device, kind=kind, value="HUSH-HUSH")
    steps: list[str] = []

    class Cipher:
        def __init__(self, key: bytes) -> None:
            self.cipher = AESGCM(key)

        def decrypt(self, *arguments: Any) -> bytes:
            steps.append("decrypted")
            return self.cipher.decrypt(*arguments)

    def logged(**event: Any) -> AuditEvent:
        steps.append("event")
        return log_event(**event)

    monkeypatch.setattr("access.sealing.AESGCM", Cipher)
    monkeypatch.setattr("devices.fleet.secrets.log_event", logged)
    assert api("GET", f"/api/v1/devices/{device.uuid}/secrets/{endpoint}", token).status_code == 200
    assert steps == ["event"] + ["decrypted"] * len(ENDPOINTS[endpoint])


def test_a_secret_is_nowhere_in_clear(device: Device) -> None:
    store_secret(device=device, kind=Kind.FILEVAULT_KEY, value="ABCD-EFGH-IJKL")
    secret = device.secrets.get()
    assert b"ABCD" not in bytes(secret.ciphertext)
    first = bytes(secret.ciphertext)
    store_secret(device=device, kind=Kind.FILEVAULT_KEY, value="ABCD-EFGH-IJKL")
    assert bytes(device.secrets.get().ciphertext) != first  # a nonce of its own each time


@pytest.mark.parametrize("moved", ["device", "kind", "subject", "tenant"])
def test_a_value_that_was_moved_does_not_decrypt(
    moved: str,
    api: Call,
    token: IssuedApiToken,
    device: Device,
    tenant: Tenant,
    other_tenant: Tenant,
    caplog: pytest.LogCaptureFixture,
) -> None:
    victim = DeviceFactory.create(tenant=other_tenant if moved == "tenant" else tenant)
    kind = Kind.UNLOCK_PIN if moved == "kind" else Kind.FILEVAULT_KEY
    store_secret(device=victim, kind=kind, value="HUSH", subject="x" if moved == "subject" else "")
    DeviceSecret.objects.update(device=device, tenant=tenant, kind=Kind.FILEVAULT_KEY, subject="")
    with caplog.at_level(logging.CRITICAL):
        answer = api("GET", f"/api/v1/devices/{device.uuid}/secrets/filevaultkey", token)
    assert answer.status_code == 503
    assert list(answer.json()) == ["detail"]
    assert "does not decrypt" in caplog.text
    assert "HUSH" not in caplog.text


def test_rotating_the_key(api: Call, token: IssuedApiToken, tenant: Tenant, device: Device, settings: Settings) -> None:
    path = f"/api/v1/devices/{device.uuid}/secrets/unlockpin"
    settings.IRU_SECRET_KEYS = [OLD]
    store_secret(device=device, kind=Kind.UNLOCK_PIN, value="123456")
    settings.IRU_SECRET_KEYS = [NEW]
    assert api("GET", path, token).status_code == 503
    with pytest.raises(CommandError, match="IRU_SECRET_KEYS"):
        call_command("rewrap_secrets")
    settings.IRU_SECRET_KEYS = [NEW, OLD]
    assert api("GET", path, token).json() == {"pin": "123456"}
    output = StringIO()
    call_command("rewrap_secrets", stdout=output)
    assert output.getvalue().startswith("1 secrets")
    settings.IRU_SECRET_KEYS = [NEW]
    assert api("GET", path, token).json() == {"pin": "123456"}
