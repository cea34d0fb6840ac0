"""Every page for every role, read from the addresses that there are: a new page is in here by existing."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from access.audit.events import Actor
from access.models import Administrator, Role, Tenant
from access.roles import ROLES, Capability, may
from access.tokens.lifecycle import create_token
from devices.models import Device
from tests.devices.pages.browsing import SignIn
from tests.factories.access import AdministratorFactory
from tests.factories.devices import AssignmentFactory, NoteFactory
from tests.markup import elements

pytestmark = pytest.mark.django_db

# Open to whoever comes, or to whoever has signed in; everything else asks for a capability.
FOR_ANYBODY = {"theme"}
FOR_THE_SIGNED_IN = {"home"}
# As ui/access.md has it, written a second time so that a slip in one of the two shows.
TABLE = {
    Role.OWNER: set(Capability),
    Role.ADMIN: set(Capability),
    Role.STANDARD: set(Capability) - {Capability.MANAGE_ACCESS},
    Role.HELP_DESK: {Capability.VIEW, Capability.EDIT_DEVICES, Capability.ACT_ON_DEVICES},
    Role.AUDITOR: {Capability.VIEW},
    Role.SECRETS_AUDITOR: {Capability.VIEW, Capability.READ_SECRETS},
}


def named(patterns: list[Any]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from named(pattern.url_patterns)
        elif not str(pattern.name).startswith("account_"):
            yield pattern


PATTERNS = {str(pattern.name): pattern for pattern in named(get_resolver().url_patterns)}


def capability_of(pattern: URLPattern) -> Capability | None:
    found: Capability | None = getattr(pattern.callback, "capability", None)
    return found


@pytest.fixture
def examples(tenant: Tenant, mac: Device) -> dict[str, UUID | int | str]:
    """A value for everything that an address can name."""
    assignment = AssignmentFactory.create(blueprint=mac.blueprint)
    assert mac.user
    return {
        "device_id": mac.uuid,
        "note_id": NoteFactory.create(tenant=tenant, device=mac).uuid,
        "kind": "filevault_key",
        "action": "restart",
        "blueprint_id": mac.blueprint.uuid,
        "assignment_id": assignment.pk,
        "user_id": mac.user.uuid,
        "token_id": create_token(tenant=tenant, name="Okta", actor=Actor.command("test")).token.id,
        "administrator_id": AdministratorFactory.create(tenant=tenant, role=Role.STANDARD).id,
    }


def test_every_page_asks_for_a_capability() -> None:
    without = {name for name, pattern in PATTERNS.items() if capability_of(pattern) is None}
    assert without <= FOR_ANYBODY | FOR_THE_SIGNED_IN


def test_roles_may_what_the_table_says() -> None:
    assert {role: set(ROLES[role]) for role in Role} == TABLE


@pytest.mark.parametrize("role", Role)
def test_the_matrix_of_roles_and_pages(role: Role, sign_in: SignIn, examples: dict[str, Any]) -> None:
    client = sign_in(role)
    wrong = []
    for name, pattern in PATTERNS.items():
        capability = capability_of(pattern)
        if capability is None:
            continue
        url = reverse(name, kwargs={key: examples[key] for key in pattern.pattern.converters})
        response = client.get(url)
        if response.status_code == 405:
            response = client.post(url)
        allowed = capability in TABLE[role]
        if response.status_code >= 500 or (response.status_code == 403) == allowed:
            wrong.append(f"{role} {name}: {response.status_code}")
    assert not wrong, "\n".join(wrong)


def test_an_operator_cannot_open_pages_of_a_tenant(
    operator: Administrator, client: Client, examples: dict[str, Any]
) -> None:
    client.force_login(operator)
    assert not any(may(operator, capability) for capability in Capability)
    for name in ("devices", "blueprints", "users"):
        assert client.get(reverse(name)).status_code == 403


def test_a_stranger_signs_in_first(client: Client, examples: dict[str, Any]) -> None:
    for name in ("devices", "blueprints", "users"):
        assert client.get(reverse(name))["Location"] == f"/sign-in/?next={reverse(name)}"


def test_the_navigation_shows_what_the_role_may_open(sign_in: SignIn, mac: Device) -> None:
    shown = sign_in(Role.AUDITOR).get("/", follow=True)
    assert shown.redirect_chain[-1][0] == reverse("devices")
    content = shown.content.decode()
    assert content.index('href="/devices/"') < content.index('href="/blueprints/"') < content.index('href="/users/"')


def test_the_access_property_agrees_with_the_capability(tenant: Tenant) -> None:
    for role in Role:
        person = Administrator(tenant=tenant, role=role)
        assert person.manages_access == may(person, Capability.MANAGE_ACCESS)


def test_the_navigation_marks_the_section_of_a_page(sign_in: SignIn, mac: Device) -> None:
    client = sign_in(Role.ADMIN)
    sections = [reverse(name) for name in ("devices", "blueprints", "users", "reference")]

    def marked(path: str) -> list[str]:
        links = elements(client.get(path).content.decode(), "a")
        return [section for section in sections if {"href": section, "aria-current": "page"} in links]

    for path in (reverse("devices"), reverse("device", args=[mac.uuid]), reverse("device-notes", args=[mac.uuid])):
        assert marked(path) == [reverse("devices")], path
    assert marked(reverse("tokens")) == []
