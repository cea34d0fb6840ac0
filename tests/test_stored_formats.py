"""What is stored must be readable by every later version: known answers of each format, and an upgraded database.

The values were computed outside the product. If one of these tests fails, every installation loses its tokens, secrets,
sessions or trail with the change: make the product read both forms instead of changing the value here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.contrib.auth import SESSION_KEY
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker, Settings

from access.audit.chain import chain_mac, verify
from access.audit.events import Actor
from access.models import AuditEvent, Session, Tenant
from access.sign_in.sessions import SessionStore, stored_key
from access.tokens.authentication import authenticate
from access.tokens.digests import Digest, digests
from devices.fleet.secrets import read_secrets
from devices.models import Device, DeviceSecret
from tests.database import elsewhere

TOKEN = "0e0e0e0e-1111-4222-8333-444444444444"
TOKEN_DIGEST = "aea1a1792dfefe1479954b94c7acfbf758f471d89f99b4147d4db631e8a90c22"

SESSION = "k3y0fas3ss10nthat1sstored0000000"
STORED_SESSION = "9d637277d13dd8f57e206884ec76eb7f95bca7a6"

SECRET = "ABCD-EFGH-IJKL"
SECRET_CIPHERTEXT = bytes.fromhex(
    "000102030405060708090a0b4c7cd0e9f114c010b8d58893e8fedd0898a54c03868a3cd68dc433ff1e5a"
)

TENANT: dict[str, Any] = {"id": 7, "name": "Stored", "subdomain": "stored", "active": True}
BLUEPRINT: dict[str, Any] = {"id": 3, "tenant_id": 7, "uuid": UUID("98765000-0000-4000-8000-000000000005"), "name": "B"}
DEVICE: dict[str, Any] = {
    "id": 41,
    "tenant_id": 7,
    "blueprint_id": 3,
    "uuid": UUID("98765000-0000-4000-8000-000000000003"),
    "name": "Desk",
    "serial_number": "C02XK1ABJGH5",
    "platform": "Mac",
    "first_enrollment": datetime(2026, 4, 1, tzinfo=UTC),
    "last_enrollment": datetime(2026, 4, 1, tzinfo=UTC),
}
RECORD = '{"device_id":"98765000-0000-4000-8000-000000000003"}'
EVENTS: list[dict[str, Any]] = [
    {
        "ulid": "01JC0000000000000000000001",
        "tenant_id": 7,
        "sequence": 1,
        "occurred_at": datetime(2026, 5, 1, 12, 0, 0, 123456, UTC),
        "action": "create",
        "summary": "Token created",
        "actor_type": "user",
        "actor_id": "98765000-0000-4000-8000-000000000001",
        "actor_name": "Ana Ruíz",
        "target_type": "api_token",
        "target_id": "98765000-0000-4000-8000-000000000002",
        "target_name": "Wall board",
        "target_component": "",
        "changes": {},
        "new_state": {"label": "Wall board", "permissions": []},
        "metadata": None,
        "mac": "6d0e6ce77ef09d5019c61ed29aaf6846c6c173f9b4551b062c1e3aef728f2cb7",
    },
    {
        "ulid": "01JC0000000000000000000002",
        "tenant_id": 7,
        "sequence": 2,
        "occurred_at": datetime(2026, 5, 1, 12, 0, 1, 0, UTC),
        "action": "update",
        "summary": "Device updated",
        "actor_type": "api_token",
        "actor_id": "98765000-0000-4000-8000-000000000002",
        "actor_name": "Wall board",
        "target_type": "device",
        "target_id": "98765000-0000-4000-8000-000000000003",
        "target_name": "Desk",
        "target_component": "notes",
        "changes": {"n": {"old": 1.5, "new": 1e22}, "b": {"old": True, "new": None}},
        "new_state": None,
        "metadata": {"note_id": "x", "list": [1, 2.0]},
        "mac": "faae579cf8c0fd5b79f111ecc33b97ae305c063ee90430dbab745dc6bc7ae09e",
    },
]

# The schema of the release before the present migrations. It moves on with each release, by one.
PREVIOUS = [("access", "0003_tasks"), ("devices", "0007_users_newest_first")]
# Django's own table, of an app that is not installed any more.
SESSIONS = "CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text, expire_date {})"
PERSON = UUID("98765000-0000-4000-8000-000000000009")


@pytest.fixture(autouse=True)
def fixed_keys(settings: Settings) -> None:
    settings.IRU_TOKEN_KEYS = ["1:" + "1" * 64]
    settings.IRU_SECRET_KEYS = ["4:" + "5" * 64]
    settings.IRU_AUDIT_KEY = "known answer"


def test_the_digest_of_a_token() -> None:
    assert digests(TOKEN) == digests(TOKEN.upper()) == [Digest(TOKEN_DIGEST, 1)]


def test_the_digest_of_a_session_key() -> None:
    assert stored_key(SESSION) == STORED_SESSION


def test_the_chain_of_audit_events() -> None:
    previous = ""
    for fields in EVENTS:
        assert chain_mac(previous, AuditEvent(**fields)) == fields["mac"]
        previous = fields["mac"]


def test_an_audit_event_under_a_later_key(settings: Settings) -> None:
    settings.IRU_AUDIT_KEYS = ["2:" + "7" * 64]
    event = AuditEvent(
        ulid="01JC0000000000000000000003",
        tenant_id=7,
        sequence=3,
        occurred_at=datetime(2027, 5, 1, 12, tzinfo=UTC),
        action="update",
        summary="Audit key changed",
        actor_type="system",
        actor_id="",
        actor_name="manage.py rotate_audit_key",
        target_type="tenant",
        target_id="7",
        target_name="Stored",
        target_component="",
        changes={"key": {"old": 1, "new": 2}},
        new_state=None,
        metadata=None,
        key_number=2,
    )
    assert chain_mac(EVENTS[1]["mac"], event) == "30fec2d5fb5fbd1bd2f848d28a2dfa1b591f888cbca27f2658b01b35d6be418f"


@pytest.mark.django_db
def test_a_device_secret_and_the_place_that_it_is_bound_to() -> None:
    insert(apps, record_json=RECORD)
    assert_secret_is_readable()


@pytest.fixture
def empty_database(django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path) -> Iterator[None]:
    """The default connection is to a database without a table, which exists as long as the test."""
    with django_db_blocker.unblock(), elsewhere(tmp_path, "previous"):
        yield


@pytest.mark.slow
def test_an_upgraded_database_keeps_its_tokens_secrets_sessions_and_trail(empty_database: None) -> None:
    executor = MigrationExecutor(connection)
    executor.migrate(PREVIOUS)
    tables = executor.loader.project_state(PREVIOUS).apps
    insert(tables, record=RECORD)
    tables.get_model("access", "Administrator").objects.create(id=PERSON, tenant_id=7, email="ana@stored.test")
    insert_session()
    call_command("migrate", verbosity=0)

    tenant = Tenant.objects.get()
    live = authenticate(f"Bearer {TOKEN}", subdomain="stored")
    assert (live.name, live.permissions, live.tenant) == ("Wall board", {"list_devices"}, tenant)
    assert verify(tenant) == (2, EVENTS[1]["mac"])
    assert SessionStore(SESSION).load() == {SESSION_KEY: str(PERSON)}
    assert Session.objects.get().person_id == PERSON
    assert "django_session" not in connection.introspection.table_names()
    assert Device.objects.get().record_json == RECORD
    assert_secret_is_readable()
    assert verify(tenant)[0] == 3  # the reading


def insert(tables: Any, **device: Any) -> None:
    """Write a row of each stored format. `tables` gives the models of the schema."""
    tables.get_model("access", "Tenant").objects.create(**TENANT)
    tables.get_model("devices", "Blueprint").objects.create(**BLUEPRINT)
    tables.get_model("devices", "Device").objects.create(**DEVICE, **device)
    tables.get_model("devices", "DeviceSecret").objects.create(
        tenant_id=7, device_id=41, kind="filevault_key", subject="", key_number=4, ciphertext=SECRET_CIPHERTEXT
    )
    tables.get_model("access", "ApiToken").objects.create(
        id=UUID("98765000-0000-4000-8000-000000000002"),
        tenant_id=7,
        name="Wall board",
        digest=TOKEN_DIGEST,
        key_number=1,
        permissions=["list_devices"],
        created_by_name="Ana Ruíz",
        created_by_type="user",
    )
    for event in EVENTS:
        tables.get_model("access", "AuditEvent").objects.create(**event)
    tables.get_model("access", "AuditHead").objects.create(tenant_id=7, sequence=2, mac=EVENTS[1]["mac"])


def insert_session() -> None:
    moment = "timestamp with time zone" if connection.vendor == "postgresql" else "datetime"
    data = SessionStore().encode({SESSION_KEY: str(PERSON)})
    with connection.cursor() as cursor:
        cursor.execute(SESSIONS.format(moment))
        cursor.execute(
            "INSERT INTO django_session VALUES (%s, %s, %s)", [STORED_SESSION, data, "2999-01-01 00:00:00+00:00"]
        )


def assert_secret_is_readable() -> None:
    secrets = read_secrets(
        tenant=Tenant.objects.get(pk=7),
        device_id=DEVICE["uuid"],
        kinds=[DeviceSecret.Kind.FILEVAULT_KEY],
        actor=Actor.command("test"),
    )
    assert secrets == [SECRET]
