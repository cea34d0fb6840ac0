import re

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from access.models import Administrator, AuditEvent, CountedAttempt, Role, Tenant
from access.sign_in.sessions import AUTHENTICATED_AT
from tests.factories.access import AdministratorFactory, AuthenticatorFactory
from tests.types import IssueToken

pytestmark = pytest.mark.slow

PASSWORD = "four unrelated words suffice"
OWN = "the operator has another one"
PAGE = "admin:access_administrator_changelist"


def test_removing_goes_through_the_service(console: Client, owner: Administrator, tenant: Tenant) -> None:
    person = AdministratorFactory.create(tenant=tenant, is_active=False)
    console.post(
        reverse("admin:access_administrator_changelist"),
        {"action": "remove", "_selected_action": [owner.pk, person.pk], "confirmed": "yes"},
    )

    assert list(tenant.administrators.all()) == [owner]
    assert AuditEvent.objects.exclude(tenant=None).latest("sequence").summary == "Administrator removed"


def test_removing_asks_first_and_names_people_and_tokens(
    console: Client, tenant: Tenant, owner: Administrator, operator: Administrator, issue_token: IssueToken
) -> None:
    person = AdministratorFactory.create(tenant=tenant, is_active=False)
    other = AdministratorFactory.create(tenant=tenant)
    for revoked in (False, False, True):
        issue_token(created_by=person, revoked=revoked)
    page = reverse("admin:access_administrator_changelist")
    everybody = console.post(page, {"action": "remove", "_selected_action": [owner.pk, operator.pk, other.pk]})
    listed = " ".join(everybody.content.decode().split())
    assert f"({owner.email}), Account Owner of Accuhive: stays" in listed
    assert f"({operator.email}), operator: stays" in listed
    assert f"({other.email}), Admin of Accuhive: stays, because only suspended people are removed" in listed
    question = console.post(page, {"action": "remove", "_selected_action": [person.pk]})
    text = " ".join(question.content.decode().split())
    assert f"{escape(person.name)} ({person.email}), Admin of Accuhive: 2 tokens in force" in text
    assert other.email not in text
    assert Administrator.objects.filter(pk=person.pk).exists()
    console.post(page, dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text)))
    assert set(tenant.administrators.all()) == {owner, other}


def test_choosing_a_password_for_somebody_wants_the_operators_own_again(
    console: Client, operator: Administrator, tenant: Tenant
) -> None:
    operator.set_password(OWN)
    operator.save(update_fields=["password"])
    console.force_login(operator)
    url = reverse("admin:access_administrator_add")
    assert "own_password" not in console.get(url).content.decode()
    session = console.session
    session[AUTHENTICATED_AT] -= 11 * 60
    session.save()
    assert "own_password" in console.get(url).content.decode()
    fields = {"tenant": tenant.subdomain, "email": "new@accuhive.test", "role": Role.ADMIN, "password": PASSWORD}
    for own, words in (("", "Enter your password."), ("wrong", "That is not your password.")):
        answer = console.post(url, {**fields, "own_password": own})
        assert (answer.status_code, words in answer.content.decode()) == (200, True)
    assert not tenant.administrators.exists()
    assert CountedAttempt.objects.count() == 2  # of the account and of the address, for the wrong one
    without = {**fields, "email": "other@accuhive.test", "password": ""}
    assert console.post(url, without).status_code == 302  # that person is invited
    assert console.post(url, {**fields, "own_password": OWN}).status_code == 302
    assert tenant.administrators.get(email="new@accuhive.test").check_password(PASSWORD)


def test_operators_suspend_invite_and_unsuspend(console: Client, tenant: Tenant, owner: Administrator) -> None:
    page = reverse("admin:access_administrator_changelist")
    person = AdministratorFactory.create(tenant=tenant, pending=True)
    for action, status in (("invite_again", "pending"), ("suspend", "suspended"), ("unsuspend", "pending")):
        sent = {"action": action, "_selected_action": [person.pk, owner.pk], "confirmed": "yes"}
        answer = console.post(page, sent, follow=True)
        assert answer.status_code == 200
        person.refresh_from_db()
        assert person.status == status
    owner.refresh_from_db()
    assert owner.is_active
    assert [event.summary for event in tenant.audit_events.order_by("sequence")] == [
        "Invitation sent again",
        "Administrator suspended",
        "Administrator unsuspended",
    ]


def test_a_person_is_added_through_the_service(console: Client, tenant: Tenant) -> None:
    fields = {
        "tenant": tenant.subdomain,
        "email": "New@accuhive.test",
        "first_name": "N",
        "last_name": "P",
        "role": Role.ADMIN,
    }
    weak = console.post(reverse("admin:access_administrator_add"), {**fields, "password": "short"})
    assert weak.status_code == 200
    assert not tenant.administrators.exists()
    console.post(reverse("admin:access_administrator_add"), {**fields, "password": PASSWORD})

    person = tenant.administrators.get()
    assert (person.email, person.is_staff, person.check_password(PASSWORD)) == ("new@accuhive.test", False, True)
    assert tenant.audit_events.get().summary == "Administrator added"
    again = console.post(reverse("admin:access_administrator_add"), {**fields, "password": ""})
    assert again.status_code == 200  # the form again, not a crash


@pytest.mark.parametrize("password", ["short", "wonderland.alice@accuhive"])
def test_a_weak_password_is_sent_back(console: Client, tenant: Tenant, password: str) -> None:
    sent = {
        "tenant": tenant.subdomain,
        "email": "wonderland.alice@accuhive.test",
        "role": Role.ADMIN,
        "password": password,
    }
    answer = console.post(reverse("admin:access_administrator_add"), sent)
    assert answer.status_code == 200
    assert answer.context["errors"]
    assert not Administrator.objects.filter(tenant=tenant).exists()


def test_operators_change_an_access_level_and_the_sessions_of_the_person_end(
    console: Client, tenant: Tenant, owner: Administrator
) -> None:
    person = AdministratorFactory.create(tenant=tenant, role=Role.ADMIN)
    theirs = Client()
    theirs.force_login(person)
    page, sent = reverse(PAGE), {"action": "change_role", "_selected_action": [person.pk, owner.pk]}
    question = console.post(page, sent)
    assert "Change the access level?" in question.content.decode()
    assert console.post(page, {**sent, "confirmed": "yes", "role": Role.OWNER}).status_code == 200  # asked again
    person.refresh_from_db()
    assert person.role == Role.ADMIN
    answer = console.post(page, {**sent, "confirmed": "yes", "role": Role.AUDITOR}, follow=True)
    person.refresh_from_db()
    owner.refresh_from_db()
    assert (person.role, owner.role) == (Role.AUDITOR, Role.OWNER)
    assert "Transfer the ownership to change the Account Owner." in answer.content.decode()
    assert tenant.audit_events.latest("sequence").summary == "Access level changed"
    assert theirs.get("/account/").status_code == 302


def test_operators_transfer_the_ownership(
    console: Client, operator: Administrator, tenant: Tenant, owner: Administrator
) -> None:
    person = AdministratorFactory.create(tenant=tenant, role=Role.ADMIN)
    standard = AdministratorFactory.create(tenant=tenant, role=Role.STANDARD)
    page, sent = reverse(PAGE), {"action": "transfer", "_selected_action": [person.pk]}
    question = " ".join(console.post(page, sent).content.decode().split())
    assert escape(f"({person.email}), Admin of Accuhive, in place of {owner.name}") in question
    owner.refresh_from_db()
    assert owner.role == Role.OWNER
    refused = console.post(page, {**sent, "_selected_action": [standard.pk], "confirmed": "yes"}, follow=True)
    assert "The ownership goes to an active Admin." in refused.content.decode()
    console.post(page, {**sent, "confirmed": "yes"})
    person.refresh_from_db()
    owner.refresh_from_db()
    assert (person.role, owner.role) == (Role.OWNER, Role.ADMIN)
    event = tenant.audit_events.latest("sequence")
    assert (event.summary, event.actor_id) == ("Ownership transferred", str(operator.pk))
    console.post(page, {"action": "suspend", "_selected_action": [owner.pk], "confirmed": "yes"})
    owner.refresh_from_db()
    assert not owner.is_active  # as the refusal to suspend an Account Owner promised


def test_a_transfer_asks_for_the_operators_password_when_that_was_long_ago(
    console: Client, operator: Administrator, tenant: Tenant, owner: Administrator
) -> None:
    operator.set_password(OWN)
    operator.save(update_fields=["password"])
    console.force_login(operator)
    session = console.session
    session[AUTHENTICATED_AT] -= 11 * 60
    session.save()
    person = AdministratorFactory.create(tenant=tenant, role=Role.ADMIN)
    sent = {"action": "transfer", "_selected_action": [person.pk], "confirmed": "yes"}
    wrong = console.post(reverse(PAGE), {**sent, "password": "wrong"})
    assert "That is not your password." in wrong.content.decode()
    assert CountedAttempt.objects.count() == 2  # of the account and of the address: once
    person.refresh_from_db()
    assert person.role == Role.ADMIN
    console.post(reverse(PAGE), {**sent, "password": OWN})
    person.refresh_from_db()
    assert person.role == Role.OWNER


def test_operators_remove_authenticators(console: Client, tenant: Tenant) -> None:
    person = AdministratorFactory.create(tenant=tenant)
    AuthenticatorFactory.create(user=person)
    sent = {"action": "take_away_authenticators", "_selected_action": [person.pk]}
    console.post(reverse(PAGE), sent)
    assert Authenticator.objects.filter(user=person).exists()
    console.post(reverse(PAGE), {**sent, "confirmed": "yes"})
    assert not Authenticator.objects.filter(user=person).exists()


def test_an_action_that_began_on_a_page_leads_back_to_it(console: Client, tenant: Tenant) -> None:
    person = AdministratorFactory.create(tenant=tenant)
    page = reverse("admin:access_administrator_change", args=[person.pk])
    shown = console.get(page).content.decode()
    assert re.findall(r'name="action" value="(\w+)"', shown) == [
        "change_role",
        "transfer",
        "take_away_authenticators",
        "suspend",
    ]
    sent = {"action": "suspend", "_selected_action": [person.pk], "confirmed": "yes"}
    assert console.post(reverse(PAGE), {**sent, "next": page}).headers["Location"] == page
    away = console.post(reverse(PAGE), {**sent, "next": "//elsewhere.example/"})
    assert away.headers["Location"] == reverse(PAGE)


@pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
def test_a_taken_address_and_a_second_owner_are_said_at_their_fields(
    console: Client, tenant: Tenant, owner: Administrator, role: Role
) -> None:
    email = "new@accuhive.test" if role == Role.OWNER else owner.email
    sent = {"tenant": tenant.subdomain, "email": email, "role": role, "password": ""}
    answer = console.post(reverse("admin:access_administrator_add"), sent)
    errors = answer.context["adminform"].form.errors
    assert answer.status_code == 200
    assert list(errors) == ["role" if role == Role.OWNER else "email"]
    assert "one_account_owner" not in answer.content.decode()
    assert tenant.administrators.count() == 1
