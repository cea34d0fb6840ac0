"""Nothing of another tenant is shown, found or taken by any page, whichever of its ids, names and addresses is sent."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from access.models import AuditEvent, Tenant
from tests.devices.pages.addresses import PAGES, Examples, address, examples_of, parameters
from tests.devices.pages.browsing import SignIn, text
from tests.factories.devices import AssignmentNodeFactory

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
OURS, THEIRS = "Amber", "Zebra"


@pytest.fixture
def ours(tenant: Tenant) -> Examples:
    return examples_of(tenant, OURS)


@pytest.fixture
def theirs(other_tenant: Tenant) -> Examples:
    return examples_of(other_tenant, THEIRS)


def foreign_ids(route: str) -> Iterator[tuple[str, ...]]:
    """Every choice of the ids in a route: each one alone, and all of them at once."""
    names = parameters(route)
    for count in range(1, len(names) + 1):
        yield from combinations(names, count)


def test_one_or_all_ids_of_another_tenant_are_not_found(ours: Examples, theirs: Examples, sign_in: SignIn) -> None:
    client, events = sign_in(), AuditEvent.objects.count()
    found = {}
    for route in PAGES:
        for chosen in foreign_ids(route):
            url = address(route, ours | {name: theirs[name] for name in chosen})
            answers = [client.get(url).status_code, client.post(url).status_code]
            if 404 not in answers or not set(answers) <= {404, 405}:
                found[route, chosen] = answers
    assert not found
    assert AuditEvent.objects.count() == events


def test_no_page_shows_anything_of_another_tenant(
    ours: Examples, theirs: Examples, other_tenant: Tenant, sign_in: SignIn
) -> None:
    client, tag = sign_in(), other_tenant.tags.get()
    queries: list[dict[str, Any]] = [
        {},
        {"archived": "all", "filter": "1"},
        {"q": THEIRS[:4], "user": THEIRS[:4]},
        {"blueprint": theirs["blueprint_id"], "tag": tag.uuid, "new": theirs["token_id"]},
    ]
    pages = [(address(route, ours), query) for route in PAGES for query in queries]
    assert [(url, query) for url, query in pages if THEIRS in text(client.get(url, query, follow=True))] == []


def test_no_form_takes_an_object_of_another_tenant(
    ours: Examples, theirs: Examples, tenant: Tenant, other_tenant: Tenant, sign_in: SignIn
) -> None:
    client, events = sign_in(), AuditEvent.objects.count()
    own_item, own_blueprint = tenant.library_items.get(), str(ours["blueprint_id"])
    AssignmentNodeFactory.create(blueprint=tenant.blueprints.get())
    node = AssignmentNodeFactory.create(blueprint=other_tenant.blueprints.get())
    edit, new, assign = (
        address(route, ours)
        for route in (
            "/devices/<uuid:device_id>/edit/",
            "/blueprints/new/",
            "/blueprints/<uuid:blueprint_id>/library/assign/",
        )
    )
    copy = {"name": "Copy", "type": "classic", "source": f"blueprint:{theirs['blueprint_id']}"}
    person = {"blueprint": own_blueprint, "user": f"{THEIRS}@people.test"}
    for url, data, field, words in (
        (edit, person, "user", "No user has this e-mail address."),  # the same words as for any unknown address
        (edit, {"blueprint": own_blueprint, "tags": f"{THEIRS} tag"}, "tags", "Select a valid choice."),
        (edit, {"blueprint": theirs["blueprint_id"]}, "blueprint", "Select a valid choice."),
        (new, copy, "source", "Select a valid choice."),
        (assign, {"library_item": other_tenant.library_items.get().uuid}, "library_item", "Select a valid choice."),
        (assign, {"library_item": own_item.uuid, "node": node.uuid}, "node", "Select a valid choice."),
    ):
        response = client.post(url, data)
        assert response.status_code == 422, data
        assert response.context["form"].errors[field][0].startswith(words), data
    assert AuditEvent.objects.count() == events
