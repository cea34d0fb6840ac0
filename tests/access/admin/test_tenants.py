import re
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from access import limits
from access.limits import Limits
from access.models import Administrator, Role, Tenant
from tests.factories.access import AdministratorFactory, TenantFactory
from tests.types import IssueToken

pytestmark = pytest.mark.slow

PASSWORD = "four unrelated words suffice"
ADD, PAGE = "admin:access_tenant_add", "admin:access_tenant_changelist"
NEW = {
    "name": "New",
    "subdomain": "new",
    "email": "First@new.test",
    "first_name": "F",
    "last_name": "O",
    "password": "",
}


def test_a_tenant_is_made_with_its_account_owner_who_is_invited(console: Client) -> None:
    answer = console.post(reverse(ADD), NEW, follow=True)
    tenant = Tenant.objects.get(subdomain="new")
    assert answer.redirect_chain == [(reverse("admin:access_tenant_change", args=[tenant.pk]), 302)]
    assert "New is added. An invitation is on its way" in answer.content.decode()
    assert tenant.api_url in answer.content.decode()
    owner = tenant.administrators.get()
    assert (owner.email, owner.role, owner.status) == ("first@new.test", Role.OWNER, "pending")
    assert owner.invited_at is not None
    summaries = tenant.audit_events.order_by("sequence").values_list("summary", flat=True)
    assert list(summaries) == ["Tenant created", "Administrator added", "Opened by an operator"]


def test_the_owner_of_a_new_tenant_may_get_a_password(console: Client) -> None:
    console.post(reverse(ADD), {**NEW, "password": PASSWORD})
    owner = Administrator.objects.get(email="first@new.test")
    assert (owner.check_password(PASSWORD), owner.status) == (True, "active")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subdomain", "New_"),
        ("subdomain", "accuhive"),
        ("email", "owner@accuhive.test"),
        ("email", "nothing"),
        ("password", "short"),
        ("password", "first@new.test"),
        ("name", ""),
    ],
)
def test_a_mistake_is_said_at_its_field_and_nothing_is_made(
    console: Client, owner: Administrator, field: str, value: str
) -> None:
    answer = console.post(reverse(ADD), {**NEW, field: value})
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert (Tenant.objects.count(), Administrator.objects.filter(tenant__isnull=False).count()) == (1, 1)
    assert 'value="F"' in answer.content.decode()  # the input stays


def test_a_row_that_another_request_made_meanwhile_is_said_in_words(
    console: Client, owner: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def collide(**fields: Any) -> None:
        raise IntegrityError("UNIQUE constraint failed: access_tenant.subdomain")

    monkeypatch.setattr("access.admin.tenants.found_tenant", collide)
    answer = console.post(reverse(ADD), NEW)
    assert answer.status_code == 200
    assert "Somebody else changed the same at the same moment." in answer.content.decode()
    assert "constraint" not in answer.content.decode()


def test_a_refusal_by_the_service_is_shown_in_its_words(console: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**fields: Any) -> None:
        raise ValidationError("Another operator was faster.")

    monkeypatch.setattr("access.admin.tenants.found_tenant", refuse)
    answer = console.post(reverse(ADD), NEW)
    assert answer.status_code == 200
    assert "Another operator was faster." in answer.content.decode()


def test_the_subdomain_never_changes(console: Client, tenant: Tenant) -> None:
    page = reverse("admin:access_tenant_change", args=[tenant.pk])
    sent = {"name": "Renamed", "subdomain": "other", "active": "", "second_step_required": "on"}
    console.post(page, {**sent, "calls_per_hour": tenant.calls_per_hour, "calls_per_second": tenant.calls_per_second})
    tenant.refresh_from_db()
    assert (tenant.name, tenant.subdomain, tenant.active) == ("Renamed", "accuhive", True)
    assert not tenant.second_step_required
    assert tenant.audit_events.get().summary == "Tenant renamed"


def test_the_limits_of_calls_are_set_for_each_tenant(console: Client, tenant: Tenant) -> None:
    page = reverse("admin:access_tenant_change", args=[tenant.pk])
    console.post(page, {"name": tenant.name, "calls_per_hour": "20000", "calls_per_second": "80"})
    tenant.refresh_from_db()
    assert tenant.limits == Limits(per_second=80, per_hour=20_000)
    event = tenant.audit_events.get()
    assert (event.summary, set(event.changes)) == ("Limits of calls changed", {"calls_per_hour", "calls_per_second"})
    refused = console.post(page, {"name": tenant.name, "calls_per_hour": "0", "calls_per_second": "80"})
    assert "Ensure this value is greater than or equal to 1" in refused.content.decode()
    limits.take(tenant.pk, tenant.limits)
    assert re.search(r"Calls of the hour in use</dt><dd>[\d,]+ of 20,000", console.get(page).content.decode())


def test_suspending_asks_first_and_says_what_is_cut_off(
    console: Client, tenant: Tenant, owner: Administrator, issue_token: IssueToken
) -> None:
    AdministratorFactory.create(tenant=tenant, is_active=False)
    for revoked in (False, False, True):
        issue_token(created_by=owner, revoked=revoked)
    sent = {"action": "suspend", "_selected_action": [tenant.pk]}
    question = " ".join(console.post(reverse(PAGE), sent).content.decode().split())
    assert "Accuhive (accuhive): 2 active API tokens and 1 person are cut off" in question
    tenant.refresh_from_db()
    assert tenant.active
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', question))
    console.post(reverse(PAGE), hidden)
    tenant.refresh_from_db()
    assert not tenant.active
    console.post(reverse(PAGE), {**sent, "action": "unsuspend", "confirmed": "yes"})
    tenant.refresh_from_db()
    assert tenant.active
    summaries = tenant.audit_events.order_by("sequence").values_list("summary", flat=True)
    assert list(summaries)[-2:] == ["Tenant suspended", "Tenant resumed"]


def test_addresses_are_shown_once_they_answer(console: Client) -> None:
    active, suspended = TenantFactory.create(), TenantFactory.create(active=False)
    assert ".api." not in console.get(reverse(ADD)).content.decode()
    shown = console.get(reverse("admin:access_tenant_change", args=[active.pk])).content.decode()
    assert active.api_url in shown
    hidden = console.get(reverse("admin:access_tenant_change", args=[suspended.pk])).content.decode()
    assert suspended.api_url not in hidden


def test_the_page_of_a_tenant_shows_its_use_and_leads_to_its_lists(console: Client, tenant: Tenant) -> None:
    page = console.get(reverse("admin:access_tenant_change", args=[tenant.pk])).content.decode()
    assert "Calls in 30 days" in page
    links = re.findall(r'href="([^"]+\?tenant=accuhive)"', page)
    assert len(links) > 10
    assert {console.get(link).status_code for link in links} == {200}
