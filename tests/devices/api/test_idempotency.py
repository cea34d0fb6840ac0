"""`Idempotency-Key`: to repeat a call that creates something creates nothing more, and answers the same."""

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.utils import timezone

from access.models import AuditEvent, Tenant
from devices.api import api as endpoint_api
from devices.api.idempotency import KEPT, LOST_AFTER, forget_calls
from devices.api.routing import Operation
from devices.enrollment import ade
from devices.fleet import tags
from devices.models import IdempotentCall, Tag
from tests.apple import KNOWN_CREDENTIALS, Apple
from tests.devices.api import examples
from tests.devices.api.examples import EVERY_PERMISSION
from tests.types import Call, IssuedApiToken, IssueToken, Response

pytestmark = pytest.mark.django_db

CREATING = [operation for operation in endpoint_api.operations if operation.creates]
KEY = "3f1c1c0e-7d0f-4c65-9a34-5d8f6f0f2a11"


@pytest.fixture
def token(issue_token: IssueToken) -> IssuedApiToken:
    return issue_token(*EVERY_PERMISSION)


@pytest.fixture
def create_tag(api: Call, token: IssuedApiToken) -> Any:
    """`create_tag("Lab", key)`: POST /tags, by `token` unless another one is given."""

    def create(name: str, key: str = KEY, by: IssuedApiToken = token) -> Response:
        return api("POST", "/api/v1/tags", by, json={"name": name}, headers={"idempotency-key": key})

    return create


@pytest.mark.parametrize(
    "operation", [each for each in endpoint_api.operations if each.method == "POST"], ids=lambda operation: operation.id
)
def test_every_post_that_creates_takes_a_key(
    operation: Operation, api: Call, tenant: Tenant, token: IssuedApiToken
) -> None:
    """The audit trail shows which POSTs create an object. A command is queued only once even without a key.

    The answers to such calls are stored for a day. The secret of a token is stored nowhere, so its POST takes no key.
    """
    path = examples.path(operation, examples.objects(operation, tenant))
    last = tenant.audit_events.count()
    answer = api("POST", path, token, json=examples.body(operation))
    assert answer.status_code == operation.status, answer.content
    events = tenant.audit_events.order_by("sequence")[last:]
    created = [event for event in events if event.action == AuditEvent.Action.CREATE]
    creates = any(event.target_component != "commands" for event in created)
    assert operation.creates == (creates and operation.id != "create_api_token")


@pytest.mark.parametrize("operation", CREATING, ids=lambda operation: operation.id)
def test_a_repeated_call_creates_nothing_and_answers_the_same(
    operation: Operation, api: Call, tenant: Tenant, token: IssuedApiToken
) -> None:
    path = examples.path(operation, examples.objects(operation, tenant))

    def call() -> Response:
        return api("POST", path, token, json=examples.body(operation), headers={"idempotency-key": KEY})

    first = call()
    events = tenant.audit_events.count()
    second = call()
    assert (first.status_code, second.status_code) == (operation.status, operation.status)
    assert (second.content, second["Content-Type"]) == (first.content, first["Content-Type"])
    assert (first.headers.get("Idempotency-Replayed"), second["Idempotency-Replayed"]) == (None, "true")
    # Both are calls, so that the second one says what is left after it.
    left = {name: second[name] for name in second.headers if "RateLimit-Remaining" in name}
    assert dict(second.items()) == {**first.headers, **left, "Idempotency-Replayed": "true"}
    assert tenant.audit_events.count() == events


@pytest.mark.parametrize("operation", CREATING, ids=lambda operation: operation.id)
def test_a_stored_answer_is_sealed(operation: Operation, api: Call, tenant: Tenant, token: IssuedApiToken) -> None:
    """An answer may have the signature of a form, a link to a file, or the password in a profile."""
    path = examples.path(operation, examples.objects(operation, tenant))
    answer = api("POST", path, token, json=examples.body(operation), headers={"idempotency-key": KEY})
    texts = [text for text in _texts(answer.json()) if len(text) >= 8]
    assert texts
    stored = tenant.idempotent_calls.get().answer
    assert [text for text in texts if text in stored] == []
    assert answer.content not in base64.b64decode(stored.partition(":")[2])


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [text for each in (value.values() if isinstance(value, dict) else value) for text in _texts(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("sealed", [True, False])  # answers of a former version are not sealed
def test_a_stored_answer_moves_to_the_newest_key(create_tag: Any, tenant: Tenant, settings: Any, sealed: bool) -> None:
    answer = create_tag("Lab")
    if not sealed:
        tenant.idempotent_calls.update(answer=answer.content.decode())
        assert create_tag("Lab").content == answer.content
    settings.IRU_SECRET_KEYS = [f"2:{'4' * 64}", *settings.IRU_SECRET_KEYS]
    call_command("rewrap_secrets")
    settings.IRU_SECRET_KEYS = settings.IRU_SECRET_KEYS[:1]
    assert create_tag("Lab").content == answer.content
    assert tenant.idempotent_calls.get().answer.startswith("2:")


def test_an_answer_that_waits_for_another_server_is_stored_after_it(
    api: Call, apple: Apple, tenant: Tenant, token: IssuedApiToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a transaction that waits for Apple would block every other writer of SQLite."""
    apple.credentials = KNOWN_CREDENTIALS
    (operation,) = [each for each in CREATING if each.asks_elsewhere]
    path = examples.path(operation, examples.objects(operation, tenant))
    opened, depths = ade._opened, []

    def recording(*given: Any) -> Any:
        depths.append(len(connection.savepoint_ids))
        return opened(*given)

    monkeypatch.setattr(ade, "_opened", recording)
    depths.append(len(connection.savepoint_ids))
    answer = api("POST", path, token, json=examples.body(operation), headers={"idempotency-key": KEY})
    assert answer.status_code == 200
    assert depths == [0, 0]


def test_the_same_key_with_another_body_is_a_422(create_tag: Any, tenant: Tenant) -> None:
    create_tag("Lab")
    answer = create_tag("Sales")
    assert answer.status_code == 422
    assert answer.json() == {"detail": "This Idempotency-Key was sent before, with another request."}
    assert list(tenant.tags.values_list("name", flat=True)) == ["Lab"]


def test_the_same_key_for_another_operation_is_a_422(create_tag: Any, api: Call, token: IssuedApiToken) -> None:
    create_tag("Lab")
    body = {"name": "Lab", "enrollment_code": {"is_active": True}}
    assert api("POST", "/api/v1/blueprints", token, json=body, headers={"idempotency-key": KEY}).status_code == 422


def test_the_order_of_the_fields_does_not_matter(api: Call, token: IssuedApiToken) -> None:
    bodies: list[dict[str, Any]] = [
        {"name": "Lab", "enrollment_code": {"is_active": True}},
        {"enrollment_code": {"is_active": True}, "name": "Lab"},
    ]
    answers = [api("POST", "/api/v1/blueprints", token, json=body, headers={"idempotency-key": KEY}) for body in bodies]
    assert answers[0].json()["id"] == answers[1].json()["id"]


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_call_in_progress_is_a_409(create_tag: Any, tenant: Tenant, seconds: int) -> None:
    create_tag("Lab")
    started = timezone.now() - timedelta(seconds=seconds)
    tenant.idempotent_calls.update(status=None, answer="", started_at=started)
    answer = create_tag("Lab")
    assert (answer.status_code, answer["Retry-After"]) == (409, "1")
    assert answer.json() == {"detail": "A call with this Idempotency-Key is in progress."}


def test_a_call_that_lost_its_server_is_made_again(create_tag: Any, tenant: Tenant) -> None:
    create_tag("Lab")
    tenant.tags.get().delete()  # the object and the answer are committed together, so neither is there
    tenant.idempotent_calls.update(status=None, answer="", started_at=timezone.now() - LOST_AFTER)
    assert create_tag("Lab").status_code == 201
    assert create_tag("Lab")["Idempotency-Replayed"] == "true"
    assert tenant.tags.count() == 1


def test_after_an_error_the_key_is_free(create_tag: Any, tenant: Tenant) -> None:
    create_tag("Lab", "first")
    assert create_tag("Lab").status_code == 400
    assert create_tag("Sales").status_code == 201
    assert tenant.idempotent_calls.count() == 2


def test_without_its_answer_nothing_is_created(
    create_tag: Any, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: QuerySet[Any], **values: Any) -> int:
        raise DatabaseError

    monkeypatch.setattr(QuerySet, "update", fail)
    assert create_tag("Lab").status_code == 500
    monkeypatch.undo()
    assert not tenant.tags.exists()
    assert create_tag("Lab").status_code == 201


def test_a_request_that_took_too_long_gives_way(
    create_tag: Any, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another request took the call over meanwhile: the first one's object is not committed."""
    create = tags.create_tag

    def slow(**values: Any) -> Tag:
        made = create(**values)
        tenant.idempotent_calls.update(attempt=uuid4())
        return made

    monkeypatch.setattr(tags, "create_tag", slow)
    assert create_tag("Lab").status_code == 409
    assert not tenant.tags.exists()


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "ü", "tab\t"])
def test_a_malformed_key_is_a_400(create_tag: Any, tenant: Tenant, key: str) -> None:
    answer = create_tag("Lab", key)
    assert answer.status_code == 400
    assert answer.json() == {"detail": "An Idempotency-Key is 1 to 255 visible ASCII characters."}
    assert not tenant.tags.exists()


def test_a_key_belongs_to_its_token(create_tag: Any, issue_token: IssueToken, tenant: Tenant) -> None:
    create_tag("Lab")
    answer = create_tag("Sales", by=issue_token("create_tag"))
    assert answer.status_code == 201
    assert tenant.tags.count() == 2


def test_an_answer_is_repeated_only_to_a_token_that_may_still_call(
    create_tag: Any, token: IssuedApiToken, tenant: Tenant
) -> None:
    create_tag("Lab")
    tenant.api_tokens.filter(pk=token.pk).update(permissions=[])
    assert create_tag("Lab").status_code == 403
    tenant.api_tokens.filter(pk=token.pk).update(revoked_at=timezone.now())
    assert create_tag("Lab").status_code == 401


def test_a_key_is_kept_for_a_day(create_tag: Any, tenant: Tenant) -> None:
    create_tag("Lab")
    forget_calls.func()
    assert create_tag("Lab")["Idempotency-Replayed"] == "true"
    tenant.idempotent_calls.update(started_at=timezone.now() - KEPT)
    assert create_tag("Sales").status_code == 201  # another request, long after
    tenant.idempotent_calls.update(started_at=timezone.now() - KEPT - timedelta(seconds=1))
    forget_calls.func()
    assert not IdempotentCall.objects.exists()


def test_a_key_means_nothing_to_other_operations(api: Call, token: IssuedApiToken, tenant: Tenant) -> None:
    assert api("GET", "/api/v1/tags", token, headers={"idempotency-key": "two words"}).status_code == 200
    assert not tenant.idempotent_calls.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_of_many_calls_at_once_one_creates(create_tag: Any, tenant: Tenant, token: IssuedApiToken) -> None:
    start = Barrier(8)

    def work(_: int) -> Response:
        try:
            start.wait()
            return create_tag("Lab")  # type: ignore[no-any-return]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))

    assert {answer.status_code for answer in answers} <= {201, 409}
    created = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in created}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in created) == 1
    assert tenant.tags.count() == 1
