"""Access → Admin and authentication: the team members, and what becomes of their sessions and tokens."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from access.models import Administrator, ApiToken, Role, Tenant
from access.sign_in.sessions import AUTHENTICATED_AT
from tests.access.pages.test_permissions import admin, owner
from tests.factories.access import AdministratorFactory
from tests.types import Call, IssueToken, RunTasks

__all__ = ["admin", "owner"]  # fixtures
pytestmark = pytest.mark.django_db
LIST = "/access/people/"
HTMX = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{LIST}"}
PASSWORD = "seven unrelated words"


def page(name: str, person: Administrator) -> str:
    return reverse(f"person-{name}", args=[person.pk])


def signed_in(person: Administrator) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def boss(tenant: Tenant) -> Administrator:
    """The Account Owner, with a password."""
    return AdministratorFactory.create(tenant=tenant, role=Role.OWNER, first_name="Ana", password=PASSWORD)


@pytest.fixture
def leaver(tenant: Tenant) -> Administrator:
    return AdministratorFactory.create(tenant=tenant, first_name="Ada", last_name="Byron", email="ada@accuhive.test")


def names(client: Client, query: str = "") -> list[str]:
    return [person.name for person in client.get(f"{LIST}?{query}").context["page"].object_list]


class TestList:
    def test_people_are_listed_with_their_state(
        self, tenant: Tenant, boss: Administrator, leaver: Administrator
    ) -> None:
        AdministratorFactory.create(tenant=tenant, first_name="Noor", last_name="", pending=True)
        AdministratorFactory.create(tenant=tenant, first_name="Zoe", last_name="", is_active=False, role=Role.AUDITOR)
        client = signed_in(boss)
        assert names(client) == ["Ada Byron", boss.name, "Noor", "Zoe"]
        assert names(client, "status=pending") == ["Noor"]
        assert names(client, "status=suspended") == ["Zoe"]
        assert names(client, "status=active") == ["Ada Byron", boss.name]
        assert names(client, "role=auditor") == ["Zoe"]
        assert names(client, "q=BYRON+ada") == ["Ada Byron"]
        assert names(client, "q=accuhive.test&page=x") == ["Ada Byron", boss.name, "Noor", "Zoe"]
        assert names(client, "status=nonsense") == []

    def test_other_tenants_and_operators_are_not_listed(
        self, boss: Administrator, other_tenant: Tenant, operator: Administrator
    ) -> None:
        AdministratorFactory.create(tenant=other_tenant)
        assert names(signed_in(boss)) == [boss.name]

    def test_the_list_costs_the_same_for_many(
        self, tenant: Tenant, boss: Administrator, django_assert_num_queries: Any
    ) -> None:
        client = signed_in(boss)
        client.get(LIST)  # the first page of a session notes when it was seen
        with django_assert_num_queries(5):
            client.get(LIST)
        AdministratorFactory.create_batch(60, tenant=tenant)
        with django_assert_num_queries(5):
            assert client.get(LIST).content.decode().count('popovertarget="menu-') == 50

    @pytest.mark.parametrize(
        ("fields", "offered"),
        [
            ({}, {"edit", "suspend", "transfer"}),
            ({"role": Role.STANDARD}, {"edit", "suspend"}),
            ({"pending": True}, {"edit", "suspend", "resend"}),
            ({"is_active": False}, {"edit", "unsuspend", "delete"}),
        ],
        ids=["admin", "standard", "pending", "suspended"],
    )
    def test_the_menu_offers_what_is_possible(
        self, tenant: Tenant, boss: Administrator, fields: dict[str, Any], offered: set[str]
    ) -> None:
        person = AdministratorFactory.create(tenant=tenant, **fields)
        content = signed_in(boss).get(LIST).content.decode()
        every = ("edit", "suspend", "unsuspend", "resend", "delete", "transfer")
        assert {name for name in every if f'href="{page(name, person)}"' in content} == offered
        assert {name for name in every if f'href="{page(name, boss)}"' in content} == {"edit"}

    def test_an_admin_is_offered_no_transfer(self, boss: Administrator, leaver: Administrator) -> None:
        assert "/transfer/" not in signed_in(leaver).get(LIST).content.decode()


class TestNewUser:
    SENT = {"first_name": "Noor", "last_name": "Haddad", "email": "Noor@accuhive.test", "role": "help_desk"}

    def test_a_new_user_is_invited(self, boss: Administrator, tenant: Tenant, run_tasks: RunTasks) -> None:
        answer = signed_in(boss).post(reverse("person-create"), self.SENT, headers=HTMX)
        assert answer.status_code == 204
        assert "An invitation is on its way to noor@accuhive.test" in answer["HX-Trigger"]
        person = tenant.administrators.get(email="noor@accuhive.test")
        assert (person.status, person.role, person.name) == ("pending", Role.HELP_DESK, "Noor Haddad")
        run_tasks()
        assert mail.outbox[0].to == ["noor@accuhive.test"]
        event = tenant.audit_events.get(summary="Administrator added")
        assert event.actor_id == str(boss.pk)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", "no address"),
            ("email", ""),
            ("email", "ADA@accuhive.test"),
            ("first_name", ""),
            ("role", "account_owner"),
            ("role", "root"),
            ("role", ""),
        ],
    )
    def test_bad_input_invites_nobody(
        self, boss: Administrator, leaver: Administrator, tenant: Tenant, field: str, value: str
    ) -> None:
        answer = signed_in(boss).post(reverse("person-create"), {**self.SENT, field: value}, headers=HTMX)
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, [field])
        assert set(tenant.administrators.all()) == {boss, leaver}

    def test_the_password_is_asked_for_after_a_while(self, boss: Administrator, tenant: Tenant) -> None:
        client = signed_in(boss)
        session = client.session
        session[AUTHENTICATED_AT] -= 11 * 60
        session.save()
        assert client.post(reverse("person-create"), self.SENT).status_code == 422
        assert client.post(reverse("person-create"), {**self.SENT, "password": "wrong"}).status_code == 422
        assert tenant.administrators.count() == 1
        assert client.post(reverse("person-create"), {**self.SENT, "password": PASSWORD}).status_code == 302


class TestDialogs:
    def test_a_get_changes_nothing(self, boss: Administrator, leaver: Administrator) -> None:
        client = signed_in(boss)
        for name in ("edit", "suspend", "unsuspend", "resend", "delete", "transfer"):
            assert client.get(page(name, leaver), headers=HTMX).status_code == 200
        leaver.refresh_from_db()
        assert (leaver.role, leaver.status) == (Role.ADMIN, "active")

    @pytest.mark.parametrize(
        ("name", "words"),
        [("suspend", "Transfer the ownership first"), ("delete", "Transfer the ownership first")],
    )
    def test_what_is_not_possible_is_said(
        self, boss: Administrator, leaver: Administrator, name: str, words: str
    ) -> None:
        answer = signed_in(leaver).post(page(name, boss), headers=HTMX)
        assert (answer.status_code, words in answer.content.decode()) == (422, True)

    def test_a_person_who_is_not_suspended_is_not_deleted(self, boss: Administrator, leaver: Administrator) -> None:
        answer = signed_in(boss).post(page("delete", leaver), headers=HTMX)
        assert (answer.status_code, "is not suspended" in answer.content.decode()) == (422, True)
        leaver.refresh_from_db()

    def test_a_new_link_is_sent(self, boss: Administrator, tenant: Tenant, run_tasks: RunTasks) -> None:
        person = AdministratorFactory.create(tenant=tenant, pending=True)
        signed_in(boss).post(page("resend", person), headers=HTMX)
        run_tasks()
        assert [message.to for message in mail.outbox] == [[person.email]]

    def test_a_person_who_came_in_meanwhile_gets_no_link(
        self, boss: Administrator, leaver: Administrator, run_tasks: RunTasks
    ) -> None:
        answer = signed_in(boss).post(page("resend", leaver), headers=HTMX)
        run_tasks()
        assert (answer.status_code, mail.outbox) == (422, [])
        assert "is active, and needs no invitation" in answer.content.decode()

    def test_the_owner_stays_signed_in_after_a_transfer(self, boss: Administrator, leaver: Administrator) -> None:
        client, elsewhere, other = signed_in(boss), signed_in(boss), signed_in(leaver)
        answer = client.post(page("transfer", leaver), headers=HTMX)
        assert "is the Account Owner now" in answer["HX-Trigger"]
        assert client.get(LIST).context["user"].role == Role.ADMIN
        assert [elsewhere.get(LIST).status_code, other.get(LIST).status_code] == [302, 302]


class TestLeavers:
    def test_the_dialog_lists_the_live_tokens(
        self, boss: Administrator, leaver: Administrator, issue_token: IssueToken
    ) -> None:
        live = [issue_token(created_by=leaver, name=f"Live {number}") for number in range(12)]
        issue_token(created_by=leaver, name="Ended", revoked=True)
        issue_token(created_by=boss, name="Other")
        content = signed_in(boss).get(page("delete", leaver), headers=HTMX).content.decode()
        assert "12 API tokens of this person stay active" in content
        assert content.count(">Assign a responsible person</a>") == 10
        assert "Show all 12" in content
        assert ("Ended" in content, "Other" in content) == (False, False)
        assert reverse("token-revoke", args=[live[-1].pk]) in content

    def test_a_token_is_revoked_from_there(
        self, boss: Administrator, leaver: Administrator, issue_token: IssueToken
    ) -> None:
        token = issue_token(created_by=leaver)
        answer = signed_in(boss).post(reverse("token-revoke", args=[token.pk]), headers=HTMX)
        assert (answer.status_code, "is revoked" in answer["HX-Trigger"]) == (204, True)

    def test_a_responsible_person_is_assigned(
        self, boss: Administrator, leaver: Administrator, tenant: Tenant, issue_token: IssueToken
    ) -> None:
        token, client = issue_token(created_by=leaver, name="Sync"), signed_in(boss)
        url = reverse("token-responsible", args=[token.pk])
        answer = client.post(url, {"person": boss.pk}, headers=HTMX)
        assert "is responsible for" in answer["HX-Trigger"]
        client.post(page("suspend", leaver))
        client.post(page("delete", leaver))
        listed = " ".join(client.get("/access/tokens/").content.decode().split())
        assert 'Ada Byron <span class="badge"><span class="sr-only">(</span>removed' in listed
        assert f"Responsible: {boss.name}" in listed
        client.post(url, {"person": ""}, headers=HTMX)
        events = tenant.audit_events.filter(summary="Responsible person changed").order_by("sequence")
        assert [event.changes["responsible"] for event in events] == [
            {"old": "", "new": boss.name},
            {"old": boss.name, "new": ""},
        ]

    def test_nobody_else_is_responsible(
        self, boss: Administrator, tenant: Tenant, other_tenant: Tenant, issue_token: IssueToken
    ) -> None:
        token, client = issue_token(), signed_in(boss)
        others = (
            AdministratorFactory.create(tenant=other_tenant),
            AdministratorFactory.create(tenant=tenant, is_active=False),
        )
        for person in others:
            answer = client.post(reverse("token-responsible", args=[token.pk]), {"person": person.pk}, headers=HTMX)
            assert answer.status_code == 422
        assert ApiToken.objects.get().responsible is None


def admin_action(action: str) -> Callable[[Client, Client, Administrator], object]:
    def act(client: Client, console: Client, person: Administrator) -> object:
        data = {"action": action, "_selected_action": [person.pk], "confirmed": "yes"}
        return console.post(reverse("admin:access_administrator_changelist"), data)

    return act


def dialog(name: str, **data: str) -> Callable[[Client, Client, Administrator], object]:
    return lambda client, console, person: client.post(page(name, person), data)


def both(*acts: Callable[[Client, Client, Administrator], object]) -> Callable[[Client, Client, Administrator], object]:
    return lambda client, console, person: [act(client, console, person) for act in acts]


# Every way in which a person loses a right or leaves: by a page, and by Django admin.
WAYS = {
    **{f"level-{role}": dialog("edit", role=role) for role in set(Role) - {Role.OWNER, Role.ADMIN}},
    "suspend": dialog("suspend"),
    "delete": both(dialog("suspend"), dialog("delete")),
    "transfer": dialog("transfer"),
    "operator-suspends": admin_action("suspend"),
    "operator-removes": both(admin_action("suspend"), admin_action("remove")),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_person_goes_at_once_and_their_token_stays(
    way: str, boss: Administrator, leaver: Administrator, operator: Administrator, issue_token: IssueToken, api: Call
) -> None:
    tokens = [issue_token("list_devices", created_by=leaver), issue_token("list_devices", created_by=boss)]
    before = list(ApiToken.objects.order_by("pk").values())
    session, session_of_owner = signed_in(leaver), signed_in(boss)
    assert session.get("/devices/").status_code == 200
    WAYS[way](signed_in(boss), signed_in(operator), leaver)

    changed = Administrator.objects.filter(pk=leaver.pk).values_list("role", "is_active").first()
    assert changed != (Role.ADMIN, True)
    assert session.get("/devices/").status_code == 302
    assert session_of_owner.get("/devices/").status_code == (302 if way == "transfer" else 200)
    assert [api("GET", "/api/v1/devices", token.secret).status_code for token in tokens] == [200, 200]
    after = [
        {**row, "created_by_id": old["created_by_id"], "last_used_at": None}
        for row, old in zip(ApiToken.objects.order_by("pk").values(), before, strict=True)
    ]
    skipped = {"last_used_from", "last_used_by", "last_used_for"}
    assert [{k: v for k, v in row.items() if k not in skipped} for row in after] == [
        {k: v for k, v in row.items() if k not in skipped} for row in before
    ]
