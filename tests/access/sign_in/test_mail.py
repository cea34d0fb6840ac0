"""Password mail, from the queue to the mail server. tests/access/pages/test_session.py follows the link."""

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.db import connection
from django.tasks import TaskResultStatus
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.models import Administrator, Tenant
from access.sign_in.mail import send_password_link, send_password_mail
from tests.factories.access import AdministratorFactory
from tests.types import RunTasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def person(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant, email="person@accuhive.test")


def make_due() -> None:
    DBTaskResult.objects.filter(status=TaskResultStatus.READY).update(run_after=timezone.now())


def test_a_mail_server_that_is_away_is_tried_again(
    person: Administrator, run_tasks: RunTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(message: EmailMessage) -> None:
        raise ConnectionRefusedError

    send_password_link(person.email, "localhost")
    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", refuse)
        run_tasks()
    assert not mail.outbox
    make_due()
    run_tasks()
    (message,) = mail.outbox
    assert message.to == [person.email]
    assert DBTaskResult.objects.get().status == TaskResultStatus.SUCCESSFUL


def test_a_second_sending_carries_the_same_message_id(person: Administrator) -> None:
    send_password_link(person.email, "localhost")
    send_password_link(person.email, "localhost")
    for row in DBTaskResult.objects.order_by("enqueued_at"):
        for _ in range(2):  # as after a worker that was lost once the mail was out
            send_password_mail.call(*row.args_kwargs["args"])
    first, again, other, _ = (message.extra_headers["Message-ID"] for message in mail.outbox)
    assert first == again != other


def test_the_queue_holds_no_link(person: Administrator) -> None:
    send_password_link(person.email, "localhost")
    row = DBTaskResult.objects.get()
    email, host, key = row.args_kwargs["args"]
    assert (email, host, len(key)) == (person.email, "localhost", 36)


@pytest.mark.parametrize("email", ["person@accuhive.test", "nobody@accuhive.test"])
def test_asking_for_a_link_looks_for_no_account(person: Administrator, client: Client, email: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        client.post("/password/reset/", {"email": email})
    statements = [query["sql"] for query in queries.captured_queries]
    assert any("django_tasks_database_dbtaskresult" in sql for sql in statements)
    assert not any("access_administrator" in sql for sql in statements)


def test_a_suspended_person_gets_no_mail(person: Administrator, run_tasks: RunTasks) -> None:
    Administrator.objects.filter(pk=person.pk).update(is_active=False)
    send_password_link(person.email, "localhost")
    assert run_tasks() == 1
    assert not mail.outbox
