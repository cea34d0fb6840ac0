"""Mail to the Account Owner, from the change to the mail server."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import transaction
from django.tasks import TaskResultStatus
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.audit.events import Actor
from access.kinds import KINDS, MAILED, TOKEN_CREATED, TOKEN_NEW_NETWORK, Kind
from access.models import Administrator, OwnerNotice, Role, Tenant
from access.notices.mail import LISTED, MAILS_AN_HOUR, mail_owners, send_notices, send_waiting_notices
from access.permissions import catalogue
from access.sign_in.sessions import AUTHENTICATED_AT
from access.tokens.lifecycle import create_token, revoke_token, set_permissions
from access.tokens.notices import notify
from tests.factories.access import AdministratorFactory
from tests.types import IssueToken, RunTasks

pytestmark = pytest.mark.django_db

ACTOR = Actor.command("test")
SENSITIVE = [permission.codename for permission in catalogue if permission.sensitive]


@pytest.fixture(autouse=True)
def people(owner: Administrator, other_tenant: Tenant) -> None:
    """The owner, others of the tenant who get no mail, and the owner of another tenant."""
    for role in (Role.ADMIN, Role.AUDITOR):
        AdministratorFactory.create(tenant=owner.tenant, role=role)
    AdministratorFactory.create(tenant=other_tenant, role=Role.OWNER)


@pytest.fixture
def advance(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    now = [timezone.now()]
    monkeypatch.setattr(timezone, "now", lambda: now[0])

    def advance(by: timedelta) -> None:
        now[0] += by

    return advance


def body() -> str:
    (message,) = mail.outbox
    return str(message.body)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.id)
def test_the_owner_is_mailed_about_the_kinds_that_say_so(
    owner: Administrator, issue_token: IssueToken, run_tasks: RunTasks, kind: Kind
) -> None:
    token = issue_token(name="Okta\nWorkflows <b>")
    OwnerNotice.objects.all().delete()
    actor = Actor.of(owner, "203.0.113.7")
    with transaction.atomic():
        notify(kind=kind, token=token, actor=actor, facts={"Network": "198.51.100.0/24"})
    run_tasks()
    if kind not in MAILED:
        assert not mail.outbox
        return
    (message,) = mail.outbox
    assert message.to == [owner.email]
    assert message.subject == f"Iru Endpoint: {kind.label}: Okta Workflows <b>"
    text = str(message.body)
    for part in (
        f"Hello {owner.name},",
        "this happened at Accuhive:",
        f"{kind.label}: “Okta Workflows <b>”",
        f"Who: {owner.name} (Administrator)",
        "From: 203.0.113.7",
        "Network: 198.51.100.0/24",
        f"When: {timezone.now():%Y-%m-%d %H:}",
        " UTC\n",
        f"http://testserver/access/tokens/{token.id}/",
        kind.advice,
    ):
        assert part in text
    assert token.secret not in text


def test_a_new_token_with_sensitive_permissions(tenant: Tenant, owner: Administrator, run_tasks: RunTasks) -> None:
    create_token(tenant=tenant, name="Wipes", actor=ACTOR, permissions=SENSITIVE[:1])
    run_tasks()
    events = [message.subject for message in mail.outbox] + [str(message.body) for message in mail.outbox]
    assert any("API token created: “Wipes”" in each for each in events)
    assert any("Sensitive permissions granted: “Wipes”" in each for each in events)
    (label,) = (permission.label for permission in catalogue if permission.codename == SENSITIVE[0])
    assert any(f"Permissions: {label}" in each for each in events)


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ([], ["list_devices"], None),
        (SENSITIVE[:1], [], None),
        (SENSITIVE[:1], [*SENSITIVE[:1], "list_devices"], None),
        (SENSITIVE[:1], SENSITIVE[:2], SENSITIVE[1:2]),
        ([], SENSITIVE, SENSITIVE),
    ],
)
def test_only_added_sensitive_permissions_are_news(
    tenant: Tenant, issue_token: IssueToken, before: list[str], after: list[str], named: list[str] | None
) -> None:
    token = issue_token(*before)
    OwnerNotice.objects.all().delete()
    set_permissions(tenant=tenant, token_id=token.id, permissions=after, version=token.version, actor=ACTOR)
    if named is None:
        assert not OwnerNotice.objects.exists()
        return
    notice = OwnerNotice.objects.get()
    labels = [permission.label for permission in catalogue if permission.codename in named]
    others = f" and {len(labels) - 10} more" if len(labels) > 10 else ""
    assert notice.facts["Permissions"] == ", ".join(labels[:10]) + others


def test_a_change_that_is_rolled_back_mails_nobody(tenant: Tenant, run_tasks: RunTasks) -> None:
    with transaction.atomic():
        create_token(tenant=tenant, name="No", actor=ACTOR)
        transaction.set_rollback(True)
    assert run_tasks() == 0
    assert not OwnerNotice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_notice_belongs_inside_a_transaction(tenant: Tenant) -> None:
    with pytest.raises(RuntimeError):
        mail_owners(tenant=tenant, kind=TOKEN_CREATED, subject="", path="/", facts={}, at=timezone.now())


def test_a_revoked_token_is_no_mail(tenant: Tenant, issue_token: IssueToken, run_tasks: RunTasks) -> None:
    token = issue_token()
    run_tasks()
    mail.outbox.clear()
    revoke_token(tenant=tenant, token_id=token.id, actor=ACTOR)
    run_tasks()
    assert not mail.outbox


def test_a_suspended_owner_gets_no_mail(tenant: Tenant, owner: Administrator, run_tasks: RunTasks) -> None:
    Administrator.objects.filter(pk=owner.pk).update(is_active=False)
    create_token(tenant=tenant, name="New", actor=ACTOR)
    run_tasks()
    assert not mail.outbox


def test_a_thousand_tokens_are_a_dozen_mails(
    tenant: Tenant, run_tasks: RunTasks, advance: Callable[[timedelta], None]
) -> None:
    for number in range(MAILS_AN_HOUR + 3):
        create_token(tenant=tenant, name=f"Single {number}", actor=ACTOR)
        run_tasks()
    assert len(mail.outbox) == MAILS_AN_HOUR
    with transaction.atomic():
        for number in range(1000):
            mail_owners(tenant=tenant, kind=TOKEN_CREATED, subject=f"T{number}", path="/", facts={}, at=timezone.now())
    run_tasks()
    send_waiting_notices.call()
    run_tasks()
    assert len(mail.outbox) == MAILS_AN_HOUR

    advance(timedelta(minutes=61))
    send_waiting_notices.call()
    run_tasks()
    assert len(mail.outbox) == MAILS_AN_HOUR + 1
    last = mail.outbox[-1]
    assert last.subject == "Iru Endpoint: 1003 events that you should know of"
    assert "“Single 10”" in str(last.body)  # the first that had to wait
    assert f"And {1003 - LISTED} more." in str(last.body)
    assert not OwnerNotice.objects.filter(mailed_at=None).exists()


def test_another_tenant_has_its_own_mails_of_an_hour(tenant: Tenant, other_tenant: Tenant, run_tasks: RunTasks) -> None:
    for number in range(MAILS_AN_HOUR + 1):
        create_token(tenant=tenant, name=f"Ours {number}", actor=ACTOR)
        run_tasks()
    mail.outbox.clear()
    create_token(tenant=other_tenant, name="Theirs", actor=ACTOR)
    run_tasks()
    assert "“Theirs”" in body()
    assert "Ours" not in body()


def test_a_mail_server_that_is_away_is_tried_again(
    tenant: Tenant, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch, advance: Callable[[timedelta], None]
) -> None:
    def refuse(message: EmailMessage) -> None:
        raise ConnectionRefusedError

    create_token(tenant=tenant, name="New", actor=ACTOR)
    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", refuse)
        for _ in range(8):  # more often than its retries
            run_tasks()
            DBTaskResult.objects.filter(status=TaskResultStatus.READY).update(run_after=timezone.now())
    assert not mail.outbox
    advance(timedelta(hours=2))
    send_waiting_notices.call()
    run_tasks()
    assert "“New”" in body()


def test_a_second_run_sends_nothing_and_a_lost_worker_sends_the_same_mail(tenant: Tenant) -> None:
    create_token(tenant=tenant, name="New", actor=ACTOR)
    row = DBTaskResult.objects.get(task_path__endswith="send_notices")
    arguments: list[Any] = row.args_kwargs["args"]
    send_notices.call(*arguments)
    send_notices.call(*arguments)
    assert len(mail.outbox) == 1
    OwnerNotice.objects.update(mailed_at=None)  # as after a worker that was lost once the mail was out
    send_notices.call(*arguments)
    first, again = (message.extra_headers["Message-ID"] for message in mail.outbox)
    assert first == again


def test_notices_are_deleted_after_a_week(
    tenant: Tenant, run_tasks: RunTasks, advance: Callable[[timedelta], None]
) -> None:
    create_token(tenant=tenant, name="New", actor=ACTOR)
    run_tasks()
    send_waiting_notices.call()
    assert OwnerNotice.objects.exists()
    advance(timedelta(days=8))
    send_waiting_notices.call()
    assert not OwnerNotice.objects.exists()


def test_a_mail_without_an_actor(issue_token: IssueToken, run_tasks: RunTasks) -> None:
    token = issue_token()
    OwnerNotice.objects.all().delete()
    with transaction.atomic():
        notify(kind=TOKEN_NEW_NETWORK, token=token, facts={"From": "192.0.2.7 (network 192.0.2.0/24)"})
    run_tasks()
    assert "Who:" not in body()
    assert "From: 192.0.2.7 (network 192.0.2.0/24)" in body()


def test_the_mail_names_the_address_of_the_browser(tenant: Tenant, owner: Administrator, run_tasks: RunTasks) -> None:
    client = Client(REMOTE_ADDR="203.0.113.9")
    client.force_login(owner)
    session = client.session
    session[AUTHENTICATED_AT] = int(timezone.now().timestamp())
    session.save()
    form = {"name": "From the page", "submission": str(uuid4())}
    assert client.post(reverse("token-create"), form).status_code == 200
    run_tasks()
    assert "  From: 203.0.113.9\n" in body()
