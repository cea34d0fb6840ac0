"""Whatever a token changes or reads as a secret is confirmed in the transaction: it may be revoked during the call.

Generated from the declared operations, so that a new one is covered the moment it is declared.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from time import sleep
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.audit import head
from access.audit.events import Actor
from access.models import ApiToken, AuditEvent, Tenant
from access.people.tenants import edit_tenant
from access.tokens.authentication import LiveToken, authenticate
from access.tokens.lifecycle import disable_token, revoke_token, set_permissions
from devices.api.routing import Operation
from tests.devices.api import examples
from tests.devices.api.examples import EVERY_PERMISSION
from tests.devices.api.test_guard import PERMITTED, named
from tests.types import Call, IssuedApiToken, IssueToken, Response

pytestmark = pytest.mark.slow

# Sensitive because of what it tells about the tokens; their secrets are in no answer.
TELLS_NO_SECRET = {"list_api_tokens"}
ACTING = [
    each
    for each in PERMITTED
    if each.method != "GET" or (each.permission and each.permission.sensitive and each.id not in TELLS_NO_SECRET)
]
READING = [each for each in PERMITTED if each not in ACTING]
# Notices and messages about the change: new rows, which lock nothing that a change waits for.
TELLING = {
    'SELECT "access_webhook"."id", "access_webhook"."kinds"',
    'INSERT INTO "access_ownernotice"',
    'INSERT INTO "django_tasks_database_dbtaskresult"',
    "NOTIFY iru_tasks",
}
CONCURRENT = {"create_device_note", "update_device", "get_filevault_recovery_key", "restart_device"}
MOMENT = 0.3  # for the call to begin its change; where it has not, the test sees less and passes
COMMAND = Actor.command("test")
# A body that changes something, for an operation whose fields are all optional.
CHANGES: dict[str, dict[str, Any]] = {
    "update_custom_profile": {"name": "Renamed"},
    "update_custom_script": {"name": "Renamed"},
    "update_device": {"asset_tag": "A-1"},
    "update_ade_device": {"asset_tag": "A-1"},
    "update_blueprint": {"name": "Renamed"},
    "update_custom_app": {"name": "Renamed"},
    "update_ipa_app": {"name": "Renamed"},
    "update_blueprint_routing": {"enrollment_code": {"code": "135790", "is_active": True}},
}


def revoke(token: ApiToken) -> None:
    revoke_token(tenant=token.tenant, token_id=token.id, actor=COMMAND)


def expire(token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def suspend(token: ApiToken) -> None:
    edit_tenant(tenant_id=token.tenant_id, name=token.tenant.name, active=False, actor=COMMAND)


def disable(token: ApiToken) -> None:
    disable_token(tenant=token.tenant, token_id=token.id, actor=COMMAND)


def narrow(token: ApiToken) -> None:
    set_permissions(tenant=token.tenant, token_id=token.id, permissions=[], version=token.version, actor=COMMAND)


def everything_stored() -> dict[str, Any]:
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in apps.get_models()}


@contextmanager
def after_authentication(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> Iterator[None]:
    """Inside, `act` is called in each call to the API once its token was found alive."""

    def wrapped(*arguments: Any, **fields: Any) -> LiveToken:
        live = authenticate(*arguments, **fields)
        act()
        return live

    with monkeypatch.context() as patch:
        patch.setattr("devices.api.identity.authenticate", wrapped)
        yield


@pytest.fixture
def call(api: Call, tenant: Tenant) -> Callable[[Operation, IssuedApiToken, dict[str, Any]], Response]:
    def call(operation: Operation, token: IssuedApiToken, ids: dict[str, Any]) -> Response:
        body = CHANGES.get(operation.id) or examples.body(operation)
        return api(operation.method, examples.path(operation, ids), token, json=body)

    return call


@named(ACTING)
def test_after_its_revocation_a_call_changes_nothing_and_reads_no_secret(
    operation: Operation, call: Any, tenant: Tenant, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = examples.objects(operation, tenant)
    revoked, live = issue_token(*EVERY_PERMISSION), issue_token(*EVERY_PERMISSION)
    after: dict[str, Any] = {}

    def revoke_now() -> None:
        revoke(revoked)
        after.update(everything_stored())

    with after_authentication(monkeypatch, revoke_now):
        refused = call(operation, revoked, ids)
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert everything_stored() == after

    assert call(operation, live, ids).status_code == operation.status
    assert AuditEvent.objects.filter(actor_id=str(live.id)).exists()


@named(ACTING)
def test_while_the_head_of_the_trail_is_locked_only_its_event_is_written(
    operation: Operation, call: Any, tenant: Tenant, issue_token: IssueToken
) -> None:
    """All changes of a tenant wait for this lock. Another lock that is taken later could wait for one of them."""
    ids, token = examples.objects(operation, tenant), issue_token(*EVERY_PERMISSION)
    with CaptureQueriesContext(connection) as queries:
        assert call(operation, token, ids).status_code == operation.status
    statements = [query["sql"] for query in queries]
    locked = next(number for number, each in enumerate(statements) if each.startswith(head.LOCK.split(" WHERE")[0]))
    released = next(number for number, each in enumerate(statements) if number > locked and "RELEASE" in each)
    _, confirmation, *written = [" ".join(each.split()[:3]) for each in statements[locked:released]]
    assert confirmation.startswith("SELECT token.")
    assert written[:2] == ["INSERT INTO access_auditevent", "UPDATE access_audithead SET"]
    assert set(written[2:]) <= TELLING


@named(READING)
def test_every_other_operation_writes_no_event(
    operation: Operation, call: Any, tenant: Tenant, issue_token: IssueToken
) -> None:
    token = issue_token(*EVERY_PERMISSION)
    assert call(operation, token, examples.objects(operation, tenant)).status_code == operation.status
    assert not AuditEvent.objects.filter(actor_id=str(token.id)).exists()


@pytest.mark.parametrize(("end", "status"), [(expire, 401), (suspend, 401), (disable, 401), (narrow, 403)])
def test_a_token_can_end_in_other_ways_too(
    end: Callable[[ApiToken], None], status: int, api: Call, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issue_token("create_tag")
    with after_authentication(monkeypatch, lambda: end(token)):
        answer = api("POST", "/api/v1/tags", token, json={"name": "late"})
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert not token.tenant.tags.exists()


@pytest.mark.django_db(transaction=True)
@named([each for each in ACTING if each.id in CONCURRENT])
def test_a_call_that_waits_for_the_revocation_is_refused(
    operation: Operation, call: Any, tenant: Tenant, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = examples.objects(operation, tenant)
    token = issue_token(*EVERY_PERMISSION)
    authenticated = Event()

    def work() -> Response:
        try:
            answer: Response = call(operation, token, ids)
            return answer
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool, after_authentication(monkeypatch, authenticated.set):
        with transaction.atomic():
            revoke(token)
            answer = pool.submit(work)
            assert authenticated.wait(10)
            sleep(MOMENT)
        assert answer.result().status_code == 401
    assert not AuditEvent.objects.filter(actor_id=str(token.id)).exists()
