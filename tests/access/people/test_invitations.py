"""Invitations: from the mail to the first sign-in, and every way in which a link stops working."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from access.audit.events import Actor
from access.models import Administrator, Role, Tenant
from access.people.administrators import delete_administrator, suspend_administrator, unsuspend_administrator
from access.people.invitations import InvitationOver, accept, invitation_link, invite_administrator, resend_invitation
from access.sign_in.mail import send_password_link
from tests.factories.access import AdministratorFactory
from tests.types import RunTasks

pytestmark = pytest.mark.django_db
PASSWORD = "seven unrelated words"
ACTOR = Actor.command("test")
CHOSEN = {"password": PASSWORD, "again": PASSWORD}


@pytest.fixture
def person(tenant: Tenant) -> Administrator:
    return invite_administrator(
        tenant=tenant, email="New@accuhive.test", role=Role.AUDITOR, actor=ACTOR, host="testserver", first_name="Noor"
    )


def path_of(person: Administrator) -> str:
    return invitation_link(person, "testserver").removeprefix("http://testserver")


def test_an_invited_person_comes_by_the_mail(person: Administrator, run_tasks: RunTasks, client: Client) -> None:
    assert (person.status, person.has_usable_password()) == ("pending", False)
    run_tasks()
    (message,) = mail.outbox
    assert message.to == ["new@accuhive.test"]
    assert "Hello Noor" in message.body
    assert "Auditor of Accuhive" in message.body
    (link,) = re.findall(r"http://\S+", str(message.body))
    path = link.removeprefix("http://testserver")
    page = client.get(path)
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert page["Referrer-Policy"] == "strict-origin"  # no log of a proxy gets the link from the page's own requests
    assert "You are invited to Accuhive as Auditor" in " ".join(page.content.decode().split())
    assert client.post(path, CHOSEN)["Location"] == "/password/reset/done/"
    person.refresh_from_db()
    assert person.status == "active"
    events = person.tenant.audit_events.order_by("sequence") if person.tenant else []
    assert [event.summary for event in events] == ["Administrator added", "Invitation accepted"]
    assert client.post("/sign-in/", {"login": person.email, "password": PASSWORD})["Location"] == "/"


def test_bad_passwords_are_refused_and_the_link_goes_on(person: Administrator, client: Client) -> None:
    for password, again, words in (
        ("too short", "too short", "too short"),
        (PASSWORD, "another one altogether", "The two passwords are not the same."),
        ("new@accuhive.test", "new@accuhive.test", "too similar"),
        ("", "", "Choose a password."),
    ):
        answer = client.post(path_of(person), {"password": password, "again": again})
        assert answer.status_code == 422
        assert words in answer.content.decode()
    person.refresh_from_db()
    assert person.status == "pending"
    assert client.post(path_of(person), CHOSEN).status_code == 302


def used(person: Administrator, tenant: Tenant) -> None:
    accept(key=path_of(person).split("/")[2], password="eight quite unrelated words", address="")


def late(person: Administrator, tenant: Tenant) -> None:
    Administrator.objects.filter(pk=person.pk).update(invited_at=timezone.now() - timedelta(hours=24, seconds=1))
    person.refresh_from_db()


def replaced(person: Administrator, tenant: Tenant) -> None:
    resend_invitation(tenant=tenant, person_id=person.pk, actor=ACTOR, host="testserver")


def suspended(person: Administrator, tenant: Tenant) -> None:
    suspend_administrator(tenant=tenant, person_id=person.pk, actor=ACTOR)


def deleted(person: Administrator, tenant: Tenant) -> None:
    suspend_administrator(tenant=tenant, person_id=person.pk, actor=ACTOR)
    delete_administrator(tenant=tenant, person_id=person.pk, actor=ACTOR)


def tenant_suspended(person: Administrator, tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(active=False)


@pytest.mark.parametrize("end", [used, late, replaced, suspended, deleted, tenant_suspended])
def test_a_link_that_is_over_opens_nothing(person: Administrator, tenant: Tenant, client: Client, end: Any) -> None:
    path = path_of(person)
    end(person, tenant)
    path = path_of(person) if end is late else path
    before = Administrator.objects.filter(pk=person.pk).values_list("password", "joined_at").first()
    for answer in (client.get(path), client.post(path, CHOSEN)):
        assert answer.status_code == 410
        assert "This invitation has ended" in answer.content.decode()
        assert "new@accuhive.test" not in answer.content.decode()
    assert Administrator.objects.filter(pk=person.pk).values_list("password", "joined_at").first() == before


@pytest.mark.parametrize("key", ["nonsense", "e30:abc", "a:b:c"])
def test_a_link_that_was_never_ours_opens_nothing(client: Client, tenant: Tenant, key: str) -> None:
    assert client.get(f"/invitation/{key}/").status_code == 410


def test_somebody_else_who_is_signed_in_stays_who_they_are(person: Administrator, owner: Administrator) -> None:
    client = Client()
    client.force_login(owner)
    client.post(path_of(person), CHOSEN)
    assert client.get("/access/people/").context["user"] == owner


def test_the_link_works_again_after_a_suspension_that_ended(person: Administrator, tenant: Tenant) -> None:
    suspended(person, tenant)
    unsuspend_administrator(tenant=tenant, person_id=person.pk, actor=ACTOR)
    assert accept(key=path_of(person).split("/")[2], password=PASSWORD, address="").status == "active"


def test_two_who_accept_at_once_are_one(person: Administrator, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second hashes its password while the first is committed."""
    key = path_of(person).split("/")[2]
    hashing = Administrator.set_password

    def slow(self: Administrator, password: str | None) -> None:
        hashing(self, password)
        monkeypatch.setattr(Administrator, "set_password", hashing)
        accept(key=key, password="the words of the first one", address="")

    monkeypatch.setattr(Administrator, "set_password", slow)
    with pytest.raises(InvitationOver):
        accept(key=key, password=PASSWORD, address="")
    person.refresh_from_db()
    assert person.check_password("the words of the first one")


def test_a_pending_person_gets_no_reset_link(person: Administrator, run_tasks: RunTasks) -> None:
    """An invitation to a wrong address ends after 24 hours, and for good."""
    run_tasks()
    mail.outbox.clear()
    send_password_link(person.email, "testserver")
    run_tasks()
    assert not mail.outbox


def test_no_mail_goes_to_a_person_who_is_suspended_before_it_is_sent(
    person: Administrator, tenant: Tenant, run_tasks: RunTasks
) -> None:
    suspended(person, tenant)
    run_tasks()
    assert not mail.outbox


def test_the_command_prints_another_link(person: Administrator, client: Client) -> None:
    before, out, errors = path_of(person), StringIO(), StringIO()
    call_command("invite", "NEW@accuhive.test", "--print-link", stdout=out, stderr=errors)
    assert client.get(before).status_code == 410
    assert client.get(out.getvalue().strip().removeprefix("http://testserver")).status_code == 200
    assert "within 24 hours" in errors.getvalue()


def test_the_command_mails_another_link(person: Administrator, run_tasks: RunTasks) -> None:
    run_tasks()
    call_command("invite", person.email, stdout=StringIO(), stderr=StringIO())
    run_tasks()
    assert len(mail.outbox) == 2


def test_the_command_refuses_people_who_are_there(tenant: Tenant, operator: Administrator) -> None:
    active = AdministratorFactory.create(tenant=tenant)
    for email, words in ((active.email, "is not Pending, but active"), (operator.email, "There is no administrator")):
        with pytest.raises(CommandError, match=words):
            call_command("invite", email)
