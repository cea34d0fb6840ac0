"""The permission editor: what is saved, what is asked first, and that no change of somebody else's is lost."""

import re
from html import unescape
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from access.audit.events import Actor
from access.models import Administrator, ApiToken, Tenant
from access.permissions import Permission, Section, catalogue
from access.sign_in.sessions import AUTHENTICATED_AT
from access.tokens.lifecycle import create_token, set_permissions
from tests.access.pages.test_tokens import PASSWORD, freshen, person
from tests.markup import checked, elements

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(tenant: Tenant) -> Administrator:
    return person(tenant, password=PASSWORD)


@pytest.fixture
def admin(client: Client, owner: Administrator) -> Client:
    client.force_login(owner)
    freshen(client)
    return client


@pytest.fixture
def sections() -> list[Section]:
    """Two sections with more than one permission each."""
    found = [section for area in catalogue.areas() for section in area.sections if len(section.permissions) > 1]
    return found[:2]


def codenames(section: Section) -> list[str]:
    return [permission.codename for permission in section.permissions]


def issue(tenant: Tenant, permissions: list[str]) -> ApiToken:
    return create_token(tenant=tenant, name="Okta", actor=Actor.command("test"), permissions=permissions).token


def save(client: Client, token: ApiToken, permissions: list[str], **fields: Any) -> HttpResponse:
    data = {"version": token.version, "filter": "1", "permission": permissions, **fields}
    return client.post(reverse("token-permissions", args=[token.id]), data)  # type: ignore[return-value]


def shown(part: str) -> set[Permission]:
    """The permissions that a part of a page lists with their names."""
    names = {unescape(name).strip() for name in re.findall(r"<li>\s*<span>([^<]+)", part)}
    return {permission for permission in catalogue if permission.label in names}


def submitted(part: str) -> set[str | None]:
    """The permissions that the form in a part of a page would save."""
    return {field["value"] for field in elements(part, "input") if field.get("name") == "permission"}


def stored(token: ApiToken) -> set[str]:
    token.refresh_from_db()
    return set(token.permissions)


def test_save_replaces_the_permissions(admin: Client, tenant: Tenant, sections: list[Section]) -> None:
    token = issue(tenant, codenames(sections[0]))
    response = save(admin, token, codenames(sections[1]))
    assert response["Location"] == reverse("token", args=[token.id])
    assert stored(token) == set(codenames(sections[1]))
    history = admin.get(reverse("token-activity", args=[token.id])).content.decode()
    assert "Token permissions edited" in history
    assert sections[0].permissions[0].path in history


def test_without_javascript_a_changed_section_box_stands_for_its_rows(
    admin: Client, tenant: Tenant, sections: list[Section]
) -> None:
    first, second = sections
    token = issue(tenant, codenames(first))
    page = admin.get(reverse("token-permissions", args=[token.id])).content.decode()
    assert f'name="section_was" value="{first.slug}"' in page
    assert f'name="section_was" value="{second.slug}"' not in page
    # Ticked the empty one and cleared the full one, whose rows are still ticked.
    save(admin, token, codenames(first), section=[second.slug], section_was=[first.slug])
    assert stored(token) == set(codenames(second))


def test_without_javascript_an_unchanged_section_box_leaves_its_rows_alone(
    admin: Client, tenant: Tenant, sections: list[Section]
) -> None:
    first = sections[0]
    token = issue(tenant, codenames(first))
    save(admin, token, codenames(first)[1:], section=[first.slug], section_was=[first.slug])
    assert stored(token) == set(codenames(first)[1:])


def test_filters_and_folds_redraw_and_save_nothing(admin: Client, tenant: Tenant, sections: list[Section]) -> None:
    token = issue(tenant, [])
    chosen = sections[0].permissions[0]
    for button in ({"apply": "1", "q": "no such thing"}, {"fold": "collapse"}, {"review": "1"}):
        response = save(admin, token, [chosen.codename], **button)
        page = response.content.decode()
        assert response.status_code == 200
        assert chosen.codename in checked(page)
        assert "1 added" in page
    assert stored(token) == set()


def test_the_view_shows_enabled_permissions_unless_asked_for_all(
    admin: Client, tenant: Tenant, sections: list[Section]
) -> None:
    token = issue(tenant, codenames(sections[0])[:1])
    url = reverse("token", args=[token.id])
    rows = len(catalogue)
    assert admin.get(url).content.decode().count("data-row") == rows
    assert len([box for box in elements(admin.get(url).content.decode(), "input") if "disabled" in box]) >= rows
    shown = admin.get(url).context["editor"]
    assert len(shown.shown) == 1
    everything = admin.get(f"{url}?filter=1").context["editor"]
    assert len(everything.shown) == rows
    found = admin.get(f"{url}?filter=1&q={sections[0].permissions[0].codename}").context["editor"]
    assert len(found.shown) == 1


def test_the_second_of_two_editors_is_shown_both_versions(
    admin: Client, owner: Administrator, tenant: Tenant, sections: list[Section]
) -> None:
    first, second = sections
    token = issue(tenant, [])
    set_permissions(tenant=tenant, token_id=token.id, permissions=codenames(first), version=1, actor=Actor.of(owner))
    response = save(admin, token, codenames(second), was="")  # the page was shown when there were none
    page = response.content.decode()
    assert response.status_code == 409
    assert owner.name in page
    both, saved, yours = page.index("<h2>Keep both"), page.index("<h2>Saved now"), page.index("<h2>Yours")
    assert both < saved < yours
    assert shown(page[both:saved]) == set(second.permissions)  # as added to those that are saved
    assert shown(page[saved:yours]) == set(first.permissions)
    assert shown(page[yours:]) == set(second.permissions)
    assert submitted(page[both:saved]) == {*codenames(first), *codenames(second)}
    assert submitted(page[yours:]) == set(codenames(second))
    assert stored(token) == set(codenames(first))
    save(admin, token, codenames(second))  # with the version that the conflict page carries
    assert stored(token) == set(codenames(second))


def test_widening_asks_for_the_password_and_keeps_the_selection(
    client: Client, owner: Administrator, tenant: Tenant, sections: list[Section]
) -> None:
    client.force_login(owner)
    session = client.session
    session[AUTHENTICATED_AT] = 0
    session.save()
    wanted = codenames(sections[0])
    token = issue(tenant, wanted[:1])
    for password in ({}, {"password": "wrong"}):
        response = save(client, token, wanted, **password)
        page = response.content.decode()
        assert response.status_code == 422
        assert "Confirm your password" in page
        assert set(wanted) <= checked(page)
    assert stored(token) == set(wanted[:1])
    assert save(client, token, wanted, password=PASSWORD).status_code == 302
    assert stored(token) == set(wanted)


def test_a_version_yet_to_come_does_not_get_round_the_password(
    client: Client, owner: Administrator, tenant: Tenant, sections: list[Section], monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(owner)
    session = client.session
    session[AUTHENTICATED_AT] = 0
    session.save()
    first = codenames(sections[0])
    token = issue(tenant, first[:1])

    def meanwhile(**change: Any) -> ApiToken:  # what asks for no password is saved between the view's look and its save
        set_permissions(tenant=tenant, token_id=token.id, permissions=[], version=1, actor=Actor.of(owner))
        return set_permissions(**change)

    monkeypatch.setattr("access.pages.permissions.services.set_permissions", meanwhile)
    assert save(client, token, first, version=2).status_code == 409
    assert stored(token) == set(first[:1])


def test_narrowing_asks_for_nothing(
    client: Client, owner: Administrator, tenant: Tenant, sections: list[Section]
) -> None:
    client.force_login(owner)
    session = client.session
    session[AUTHENTICATED_AT] = 0
    session.save()
    token = issue(tenant, codenames(sections[0]))
    assert save(client, token, []).status_code == 302
    assert stored(token) == set()


def test_an_unknown_permission_is_refused(admin: Client, tenant: Tenant) -> None:
    token = issue(tenant, [])
    assert save(admin, token, ["no_such_permission"]).status_code == 422
    assert save(admin, token, [], version="x").status_code == 422
    assert stored(token) == set()
