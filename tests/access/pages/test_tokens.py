"""The API token pages: who sees them, what the list costs, and that a secret is in one reply and nowhere else."""

import html
import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.audit.events import Actor
from access.models import Administrator, ApiToken, Role, Session, Tenant
from access.sign_in.sessions import AUTHENTICATED_AT
from access.tokens.lifecycle import create_token, edit_token, revoke_token
from tests.markup import elements, facts

HTMX = {"HX-Request": "true"}
XSS = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
PASSWORD = "correct horse battery staple"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LIST = "/access/tokens/"
NEW = "/access/tokens/new/"

pytestmark = pytest.mark.django_db


def person(tenant: Tenant, role: Role = Role.OWNER, password: str | None = None, email: str = "") -> Administrator:
    return Administrator.objects.create_user(
        email or f"{role}@accuhive.test",
        password,
        tenant=tenant,
        role=role,
        first_name="Ana",
        last_name="Ruiz",
        joined_at=timezone.now(),
    )


def issue(tenant: Tenant, **fields: Any) -> ApiToken:
    return create_token(tenant=tenant, actor=Actor.command("test"), **{"name": "Okta", **fields}).token


def freshen(client: Client) -> None:
    """As if the password had been given a moment ago."""
    session = client.session
    session[AUTHENTICATED_AT] = int(timezone.now().timestamp())
    session.save()


@pytest.fixture
def owner(tenant: Tenant) -> Administrator:
    return person(tenant)


@pytest.fixture
def admin(client: Client, owner: Administrator) -> Client:
    """The Account Owner's browser, signed in a moment ago."""
    client.force_login(owner)
    freshen(client)
    return client


READABLE = ("token", "token-usage", "token-activity")  # also of a revoked token
CHANGES = (
    "token-created",
    "token-edit",
    "token-permissions",
    "token-permissions-copy",
    "token-rotate",
    "token-end-overlap",
    "token-disable",
    "token-enable",
    "token-revoke",
    "token-learn",
    "token-stop-learning",
)


def pages(token: ApiToken) -> list[str]:
    return [LIST, NEW, *(reverse(name, args=[token.id]) for name in (*READABLE, *CHANGES))]


@pytest.mark.slow
@pytest.mark.parametrize("role", Role)
def test_only_owner_and_admins_open_the_pages(client: Client, tenant: Tenant, role: Role) -> None:
    token = issue(tenant)
    client.force_login(person(tenant, role))
    expected = 200 if role in {Role.OWNER, Role.ADMIN} else 403
    assert {url: client.get(url).status_code for url in pages(token)} == dict.fromkeys(pages(token), expected)
    menu = client.get("/", follow=True).content.decode()
    assert (f'href="{LIST}"' in menu) == (expected == 200)


@pytest.mark.slow
@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.OWNER, Role.ADMIN}])
def test_no_other_role_changes_anything(client: Client, tenant: Tenant, role: Role) -> None:
    token = issue(tenant)
    client.force_login(person(tenant, role))
    freshen(client)
    before = ApiToken.objects.values().get()
    sent = {"name": "Mine", "submission": uuid.uuid4(), "version": 1, "permission": ["list_devices"]}
    for page in pages(token):
        for headers in ({}, HTMX):
            assert client.post(page, sent, headers=headers).status_code == 403
    assert ApiToken.objects.values().get() == before


def test_signing_in_returns_to_the_requested_page(client: Client, tenant: Tenant) -> None:
    for url in pages(issue(tenant)):
        assert client.get(url)["Location"] == f"/sign-in/?next={url}"
    response = client.get(LIST, headers={**HTMX, "HX-Current-URL": f"http://testserver{LIST}?q=a"})
    assert response["HX-Redirect"] == f"/sign-in/?next={LIST}%3Fq%3Da"


@pytest.mark.slow
def test_unknown_foreign_and_revoked_tokens_are_not_found(admin: Client, tenant: Tenant, other_tenant: Tenant) -> None:
    revoked = issue(tenant)
    revoke_token(tenant=tenant, token_id=revoked.id, actor=Actor.command("the test"))
    unknown = ApiToken(id=uuid.uuid4())
    for token in (revoked, issue(other_tenant), unknown):
        names = CHANGES if token is revoked else (*READABLE, *CHANGES)
        urls = [reverse(name, args=[token.id]) for name in names]
        assert {admin.get(url).status_code for url in urls} == {404}
        assert {admin.post(url).status_code for url in urls} <= {404, 405}
    for name in READABLE:
        page = admin.get(reverse(name, args=[revoked.id])).content.decode()
        assert re.search(r"Revoked by manage\.py the test\s+<time", page)
        assert reverse("token-rotate", args=[revoked.id]) not in page
    assert revoked.name not in admin.get(LIST).content.decode()
    assert revoked.name in admin.get(LIST, {"state": "revoked"}).content.decode()


@pytest.mark.slow
def test_the_list_costs_the_same_for_200_tokens(
    admin: Client, tenant: Tenant, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    issue(tenant)
    admin.get(LIST)  # the first page of a session notes when it was seen
    with django_assert_max_num_queries(7) as one:  # the keys of a page are found before its rows
        admin.get(LIST)
    for number in range(200):
        issue(tenant, name=f"Token {number}")
    with django_assert_num_queries(len(one)):
        page = admin.get(LIST).content.decode()
    assert page.count('popovertarget="menu-') == 50
    assert "201 tokens" in page


def test_the_list_is_searched_and_filtered(admin: Client, tenant: Tenant) -> None:
    issue(tenant, name="Okta", description="hire and transfer")
    old = issue(tenant, name="Grafana", permissions=["list_devices"])
    ApiToken.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=100))

    def found(query: str) -> set[str]:
        page = admin.get(f"{LIST}?{query}", headers={**HTMX, "HX-Target": "rows"}).content.decode()
        return {name for name in ("Okta", "Grafana") if f">{name}</a>" in page}

    assert found("q=TRANSFER") == {"Okta"}
    assert found("permissions=none") == {"Okta"}
    assert found("permissions=some") == {"Grafana"}
    assert found("use=unused") == {"Grafana"}
    assert found("use=never") == {"Okta", "Grafana"}
    assert found("creator=manage.py+test") == {"Okta", "Grafana"}
    assert found("q=nothing+of+the+kind") == set()
    assert found("page=x") == {"Okta", "Grafana"}
    assert found("use=nonsense") == set()
    response = admin.get(f"{LIST}?q=okta&use=&creator=", headers={**HTMX, "HX-Target": "rows"})
    assert response["HX-Push-Url"] == f"{LIST}?q=okta"
    assert "<html" not in response.content.decode()


def test_the_api_url_shows_from_the_first_token_on(admin: Client, tenant: Tenant) -> None:
    empty = admin.get(LIST).content.decode()
    assert tenant.api_url not in empty
    assert empty.count("Add API Token") == 1
    issue(tenant)
    page = admin.get(LIST).content.decode()
    assert "Your organization's API URL is:" in page
    assert tenant.api_url in page


def test_text_of_people_is_escaped(admin: Client, tenant: Tenant) -> None:
    token = issue(tenant, name=XSS, description=XSS)
    for url in pages(token):
        page = admin.get(url).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in admin.get(LIST).content.decode()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_secret_is_in_one_reply_only(
    admin: Client, tenant: Tenant, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    form = {"name": "Okta", "description": "", "submission": str(uuid.uuid4())}
    response = admin.post(NEW, form, headers=headers)
    token = tenant.api_tokens.get()
    page = response.content.decode()
    secrets = set(UUID.findall(page)) - {str(token.id), form["submission"]}
    assert response.status_code == 200
    assert len(secrets) == 1
    (secret,) = secrets
    assert page.count(secret) == 1
    assert "no-store" in response["Cache-Control"]
    assert response["Referrer-Policy"] == "no-referrer"
    assert "I have copied the token and understand that I will not be able to see these details again." in page
    assert secret not in str(response.headers) + str(response.cookies) + caplog.text
    for url in pages(token):
        assert secret not in admin.get(url).content.decode()
    assert secret not in str([session.get_decoded() for session in Session.objects.all()])
    assert secret not in str(ApiToken.objects.values()) + str(tenant.audit_events.values())


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_same_form_twice_makes_one_token(admin: Client, tenant: Tenant, headers: dict[str, str]) -> None:
    form = {"name": "Okta", "submission": str(uuid.uuid4())}
    admin.post(NEW, form, headers=headers)
    response = admin.post(NEW, form, headers=headers)
    token = tenant.api_tokens.get()
    page = response.content.decode()
    assert response.status_code == 409
    assert reverse("token", args=[token.id]) in page
    assert reverse("token-revoke", args=[token.id]) in page
    assert set(UUID.findall(page)) == {str(token.id)}


def test_a_form_of_another_tenant_creates_no_token(admin: Client, tenant: Tenant, other_tenant: Tenant) -> None:
    submission = uuid.uuid4()
    issue(other_tenant, submission=submission)
    assert admin.post(NEW, {"name": "Okta", "submission": submission}).status_code == 422
    assert not tenant.api_tokens.exists()


@pytest.mark.parametrize(("name", "complaint"), [("", "Give the token a name."), ("x" * 101, "at most 100")])
def test_an_invalid_name_is_refused_and_the_input_stays_in_the_form(
    admin: Client, tenant: Tenant, name: str, complaint: str
) -> None:
    form = {"name": name, "description": "kept", "submission": str(uuid.uuid4()), "version": 1}
    for url in (NEW, reverse("token-edit", args=[issue(tenant).id])):
        response = admin.post(url, form, headers=HTMX)
        page = response.content.decode()
        assert response.status_code == 422
        assert complaint in page
        assert ">\nkept</textarea>" in page
    assert tenant.api_tokens.get().name == "Okta"


def test_an_old_sign_in_confirms_its_password_in_the_same_form(client: Client, tenant: Tenant) -> None:
    client.force_login(person(tenant, password=PASSWORD))
    session = client.session
    session[AUTHENTICATED_AT] = 0
    session.save()
    form = {"name": "Okta", "description": "kept", "submission": str(uuid.uuid4())}
    assert "Confirm your password" in client.get(NEW).content.decode()
    for password in ("", "wrong"):
        response = client.post(NEW, {**form, "password": password})
        assert response.status_code == 422
        assert "kept" in response.content.decode()
    assert not tenant.api_tokens.exists()
    assert client.post(NEW, {**form, "password": PASSWORD}).status_code == 200
    assert tenant.api_tokens.count() == 1
    assert "Confirm your password" not in client.get(NEW).content.decode()


def test_editing_and_revoking(admin: Client, tenant: Tenant) -> None:
    token = issue(tenant)
    form = {"name": "Entra", "description": "", "version": 1}
    edited = admin.post(reverse("token-edit", args=[token.id]), form, headers=HTMX)
    assert "tokens-changed" in edited["HX-Trigger"]
    history = admin.get(reverse("token-activity", args=[token.id])).content.decode()
    assert history.index("Token name changed") < history.index("Token created")
    assert "Okta</del>" in history
    question = admin.get(reverse("token-revoke", args=[token.id])).content.decode()
    assert "Entra" in question
    assert facts(question)["Last used"] == "Never"
    page = admin.post(reverse("token-revoke", args=[token.id]), follow=True).content.decode()
    assert "is revoked" in page
    assert not tenant.api_tokens.listed().exists()


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_second_of_two_editors_is_shown_both_names(admin: Client, tenant: Tenant, headers: dict[str, str]) -> None:
    token = issue(tenant)
    url = reverse("token-edit", args=[token.id])
    opened = admin.get(url, headers=headers).context["form"].initial
    edit_token(
        tenant=tenant,
        token_id=token.id,
        name="Theirs",
        description="Saved",
        expires_at=None,
        networks=(),
        version=1,
        actor=Actor.command("somebody"),
    )

    answer = admin.post(url, opened | {"name": "Mine", "description": "Unsaved"}, headers=headers)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "<dd>Theirs</dd>" in page
    assert "<dd>Saved</dd>" in page
    assert "manage.py somebody saved it" in page
    fields = {field["name"]: field.get("value") for field in elements(page, "input") if "name" in field}
    assert fields["name"] == "Mine"
    assert ">\nUnsaved</textarea>" in page
    assert tenant.api_tokens.get().name == "Theirs"

    again = {"name": "Mine", "description": "Unsaved", "version": fields["version"]}
    assert admin.post(url, again, headers=headers).status_code in {204, 302}
    assert tenant.api_tokens.get().name == "Mine"


def test_after_skip_the_list_warns_about_missing_permissions(admin: Client, tenant: Tenant) -> None:
    token = issue(tenant)
    assert "every call with it answers 403" in admin.get(f"{LIST}?new={token.id}").content.decode().lower()
    for nonsense in ("x", uuid.uuid4()):
        assert "answers 403" not in admin.get(f"{LIST}?new={nonsense}").content.decode()


# --- MCP --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_with_mcp_the_reply_has_a_configuration_once(
    admin: Client, tenant: Tenant, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    form = {"name": "Assistant", "submission": str(uuid.uuid4()), "mcp": "on"}
    response = admin.post(NEW, form, headers=headers)
    token = tenant.api_tokens.get()
    assert (token.mcp, token.mcp_sensitive) == (True, False)
    page = response.content.decode()
    (secret,) = set(UUID.findall(page)) - {str(token.id), form["submission"]}
    shown = [html.unescape(text) for text in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)]
    masked, *whole = [json.loads(text)["mcpServers"]["iru-accuhive"] for text in shown]
    assert (masked["type"], masked["url"]) == ("http", tenant.mcp_url)
    assert masked["headers"] == {"Authorization": "Bearer ••••••••-••••-••••-••••-••••••••••••"}
    # With htmx a script puts the token in, as long as it is shown. Without it, both are behind a <details>.
    assert page.count(secret) == (1 if headers else 2)
    assert [each["headers"] for each in whole] == ([] if headers else [{"Authorization": f"Bearer {secret}"}])
    assert "Copy configuration" in page
    for url in pages(token):
        assert secret not in admin.get(url).content.decode()
    assert secret not in caplog.text


def test_without_mcp_there_is_no_configuration(admin: Client, tenant: Tenant) -> None:
    # The second switch alone means nothing.
    form = {"name": "Okta", "submission": str(uuid.uuid4()), "mcp_sensitive": "on"}
    page = admin.post(NEW, form).content.decode()
    token = tenant.api_tokens.get()
    assert (token.mcp, token.mcp_sensitive) == (False, False)
    assert "configuration" not in page
    assert "AI assistants" not in admin.get(reverse("token", args=[token.id]), follow=True).content.decode()


@pytest.mark.parametrize(("sensitive", "fact"), [(False, "MCP is on:"), (True, "MCP is on, with sensitive tools:")])
def test_the_page_and_the_trail_say_that_mcp_is_on(admin: Client, tenant: Tenant, sensitive: bool, fact: str) -> None:
    token = issue(tenant, mcp=True, mcp_sensitive=sensitive)
    page = admin.get(reverse("token", args=[token.id])).content.decode()
    assert fact in page
    assert tenant.mcp_url in page
    assert '<span class="badge">MCP</span>' in page
    assert '<span class="badge">MCP</span>' in admin.get(LIST).content.decode()
    history = admin.get(reverse("token-activity", args=[token.id])).content.decode()
    assert "<dt>MCP</dt>" in history
    assert ("<dt>Sensitive tools</dt>" in history) is sensitive
    changes = tenant.audit_events.get(action="create").changes
    assert changes == {name: {"old": None, "new": True} for name in ["mcp", *(["mcp_sensitive"] * sensitive)]}


def test_mcp_is_switched_in_the_edit_dialog(admin: Client, tenant: Tenant) -> None:
    token = issue(tenant, mcp=True)
    url = reverse("token-edit", args=[token.id])

    def ticked(page: str) -> set[str | None]:
        boxes = [each for each in elements(page, "input") if each.get("type") == "checkbox"]
        return {each.get("name") for each in boxes if "checked" in each}

    page = admin.get(url).content.decode()
    assert ticked(page) == {"mcp"}
    assert page.index('name="description"') < page.index('name="mcp"') < page.index('name="mcp_sensitive"')
    form = {"name": "Okta", "description": "", "version": 1}
    assert admin.post(url, {**form, "mcp": "on", "mcp_sensitive": "on"}, headers=HTMX).status_code == 204
    assert ticked(admin.get(url).content.decode()) == {"mcp", "mcp_sensitive"}
    conflict = admin.post(url, form, headers=HTMX)  # of somebody who opened the form before
    assert conflict.status_code == 409
    assert "On, with sensitive tools" in conflict.content.decode()
    assert ticked(conflict.content.decode()) == set()
    admin.post(url, {**form, "version": 2})
    token.refresh_from_db()
    assert (token.mcp, token.mcp_sensitive) == (False, False)
    history = admin.get(reverse("token-activity", args=[token.id])).content.decode()
    assert "<dt>MCP</dt>" in history
    assert "on</del>" in history
