"""The dialogs of a token's life: expiry, its rule, rotation, disabling, and revoking by name."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from access.models import Administrator, ApiToken, AuditEvent, Tenant
from access.sign_in.sessions import AUTHENTICATED_AT
from tests.access.pages.test_permissions import admin, owner
from tests.access.pages.test_tokens import PASSWORD
from tests.access.tokens.test_rotation import works
from tests.markup import checked, elements
from tests.types import IssueToken, Response

__all__ = ["admin", "owner"]  # fixtures
pytestmark = pytest.mark.django_db


def url(name: str, token: ApiToken) -> str:
    return reverse(name, args=[token.id])


def fields(client: Client, address: str) -> dict[str, str]:
    """The hidden fields and texts of the form at the address."""
    page = client.get(address).content.decode().split("<main")[1]
    found = [
        field
        for field in elements(page, "input")
        if field.get("name") and field.get("type") not in {"radio", "checkbox"}
    ]
    return {str(field["name"]): str(field.get("value") or "") for field in found}


def secret_of(response: Response) -> str:
    match = re.search(r"<code class=\"wrap\">([0-9a-f-]{36})</code>", response.content.decode())
    assert match
    return match[1]


def forget_password(client: Client) -> None:
    session = client.session
    session[AUTHENTICATED_AT] = 0
    session.save()


class TestPrefilledLink:
    LINK = reverse_lazy("token-create", query={"name": "Wall", "permissions": "list_devices,erase_device,no_such,x"})

    def test_it_fills_the_form_and_creates_nothing(self, admin: Client, tenant: Tenant) -> None:
        page = admin.get(self.LINK).content.decode()
        assert 'value="Wall"' in page
        assert checked(page) & {"list_devices", "erase_device"} == {"list_devices"}
        assert "Ignored, because they do not exist here: no_such, x." in page
        assert not tenant.api_tokens.exists()

    def test_what_is_ticked_is_granted(self, admin: Client, tenant: Tenant) -> None:
        sent: dict[str, Any] = {**fields(admin, str(self.LINK)), "permissions": ["list_devices", "erase_device"]}
        assert admin.post(str(self.LINK), sent).status_code == 200
        assert tenant.api_tokens.get().permissions == ["erase_device", "list_devices"]

    def test_nothing_else_can_be_granted(self, admin: Client, tenant: Tenant) -> None:
        sent: dict[str, Any] = {**fields(admin, str(self.LINK)), "permissions": ["delete_device"]}
        assert admin.post(str(self.LINK), sent).status_code == 422
        new = reverse("token-create")
        sent = {**fields(admin, new), "name": "Plain", "permissions": ["delete_device"]}
        assert admin.post(new, sent).status_code == 200
        assert [token.permissions for token in tenant.api_tokens.all()] == [[]]


class TestExpiry:
    @pytest.mark.parametrize(
        ("sent", "days"),
        [({}, None), ({"expires": "never"}, None), ({"expires": "30"}, 30), ({"expires": "365"}, 365)],
    )
    def test_a_new_token_expires_as_chosen(
        self, admin: Client, tenant: Tenant, sent: dict[str, str], days: int | None
    ) -> None:
        new = reverse("token-create")
        response = admin.post(new, {**fields(admin, new), "name": "Okta", **sent})
        assert response.status_code == 200
        token = tenant.api_tokens.get()
        left = token.expires_at - timezone.now() if token.expires_at else None
        assert (round(left / timedelta(days=1)) if left else None) == days

    def test_a_date_is_the_last_day(self, admin: Client, tenant: Tenant) -> None:
        new = reverse("token-create")
        day = timezone.localdate() + timedelta(days=3)
        admin.post(new, {**fields(admin, new), "name": "Okta", "expires": "date", "expires_on": day.isoformat()})
        expires_at = tenant.api_tokens.get().expires_at
        assert expires_at
        assert timezone.localtime(expires_at).isoformat()[:19] == f"{day}T23:59:59"

    @pytest.mark.parametrize(
        ("sent", "message"),
        [
            ({"expires": "date"}, "Choose the last day"),
            ({"expires": "date", "expires_on": "2020-01-01"}, "in the future"),
            ({"expires": "date", "expires_on": "soon"}, "year-month-day"),
            ({"expires": "31"}, "Select a valid choice"),
        ],
    )
    def test_bad_input_is_refused_at_its_field(
        self, admin: Client, tenant: Tenant, sent: dict[str, str], message: str
    ) -> None:
        new = reverse("token-create")
        response = admin.post(new, {**fields(admin, new), "name": "Okta", **sent})
        assert response.status_code == 422
        assert re.search(rf'class="field-error"[^>]*>[^<]*{message}', response.content.decode())
        assert not tenant.api_tokens.exists()

    def test_an_edit_leaves_it_unless_another_is_chosen(self, admin: Client, issue_token: IssueToken) -> None:
        expires_at = timezone.now() + timedelta(days=10)
        token = issue_token(expires_at=expires_at)
        edit = url("token-edit", token)
        assert "As now: " in admin.get(edit).content.decode()
        admin.post(edit, {**fields(admin, edit), "name": "Renamed", "expires": "now"})
        token.refresh_from_db()
        assert (token.name, token.expires_at) == ("Renamed", expires_at)
        admin.post(edit, {**fields(admin, edit), "expires": "never"})
        token.refresh_from_db()
        assert token.expires_at is None

    def test_the_rule_of_the_organization_limits_the_choices(
        self, admin: Client, tenant: Tenant, issue_token: IssueToken
    ) -> None:
        token, rule, new = issue_token(), reverse("token-rule"), reverse("token-create")
        admin.post(rule, {"longest_token_days": "45"})
        tenant.refresh_from_db()
        assert tenant.longest_token_days == 45
        assert AuditEvent.objects.latest("sequence").changes == {"longest_token_days": {"old": None, "new": 45}}
        options = re.findall(r'<option value="(\w+)"( selected)?', admin.get(new).content.decode())
        assert [value for value, _ in options] == ["30", "45", "date"]
        assert [value for value, selected in options if selected] == ["45"]
        far = (timezone.localdate() + timedelta(days=60)).isoformat()
        response = admin.post(new, {**fields(admin, new), "name": "New", "expires": "date", "expires_on": far})
        assert "within 45 days at most" in response.content.decode()
        edit = url("token-edit", token)  # an older token keeps its expiry until that is edited
        assert admin.post(edit, {**fields(admin, edit), "name": "Renamed", "expires": "now"}).status_code == 302
        assert admin.post(rule, {"longest_token_days": "0"}).status_code == 422
        admin.post(rule, {"longest_token_days": ""})
        tenant.refresh_from_db()
        assert tenant.longest_token_days is None


class TestNetworks:
    def test_they_are_set_and_shown_and_a_foreign_one_warns(self, admin: Client, issue_token: IssueToken) -> None:
        token = issue_token()
        edit = url("token-edit", token)
        sent = {**fields(admin, edit), "expires": "now"}
        admin.post(edit, {**sent, "networks": "192.0.2.0/24, 2001:db8::/32\n198.51.100.7"})
        token.refresh_from_db()
        assert token.networks == ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"]
        page = admin.get(url("token", token)).content.decode()
        assert "Your own address 127.0.0.1 is not in the allowed networks" in page
        assert "from 192.0.2.0/24, 2001:db8::/32, 198.51.100.7/32 only" in page
        assert works(token.secret, "192.0.2.9")
        assert not works(token.secret, "203.0.113.1")
        admin.post(edit, {**sent, "version": "2", "networks": "127.0.0.0/8"})
        assert "Your own address" not in admin.get(url("token", token)).content.decode()

    @pytest.mark.parametrize("wrong", ["192.0.2.1/24", "example.com", "192.0.2.0/33", "::1/129", "10"])
    def test_what_is_no_network_is_refused(self, admin: Client, issue_token: IssueToken, wrong: str) -> None:
        token = issue_token()
        edit = url("token-edit", token)
        response = admin.post(edit, {**fields(admin, edit), "networks": f"192.0.2.0/24\n{wrong}"})
        assert response.status_code == 422
        assert f"no network in CIDR notation: {wrong}" in response.content.decode()
        token.refresh_from_db()
        assert token.networks == []


class TestRotation:
    def test_the_new_secret_is_shown_once(self, admin: Client, issue_token: IssueToken) -> None:
        token = issue_token("list_users")
        rotate = url("token-rotate", token)
        sent = {**fields(admin, rotate), "overlap": "24h"}
        response = admin.post(rotate, sent)
        secret = secret_of(response)
        assert "no-store" in response["Cache-Control"]
        assert works(secret)
        assert works(token.secret)
        again = admin.post(rotate, sent)
        assert again.status_code == 409
        assert secret not in again.content.decode()
        assert "Two secrets" in admin.get(reverse("tokens")).content.decode()
        assert "Two secrets" not in admin.get(reverse("tokens"), {"state": "disabled"}).content.decode()
        assert token.name in admin.get(reverse("tokens"), {"state": "overlap"}).content.decode()

    def test_a_second_one_waits_for_the_end_of_the_overlap(self, admin: Client, issue_token: IssueToken) -> None:
        token = issue_token()
        rotate = url("token-rotate", token)
        sent = fields(admin, rotate)
        admin.post(rotate, {**sent, "overlap": "7d"})
        assert "End overlap" in admin.get(rotate).content.decode()
        other = {**sent, "submission": "00000000-0000-4000-8000-000000000000", "overlap": "none"}
        assert admin.post(rotate, other).status_code == 422
        admin.post(url("token-end-overlap", token))
        assert not works(token.secret)
        assert admin.post(rotate, other).status_code == 200

    def test_it_asks_for_the_password(self, admin: Client, issue_token: IssueToken) -> None:
        token = issue_token()
        forget_password(admin)
        rotate = url("token-rotate", token)
        sent = {**fields(admin, rotate), "overlap": "none"}
        assert admin.post(rotate, {**sent, "password": "wrong"}).status_code == 422
        assert works(token.secret)
        assert admin.post(rotate, {**sent, "password": PASSWORD}).status_code == 200
        assert not works(token.secret)


class TestDisabling:
    def test_it_can_be_undone(self, admin: Client, issue_token: IssueToken) -> None:
        token = issue_token("list_users")
        assert works(token.secret)
        admin.post(url("token-disable", token))
        assert not works(token.secret)
        page = admin.get(url("token", token)).content.decode()
        assert "Every call with it is refused until it is enabled" in page
        assert token.name in admin.get(reverse("tokens"), {"state": "disabled"}).content.decode()
        forget_password(admin)
        assert admin.post(url("token-enable", token)).status_code == 422
        assert not works(token.secret)
        admin.post(url("token-enable", token), {"password": PASSWORD})
        assert works(token.secret)
        history = admin.get(url("token-activity", token)).content.decode()
        assert "Token disabled" in history
        assert "Token enabled" in history


class TestRevoking:
    def test_a_token_that_was_used_lately_is_revoked_by_its_name(self, admin: Client, issue_token: IssueToken) -> None:
        token = issue_token()
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now() - timedelta(days=29))
        for sent in ({}, {"name": "Another"}):
            response = admin.post(url("token-revoke", token), sent)
            assert response.status_code == 422
        assert works(token.secret)
        assert admin.post(url("token-revoke", token), {"name": token.name}).status_code == 302
        assert not works(token.secret)

    def test_another_one_is_revoked_without(self, admin: Client, issue_token: IssueToken) -> None:
        token = issue_token()
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=timezone.now() - timedelta(days=31))
        assert admin.post(url("token-revoke", token)).status_code == 302
        assert not works(token.secret)


class TestFilters:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"permissions": "sensitive"}, {"Eraser"}),
            ({"permissions": "none"}, {"Empty"}),
            ({"removed": "on"}, {"Orphan"}),
            ({}, {"Eraser", "Empty", "Orphan", "Reader"}),
        ],
    )
    def test_find(
        self, admin: Client, owner: Administrator, issue_token: IssueToken, query: dict[str, Any], found: set[str]
    ) -> None:
        issue_token("erase_device", name="Eraser", created_by=owner)
        issue_token("list_devices", name="Reader", created_by=owner)
        issue_token(name="Empty", created_by=owner)
        orphan = issue_token("list_users", name="Orphan", created_by=owner)
        ApiToken.objects.filter(pk=orphan.pk).update(created_by=None)
        page = admin.get(reverse("tokens"), query).content.decode()
        assert {name for name in ("Eraser", "Empty", "Orphan", "Reader") if f">{name}</a>" in page} == found
