import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from access.models import Administrator, ApiToken, AuditEvent, CountedAttempt, Role, Tenant
from access.sign_in.sessions import AUTHENTICATED_AT
from access.tokens.authentication import AuthenticationFailed, authenticate
from tests.factories.access import AdministratorFactory, TenantFactory
from tests.factories.everything import something_of_everything
from tests.types import IssueToken

pytestmark = pytest.mark.slow

PASSWORD = "four unrelated words suffice"
OWN = "the operator has another one"
MODELS = {model._meta.label: (model, model_admin) for model, model_admin in admin.site._registry.items()}
CHANGED_HERE = {"access.Tenant", "access.Administrator"}


@pytest.fixture
def console(operator: Administrator) -> Client:
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def token(tenant: Tenant) -> ApiToken:
    """One of a tenant that has something of everything."""
    return something_of_everything(tenant)


@pytest.mark.parametrize("label", MODELS)
def test_every_page_of_every_model_opens(console: Client, token: ApiToken, label: str) -> None:
    model, model_admin = MODELS[label]
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    changelist = console.get(reverse(f"{name}_changelist"), {"q": "a"} if model_admin.search_fields else {})
    assert changelist.status_code == 200
    row = model._default_manager.first()
    assert row
    page = console.get(reverse(f"{name}_change", args=[row.pk]))
    assert page.status_code == 200
    add = console.get(reverse(f"{name}_add"))
    assert add.status_code == (200 if label in CHANGED_HERE else 403)

    shown = changelist.content.decode() + page.content.decode()
    event = AuditEvent.objects.exclude(tenant=None).latest("sequence")
    assert token.digest not in shown
    assert event.mac not in shown
    assert "argon2" not in shown
    assert "HUSH" not in shown


@pytest.mark.parametrize("label", MODELS)
def test_django_admin_deletes_nothing_directly(console: Client, token: ApiToken, label: str) -> None:
    model, _ = MODELS[label]
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model._default_manager.first()
    assert row
    assert console.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    console.post(
        reverse(f"{name}_changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    )
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("label", MODELS)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_a_few(console: Client, label: str) -> None:
    model, _ = MODELS[label]
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert console.get(url).status_code == 200
        return len(captured)

    console.get(url)  # the first request of a session stores when it was seen
    rows, counts = [], []
    for number in (2, 8):
        for tenant in TenantFactory.create_batch(number):
            something_of_everything(tenant)
        rows.append(model._default_manager.count())
        counts.append(queries())
    assert rows[1] >= rows[0] + 8
    assert counts[0] == counts[1]


@pytest.mark.parametrize("path", ["/admin/", "/admin/access/apitoken/", "/admin/access/auditevent/"])
def test_administrators_of_a_tenant_cannot_open_django_admin(owner: Administrator, path: str) -> None:
    client = Client()
    anonymous = client.get(path)
    assert anonymous.status_code == 302
    client.force_login(owner)
    assert client.get(path).status_code in {302, 403}


def test_revoking_goes_through_the_service(console: Client, operator: Administrator, issue_token: IssueToken) -> None:
    token, before = issue_token(), issue_token(revoked=True)
    console.post(
        reverse("admin:access_apitoken_changelist"),
        {"action": "revoke", "_selected_action": [token.pk, before.pk]},
    )

    with pytest.raises(AuthenticationFailed):
        authenticate(f"Bearer {token.secret}", subdomain=None)
    event = AuditEvent.objects.exclude(tenant=None).latest("sequence")
    assert (event.summary, event.actor_type, event.actor_id) == ("Token revoked", "operator", str(operator.id))


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
    fields = {"tenant": tenant.pk, "email": "new@accuhive.test", "role": Role.ADMIN, "password": PASSWORD}
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
        answer = console.post(page, {"action": action, "_selected_action": [person.pk, owner.pk]}, follow=True)
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


class TestOperatorsWhoAreNotSuperusers:
    """Only the database can make such a person, and only the database can grant them a permission."""

    @pytest.fixture
    def staff(self, db: None) -> Administrator:
        return AdministratorFactory.create(tenant=None, is_staff=True, role="", password=PASSWORD)

    @pytest.fixture
    def console(self, staff: Administrator) -> Client:
        client = Client()
        client.force_login(staff)
        return client

    @pytest.mark.parametrize("label", MODELS)
    def test_no_table_is_open_to_them(self, console: Client, token: ApiToken, label: str) -> None:
        model, _ = MODELS[label]
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        row = model._default_manager.first()
        assert row
        pages = [reverse(f"{name}_changelist"), reverse(f"{name}_add")]
        pages += [reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "delete", "history")]
        assert [console.get(page).status_code for page in pages] == [403] * 5
        assert [console.post(page).status_code for page in pages[:4]] == [403] * 4

    def test_they_have_a_page_without_entries_and_their_own_password(
        self, console: Client, staff: Administrator
    ) -> None:
        index = console.get("/admin/")
        assert (index.status_code, index.context["app_list"]) == (200, [])
        new = "another four unrelated words"
        data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        assert console.post("/admin/password_change/", data).status_code == 302
        staff.refresh_from_db()
        assert staff.check_password(new)
        assert console.get("/devices/").status_code == 403

    def test_a_permission_to_view_opens_that_table_and_no_action(
        self, console: Client, staff: Administrator, issue_token: IssueToken
    ) -> None:
        token = issue_token()
        staff.user_permissions.add(Permission.objects.get(codename="view_apitoken"))
        page = reverse("admin:access_apitoken_changelist")
        assert token.name in console.get(page).content.decode()
        assert console.get(reverse("admin:access_administrator_changelist")).status_code == 403
        console.post(page, {"action": "revoke", "_selected_action": [token.pk]})
        token.refresh_from_db()
        assert token.revoked_at is None


def test_a_person_is_added_through_the_service(console: Client, tenant: Tenant) -> None:
    fields = {
        "tenant": tenant.pk,
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
    sent = {"tenant": tenant.pk, "email": "wonderland.alice@accuhive.test", "role": Role.ADMIN, "password": password}
    answer = console.post(reverse("admin:access_administrator_add"), sent)
    assert answer.status_code == 200
    assert answer.context["errors"]
    assert not Administrator.objects.filter(tenant=tenant).exists()


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


def test_django_admin_creates_and_suspends_tenants_through_the_service(console: Client) -> None:
    console.post(reverse("admin:access_tenant_add"), {"name": "New", "subdomain": "new"})
    tenant = Tenant.objects.get(subdomain="new")
    assert tenant.active
    console.post(reverse("admin:access_tenant_change", args=[tenant.pk]), {"name": "Renamed", "subdomain": "other"})

    tenant.refresh_from_db()
    assert (tenant.name, tenant.subdomain, tenant.active) == ("Renamed", "new", False)
    summaries = tenant.audit_events.order_by("sequence").values_list("summary", flat=True)
    assert list(summaries) == ["Tenant created", "Tenant suspended"]


def test_a_refusal_by_the_service_is_shown_in_its_words(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**fields: Any) -> None:
        raise ValidationError("Another operator was faster.")

    monkeypatch.setattr("access.admin.tenants.create_tenant", refuse)
    response = console.post(reverse("admin:access_tenant_add"), {"name": "New", "subdomain": "new"}, follow=True)
    assert response.status_code == 200
    assert "Another operator was faster." in response.content.decode()
