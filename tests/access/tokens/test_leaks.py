"""A reported secret: it is ended, its owners are told, and the reporter learns nothing."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.audit.events import Actor
from access.models import AuditEvent, CountedAttempt, OwnerNotice
from access.tokens.lifecycle import disable_token, revoke_token
from access.tokens.rotation import rotate_token
from access.webhooks import lifecycle as webhooks
from tests.types import Call, IssuedApiToken, IssueToken, Response, RunTasks

PATH = "/api/v1/tokens/leaked"


def report(api: Call, secret: str, address: str = "198.51.100.7", **options: Any) -> Response:
    return api("POST", PATH, json={"token": secret}, REMOTE_ADDR=address, **options)


def status(api: Call, token: IssuedApiToken, secret: str = "") -> int:
    return int(api("GET", "/api/v1/token", secret or token.secret).status_code)


@pytest.mark.parametrize("host", ["accuhive.api.iru.test", "elsewhere.api.iru.test", "localhost"])
def test_a_reported_token_is_disabled_and_its_owners_told(
    host: str, api: Call, issue_token: IssueToken, run_tasks: RunTasks, other_tenant: Any, owner: Any
) -> None:
    token, bystander = issue_token("list_devices", name="Sync"), issue_token()
    assert report(api, token.secret.upper(), host=host).status_code == 202
    run_tasks()
    assert (status(api, token), status(api, bystander)) == (401, 200)
    event = AuditEvent.objects.get(target_id=str(token.id), summary="Token reported as leaked and disabled")
    assert (event.actor_name, event.actor_type) == ("Leak report", "system")
    notice = OwnerNotice.objects.get(kind="token.leaked")
    assert (notice.subject, notice.facts["From"]) == ("Sync", "198.51.100.7")


def test_known_and_unknown_secrets_are_answered_alike_and_stored_nowhere(api: Call, issue_token: IssueToken) -> None:
    token = issue_token()
    revoked = issue_token(revoked=True)
    answers = [report(api, secret) for secret in (token.secret, revoked.secret, str(uuid.uuid4()), "garbage")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    rows = list(DBTaskResult.objects.filter(task_path__endswith="disable_leaked").values("args_kwargs"))
    assert len(rows) == 3  # garbage can be no secret
    assert token.secret not in str(rows)
    assert "198.51" not in str(list(CountedAttempt.objects.values()))


def test_a_second_report_or_one_of_a_dead_token_changes_nothing(
    api: Call, issue_token: IssueToken, run_tasks: RunTasks
) -> None:
    token, disabled, revoked = issue_token(), issue_token(), issue_token()
    one: dict[str, Any] = {"tenant": token.tenant, "actor": Actor.command("test")}
    disable_token(token_id=disabled.id, **one)
    revoke_token(token_id=revoked.id, **one)
    report(api, token.secret)
    run_tasks()
    before = AuditEvent.objects.count()
    for each in (token, disabled, revoked):
        report(api, each.secret)
    run_tasks()
    assert AuditEvent.objects.count() == before
    assert OwnerNotice.objects.filter(kind="token.leaked").count() <= 1


def test_a_former_secret_is_ended_and_the_token_goes_on(
    api: Call, issue_token: IssueToken, run_tasks: RunTasks
) -> None:
    token = issue_token()
    issued = rotate_token(tenant=token.tenant, token_id=token.id, overlap="24h", actor=Actor.command("test"))
    report(api, token.secret)
    run_tasks()
    assert (status(api, token), status(api, token, issued.secret)) == (401, 200)
    assert AuditEvent.objects.filter(summary="Former secret of token reported as leaked and ended").count() == 1


def test_a_webhook_gets_the_message(api: Call, issue_token: IssueToken, run_tasks: RunTasks, owner: Any) -> None:
    token = issue_token()
    hook = webhooks.create_webhook(
        tenant=token.tenant,
        url="https://93.184.215.14/",
        kinds=["token.leaked"],
        audit=False,
        actor=Actor.command("test"),
    ).webhook
    report(api, token.secret)
    run_tasks()
    assert list(hook.deliveries.values_list("kind", flat=True)) == ["token.leaked"]


def test_the_limit_is_counted_by_network_and_its_answer_is_that_of_the_contract(api: Call, tenant: Any) -> None:
    # The first counted report is the oldest, so the wait is that until it is forgotten.
    assert [report(api, "x", f"2001:db8::{n}").status_code for n in range(1, 31)] == [202] * 30
    refused = report(api, "x", "2001:db8::ffff")
    assert refused.status_code == 429
    assert refused.json() == {"message": "API rate limit exceeded", "detail": "Request was throttled."}
    assert 290 <= int(refused["Retry-After"]) <= 300
    assert report(api, "x", "2001:db8:0:1::1").status_code == 202
    CountedAttempt.objects.update(at=timezone.now() - timedelta(minutes=6))
    assert report(api, "x", "2001:db8::1").status_code == 202


@pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": "x" * 1001}, {"token": ["a"]}, []])
def test_a_report_without_a_secret_is_refused(body: Any, api: Call, tenant: Any) -> None:
    assert api("POST", PATH, json=body).status_code == 400
