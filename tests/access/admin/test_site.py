"""Who may use Django admin, an operator's own password, and the start page."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access.installation.state import installation_facts
from access.models import Administrator, ApiToken, CountedAttempt, Schedule, TaskLease, Tenant, TokenUse
from access.sign_in.upkeep import clear_sessions
from devices.models import AdeIntegration
from tests.factories.access import TenantFactory
from tests.factories.everything import something_of_everything
from tests.types import IssueToken

pytestmark = pytest.mark.slow

PASSWORD = "four unrelated words suffice"


@pytest.mark.parametrize("path", ["/admin/", "/admin/access/apitoken/", "/admin/access/auditevent/"])
def test_administrators_of_a_tenant_cannot_open_django_admin(owner: Administrator, path: str) -> None:
    client = Client()
    anonymous = client.get(path)
    assert anonymous.status_code == 302
    client.force_login(owner)
    assert client.get(path).status_code in {302, 403}


def test_old_passwords_are_counted_like_sign_ins(console: Client, operator: Administrator) -> None:
    operator.set_password(PASSWORD)
    operator.save(update_fields=["password"])
    console.force_login(operator)
    new = "another four unrelated words"
    sent = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    assert [console.post("/admin/password_change/", sent).status_code for _ in range(11)] == [200] * 10 + [429]
    CountedAttempt.objects.all().delete()
    assert console.post("/admin/password_change/", {**sent, "old_password": PASSWORD}).status_code == 302
    operator.refresh_from_db()
    assert operator.check_password(new)


def facts() -> dict[str, tuple[object, bool]]:
    return {fact.label: (fact.value, fact.alarm) for fact in installation_facts()}


@pytest.mark.django_db
def test_the_start_page_counts(tenant: Tenant, issue_token: IssueToken) -> None:
    TenantFactory.create(active=False)
    token, _ = issue_token(), issue_token(revoked=True)
    today = timezone.now().date()
    TokenUse.objects.create(token=token, day=today, operation="list_devices", calls=3, denied=1)
    TokenUse.objects.create(token=token, day=today - timedelta(days=1), operation="list_devices", calls=50)
    assert [facts()[name][0] for name in ("Tenants", "Active API tokens", "Calls today")] == [2, 1, 4]


@pytest.mark.django_db
def test_the_start_page_says_whether_a_worker_is_alive() -> None:
    assert facts()["Background workers"] == ("None", True)
    row = Schedule.objects.create(name="a", next=timezone.now())
    assert facts()["Background workers"] == ("Alive", False)
    row.next -= timedelta(minutes=3)
    row.save()
    assert facts()["Background workers"] == ("None", True)
    clear_sessions.enqueue()  # a worker that is busy with a long task enqueues nothing
    until = timezone.now() + timedelta(seconds=9)
    TaskLease.objects.create(task=DBTaskResult.objects.get(), worker="w", until=until)
    assert facts()["Background workers"] == ("1 at work", False)


@pytest.mark.django_db
def test_the_start_page_says_what_waits_and_what_failed() -> None:
    clear_sessions.enqueue()
    task = DBTaskResult.objects.get()
    assert facts()["Oldest waiting task"] == ("less than a minute", False)
    DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(minutes=7))
    assert facts()["Oldest waiting task"] == ("7 minutes", True)
    task.set_failed(ValueError("no"))
    assert facts()["Oldest waiting task"] == ("None waits", False)
    assert facts()["Failed tasks"] == (1, True)


def test_the_start_page_says_which_tokens_of_apple_expire(token: ApiToken) -> None:
    row = AdeIntegration.objects.get()
    for days, expected in ((31, (0, False)), (29, (1, True)), (-1, (1, True))):
        row.access_token_expiry, row.ciphertext = timezone.now() + timedelta(days=days), b"x"
        row.save()
        assert facts()["Expires soon"] == expected


def test_the_start_page_takes_a_fixed_number_of_queries(console: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert console.get("/admin/").status_code == 200
        return len(captured)

    something_of_everything(TenantFactory.create())
    console.get("/admin/")
    few = queries()
    for tenant in TenantFactory.create_batch(5):
        something_of_everything(tenant)
    assert queries() == few <= 20
