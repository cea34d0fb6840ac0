"""Every page with odd values, read from the addresses and forms that there are: none makes an error of the server."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django import forms
from django.contrib import admin
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from access.models import Administrator, Tenant
from access.pages.forms.filters import ListFilter
from access.pages.forms.permissions import EditorFilter
from tests.factories.access import AdministratorFactory, AuthenticatorFactory
from tests.factories.devices import MdmAuthorityFactory
from tests.factories.everything import something_of_everything
from tests.markup import elements
from tests.types import Response

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

# As they stand in an address.
TEXTS = {"null character": "a%00b", "no UTF-8": "%ED%A0%80%FF", "long": "%25_%5C" + "x" * 2_997}
NUMBERS = {"negative": "-1", "huge": "9" * 20, "more digits than int() reads": "9" * 4_301}
VALUES = TEXTS | NUMBERS
# Python refuses two of these before a database sees them, and PostgreSQL has no limit for the third: they are sent to
# SQLite. PostgreSQL refuses more of the others than SQLite.
ON_ONE = {"no UTF-8", "long", "more digits than int() reads"}
each_value = pytest.mark.parametrize(
    "value",
    [
        pytest.param(value, id=name, marks=pytest.mark.sqlite_only if name in ON_ONE else pytest.mark.postgres_only)
        for name, value in VALUES.items()
    ],
)
MODELS = {model._meta.label: each for model, each in admin.site._registry.items()}


def routes(patterns: list[Any], before: str = "") -> Iterator[str]:
    """The address of every page, with `<…>` for each of its parameters."""
    for pattern in patterns:
        route = before + re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", str(pattern.pattern)).strip("^$").replace("\\Z", "")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield f"/{route}"


ROUTES = sorted(set(routes(get_resolver().url_patterns)))
CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")
# The forms of the lists. The import of the addresses imports every page, and the pages import their forms.
FORMS: list[type[forms.Form]] = [*ListFilter.__subclasses__(), EditorFilter]
PARAMETERS = {"q", "page", "user", "new", "next", "theme", "filter", "sort", "family"}
PARAMETERS |= {name for form in FORMS for name in form.base_fields}
EVERYWHERE = sorted({*PARAMETERS, *(f"{name}[]" for name in PARAMETERS), "unheard-of"})


@pytest.fixture
def ids(tenant: Tenant, owner: Administrator) -> dict[str, Any]:
    """A value for each parameter of an address."""
    token, device = something_of_everything(tenant), tenant.devices.get()
    return {
        "token_id": token.pk,
        "person_id": AdministratorFactory.create(tenant=tenant, is_active=False).pk,
        "authenticator_id": AuthenticatorFactory.create(user=owner).pk,
        "authority_id": MdmAuthorityFactory.create(tenant=tenant).pk,
        "session_id": "0" * 40,
        "subdomain": "nowhere",
        "webhook_id": tenant.webhooks.get().uuid,
        "delivery_id": tenant.webhooks.get().deliveries.earliest("pk").uuid,
        "device_id": device.uuid,
        "command_id": device.commands.exclude(command="").latest("pk").uuid,
        "note_id": device.notes.get().uuid,
        "kind": "filevault_key",
        "family": "mac",
        "action": "restart",
        "blueprint_id": device.blueprint.uuid,
        "assignment_id": device.blueprint.assignments.get().pk,
        "user_id": tenant.users.get().uuid,
        "item_id": tenant.library_items.get().uuid,
        "ade_token_id": tenant.ade_integrations.get().uuid,
        "ade_device_id": tenant.ade_devices.get().uuid,
        "bulk_action_id": tenant.bulk_actions.get().uuid,
        "category": "apps",
        "cve_id": tenant.vulnerabilities.get().cve_id,
        "object_id": 1,
        "content_type_id": 1,
        "app_label": "access",
        "url": "nowhere",
        "uidb36": "1",
        "key": "set-password",
        "operation_id": "list_devices",
    }


@pytest.fixture
def people(owner: Administrator, operator: Administrator) -> list[Client]:
    clients = [Client(raise_request_exception=False) for _ in range(3)]
    for client, person in zip(clients[1:], (owner, operator), strict=True):
        client.force_login(person)
    return clients


def pages(people: list[Client], ids: dict[str, Any]) -> Iterator[tuple[str, Client]]:
    """Every page, for a stranger and for the person whom it is made for."""
    stranger, owner, operator = people
    for route in ROUTES:
        path = CONVERTER.sub(lambda match: str(ids[match[1]]), route)
        yield path, stranger
        yield path, operator if path.startswith("/admin/") else owner


def ask(client: Client, method: str, path: str, query: str = "", body: str = "") -> Response:
    """The answer that the client gets. Changes are rolled back, and so is a transaction that the request broke."""
    with transaction.atomic():
        response: Response = client.generic(
            method, path, body, content_type="application/x-www-form-urlencoded", QUERY_STRING=query
        )
        transaction.set_rollback(True)
    return response


def failures(calls: Iterator[tuple[str, Response]]) -> str:
    return "\n".join(f"{name}: {response.status_code}" for name, response in calls if response.status_code >= 500)


def test_the_forms_of_the_lists_are_found() -> None:
    assert {"TokenFilter", "DeviceFilter", "VulnerabilityFilter"} <= {form.__name__ for form in FORMS}


def test_every_address_has_its_examples(ids: dict[str, Any]) -> None:
    assert {name for route in ROUTES for name in CONVERTER.findall(route)} <= ids.keys()


@each_value
def test_in_the_query_string_of_a_page(people: list[Client], ids: dict[str, Any], value: str) -> None:
    query = "&".join(f"{name}={value}" for name in EVERYWHERE)
    assert not failures((path, ask(client, "GET", path, query)) for path, client in pages(people, ids))


@pytest.mark.parametrize("label", MODELS)
def test_in_the_filters_of_django_admin(people: list[Client], ids: dict[str, Any], label: str) -> None:
    request = RequestFactory().get("/")
    request.user = Administrator.objects.get(is_staff=True)
    model_admin = MODELS[label]
    found = model_admin.get_changelist_instance(request)
    names = {"q", "p", "o", "e", "all", "_facets", "_popup", "_to_field", "pk", "id__in", "tenant__id__exact"}
    names |= {name for each in found.filter_specs for name in each.expected_parameters() if name}
    meta = model_admin.model._meta
    calls = (
        (
            f"{name}={value[:20]}",
            ask(people[2], "GET", f"/admin/{meta.app_label}/{meta.model_name}/", f"{name}={value}"),
        )
        for name in sorted(names)
        for id, value in VALUES.items()
        if connection.vendor == ("sqlite" if id in ON_ONE else "postgresql")
    )
    assert not failures(calls)


@each_value
def test_in_the_place_of_an_id(people: list[Client], value: str) -> None:
    paths = {CONVERTER.sub(value or "0", route) for route in ROUTES if "<" in route}
    assert not failures((path[:80], ask(client, "GET", path)) for path in sorted(paths) for client in people)


def test_in_every_field_of_every_form(people: list[Client], ids: dict[str, Any]) -> None:
    sent = ["no UTF-8", "long"] if connection.vendor == "sqlite" else ["null character", "huge"]

    def calls() -> Iterator[tuple[str, Response]]:
        for path, client in pages(people, ids):
            page = ask(client, "GET", path).getvalue().decode(errors="replace")
            fields = [each.get("name") for tag in ("input", "select", "textarea") for each in elements(page, tag)]
            names = sorted({name for name in fields if name} | {"theme", "next", "action", "_selected_action"})
            for value in map(VALUES.get, sent):
                yield path, ask(client, "POST", path, body="&".join(f"{quote(name)}={value}" for name in names))

    assert not failures(calls())


@pytest.mark.parametrize("charset", ["hex", "unicode_escape", "utf-7", "no-such-charset"])
def test_of_another_charset(people: list[Client], charset: str) -> None:
    kind = f"application/x-www-form-urlencoded; charset={charset}"
    for path in ("/blueprints/?q=%5Cud800", "/users/options/?user=%2B2AA-"):
        response = people[1].generic("GET", path, content_type=kind)
        assert response.status_code == 200, (path, response.status_code)
    response = people[0].generic("POST", "/sign-in/", "login=%5Cud800&password=x", content_type=kind)
    assert response.status_code == 422


def test_a_search_with_a_null_character_finds_what_it_finds_without(people: list[Client], ids: dict[str, Any]) -> None:
    name = Tenant.objects.get().blueprints.get().name
    assert name in people[1].get(f"/blueprints/?q={quote(name)}%00").content.decode()


@pytest.mark.parametrize(
    "address", ["a", "tokens", "https://evil.test/", "//evil.test/", "http:a", "\0", "/\\evil.test"]
)
def test_the_theme_leads_back_within_this_site(client: Client, address: str) -> None:
    response = client.post("/theme/", {"theme": "dark", "next": address})
    assert (response.status_code, response["Location"]) == (302, "/")
