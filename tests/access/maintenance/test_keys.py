"""Rotation of the three kinds of keys."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from access.audit.chain import BrokenTrail, chain_mac, verify
from access.audit.events import Actor, Target, log_event
from access.audit.head import AuditKeyMissing
from access.keyrings import audit_keyring
from access.maintenance import rotation
from access.maintenance.keys import uses
from access.models import AuditEvent, AuditHead, Tenant
from access.sign_in.authenticators import use_code
from access.tokens.rotation import rotate_token
from access.webhooks import signing
from devices.fleet.secrets import read_secrets, store_secret
from devices.management.commands import rewrap_secrets
from devices.models import DeviceSecret
from tests.database import unguarded
from tests.factories.access import AuthenticatorFactory, WebhookFactory, code_of
from tests.factories.devices import DeviceFactory
from tests.types import IssueToken

pytestmark = pytest.mark.django_db

ACTOR = Actor.command("test")
SECOND, THIRD = "2:" + "a" * 64, "3:" + "b" * 64


def run(name: str, *arguments: str) -> tuple[str, str]:
    """Standard output and standard error of a command."""
    out, errors = StringIO(), StringIO()
    call_command(name, *arguments, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def happen(tenant: Tenant | None) -> AuditEvent:
    with transaction.atomic():
        return log_event(
            target=Target(tenant, "api_token", 1, "Wall"),
            actor=ACTOR,
            action=AuditEvent.Action.UPDATE,
            summary="Token name changed",
        )


@pytest.fixture
def rotated(tenant: Tenant, settings: Settings) -> Tenant:
    """A tenant with an event under key 1, one without a number, and one under key 2."""
    happen(tenant)
    with unguarded():
        AuditEvent.objects.update(key_number=None)  # as a version with one key left it
    settings.IRU_AUDIT_KEYS = [SECOND]
    happen(tenant)
    return tenant


def test_events_are_verified_under_the_key_that_they_were_made_with(rotated: Tenant, settings: Settings) -> None:
    settings.IRU_AUDIT_KEYS = [THIRD, SECOND]
    assert [event.key_number for event in (happen(rotated), happen(rotated))] == [3, 3]
    assert verify(rotated)[0] == 4
    assert uses()["IRU_AUDIT_KEYS"] == {1: 1, 2: 1, 3: 2}


@pytest.mark.parametrize("keys", [[], [THIRD]])
def test_an_event_whose_key_is_gone_cannot_be_verified(rotated: Tenant, settings: Settings, keys: list[str]) -> None:
    settings.IRU_AUDIT_KEYS = keys
    with pytest.raises(BrokenTrail, match="event 2 cannot be verified: IRU_AUDIT_KEYS lacks its key, number 2"):
        verify(rotated)


def test_another_key_of_the_same_number_does_not_verify(rotated: Tenant, settings: Settings) -> None:
    settings.IRU_AUDIT_KEYS = ["2:" + "c" * 64]
    with pytest.raises(BrokenTrail, match=r"event 2 .* is not what was recorded"):
        verify(rotated)


def forge_under_the_old_key(tenant: Tenant) -> None:
    """Add an event, as somebody with the old key and the database alone can."""
    last = AuditEvent.objects.get(tenant=tenant, sequence=2)
    forged = AuditEvent.objects.get(pk=last.pk)
    forged.pk, forged.sequence, forged.ulid, forged.key_number = None, 3, "01JC0000000000000000000009", 1
    forged.mac = chain_mac(last.mac, forged)
    forged.save()
    AuditHead.objects.filter(tenant=tenant).update(sequence=3, mac=forged.mac, key_number=1)


def change_number(tenant: Tenant) -> None:
    with unguarded():
        AuditEvent.objects.filter(tenant=tenant, sequence=2).update(key_number=1)


def change_head(tenant: Tenant) -> None:
    AuditHead.objects.filter(tenant=tenant).update(key_number=None)


@pytest.mark.parametrize(
    ("tamper", "finding"),
    [
        (forge_under_the_old_key, "event 3 .* is under key 1, after key 2"),
        (change_number, "event 2 .* is not what was recorded"),
        (change_head, "event 2 is not the one that its head was made by"),
    ],
)
def test_an_old_key_extends_no_trail(rotated: Tenant, tamper: Callable[[Tenant], None], finding: str) -> None:
    tamper(rotated)
    with pytest.raises(BrokenTrail, match=finding):
        verify(rotated)


def test_a_head_with_the_wrong_key_is_repaired(rotated: Tenant) -> None:
    change_head(rotated)
    run("repair_audit_head", "accuhive")
    assert AuditHead.objects.get(tenant=rotated).key_number == 2
    assert verify(rotated)[0] == 3


def test_processes_that_restart_one_after_another(rotated: Tenant, settings: Settings) -> None:
    # One that knows the new key, and does not yet begin with it, goes on with the key of the trail.
    settings.IRU_AUDIT_KEY, settings.IRU_AUDIT_KEYS = "", ["1:the tests' own", SECOND]
    assert happen(rotated).key_number == 2
    assert verify(rotated)[0] == 3
    # One that does not know it changes nothing, so that no trail goes back to an older key.
    settings.IRU_AUDIT_KEY, settings.IRU_AUDIT_KEYS = "the tests' own", []
    with pytest.raises(AuditKeyMissing):
        happen(rotated)
    assert AuditEvent.objects.filter(tenant=rotated).count() == 3


def test_rotate_audit_key_moves_each_trail_and_continues(
    tenant: Tenant, other_tenant: Tenant, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (tenant, other_tenant):
        happen(each)
    settings.IRU_AUDIT_KEYS = [SECOND]
    assert "2 of these trails end under an older key than the newest, 2: accuhive" in run("verify_audit")[1]

    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotation.begin_newest_key(actor=ACTOR, progress=interrupted)
    assert rotation.trails_under_older_keys() == [other_tenant]
    assert run("rotate_audit_key")[0].startswith("1 trails were moved to key 2.")
    assert run("rotate_audit_key")[0].startswith("0 trails")
    for each in (tenant, other_tenant):
        assert verify(each)[0] == 2
        event = AuditEvent.objects.get(tenant=each, sequence=2)
        assert (event.summary, event.changes) == ("Audit key changed", {"key": {"old": 1, "new": 2}})
    assert "older key" not in run("verify_audit")[1]


@pytest.mark.parametrize(
    ("first", "entries"),
    [("", []), ("a", ["1:b"]), ("a", ["2:short"]), ("a", ["x:" + "a" * 64]), ("a", [SECOND, SECOND]), ("", ["1:"])],
)
def test_mistakes_in_the_audit_keys(settings: Settings, first: str, entries: list[str]) -> None:
    settings.IRU_AUDIT_KEY, settings.IRU_AUDIT_KEYS = first, entries
    with pytest.raises(ImproperlyConfigured, match="IRU_AUDIT_KEY"):
        audit_keyring()


def test_the_former_setting_is_key_1(settings: Settings) -> None:
    settings.IRU_AUDIT_KEY, settings.IRU_AUDIT_KEYS = "any text", [SECOND]
    both = audit_keyring()
    settings.IRU_AUDIT_KEY, settings.IRU_AUDIT_KEYS = "", [SECOND, "1:any text"]
    assert audit_keyring() == both == [(2, b"a" * 64), (1, b"any text")]


def test_keys_says_which_key_can_go(tenant: Tenant, issue_token: IssueToken, settings: Settings) -> None:
    issue_token()
    rows = json.loads(run("keys", "--json")[0])
    tokens = {row["key"]: row for row in rows if row["setting"] == "IRU_TOKEN_KEYS"}
    assert (tokens[2]["values"], tokens[2]["newest"], tokens[2]["removable"]) == (1, True, False)
    assert (tokens[1]["values"], tokens[1]["removable"]) == (0, True)
    settings.IRU_TOKEN_KEYS = [THIRD]
    out, _ = run("keys")
    assert "IRU_TOKEN_KEYS key 2: 1 tokens (NOT CONFIGURED" in out
    assert "b" * 32 not in out
    assert "IRU_AUDIT_KEYS key 1: 1 audit events (newest" in out


def test_the_former_secret_of_a_token_counts_too(tenant: Tenant, issue_token: IssueToken, settings: Settings) -> None:
    token = issue_token()
    settings.IRU_TOKEN_KEYS = [THIRD, *settings.IRU_TOKEN_KEYS]
    rotate_token(tenant=tenant, token_id=token.id, overlap="24h", actor=ACTOR)
    assert uses()["IRU_TOKEN_KEYS"] == {3: 1, 2: 1}


def test_rewrap_secrets_continues_after_an_interruption(
    tenant: Tenant, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = DeviceSecret.Kind.FILEVAULT_KEY
    devices = DeviceFactory.create_batch(3, tenant=tenant)
    for number, device in enumerate(devices):
        store_secret(device=device, kind=kind, value=f"secret {number}")
    webhook = WebhookFactory.create(tenant=tenant)
    app = AuthenticatorFactory.create()
    assert uses()["IRU_SECRET_KEYS"][1] >= 5
    settings.IRU_SECRET_KEYS = ["2:" + "4" * 64, *settings.IRU_SECRET_KEYS]
    monkeypatch.setattr(rewrap_secrets, "LIMIT", 1)
    with monkeypatch.context() as patch:

        def interrupted(*, limit: int) -> int:
            raise KeyboardInterrupt

        patch.setattr(signing, "rewrap", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run("rewrap_secrets")
    left = uses()["IRU_SECRET_KEYS"]
    assert left[2] == 3  # the secrets of the devices
    out, _ = run("rewrap_secrets")
    assert out == f"{left[1]} secrets re-encrypted. No secret uses an older key.\n"
    assert set(uses()["IRU_SECRET_KEYS"]) == {2}
    settings.IRU_SECRET_KEYS = settings.IRU_SECRET_KEYS[:1]  # without the older key each of them can still be read
    for number, device in enumerate(devices):
        assert read_secrets(tenant=tenant, device_id=device.uuid, kinds=[kind], actor=ACTOR) == [f"secret {number}"]
    webhook.refresh_from_db()
    assert signing._secrets(webhook, timezone.now()) == [webhook.secret]
    assert use_code(person=app.user, code=code_of(), address="192.0.2.7")
    settings.IRU_SECRET_KEYS = ["3:" + "5" * 64]
    with pytest.raises(CommandError, match="Run the command again"):
        run("rewrap_secrets")
