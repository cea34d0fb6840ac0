"""The form of search, filters and order that all lists share."""

from typing import Any

import pytest
from django import forms

import iru.urls  # noqa: F401 - imports every page, and so the form of every list
from access.models import Tenant
from access.pages.forms.filters import ListFilter
from devices.models import Device
from tests.devices.pages.browsing import SignIn, text
from tests.factories.devices import BlueprintFactory, DeviceFactory, UserFactory
from tests.factories.everything import something_of_everything
from tests.markup import elements

FORMS = {form.__name__: form for form in ListFilter.__subclasses__()}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_blanks_around_the_search_mean_nothing(form: type[ListFilter], tenant: Tenant) -> None:
    padded, plain = (form({"q": text}, tenant=tenant) for text in ("  Zoë's  ", "Zoë's"))
    assert padded.chosen == plain.chosen == {"q": "Zoë's"}
    found = [str(each.apply().query) for each in (padded, plain)]
    assert found[0] == found[1]


CHOICES = [
    (form, name)
    for form in FORMS.values()
    for name, field in form.base_fields.items()
    if isinstance(field, forms.ChoiceField | forms.DateField | forms.ModelChoiceField)
]
SORTS = [(form, f"{sign}{key}") for form in FORMS.values() for key in form.sorts for sign in ("", "-")]
# Lists of at most some thousand rows, which may be sorted without an index of their own: people, Blueprints, tokens (an
# index of the last use would slow down each call), and vulnerabilities, of which the active ones are found by an index.
SMALL = {"BlueprintFilter", "PeopleFilter", "TokenFilter", "VulnerabilityFilter"}
LISTS = {
    "/access/tokens/": "TokenFilter",
    "/access/people/": "PeopleFilter",
    "/devices/": "DeviceFilter",
    "/users/": "UserFilter",
    "/blueprints/": "BlueprintFilter",
    "/blueprints/ade/devices/": "AdeDeviceFilter",
    "/library/": "LibraryFilter",
    "/vulnerabilities/": "VulnerabilityFilter",
}


@pytest.mark.parametrize(("form", "name"), CHOICES, ids=[f"{form.__name__} {name}" for form, name in CHOICES])
def test_with_an_unknown_value_no_row_matches_and_the_page_says_so(
    form: type[ListFilter], name: str, tenant: Tenant
) -> None:
    something_of_everything(tenant)
    filters = form({name: "no such thing"}, tenant=tenant)
    assert not filters.apply().exists()
    assert filters.found
    (chip,) = filters.chips
    assert (chip.text, chip.query, chip.unknown) == ("no such thing", "", True)


@pytest.mark.parametrize(("form", "sort"), SORTS, ids=[f"{form.__name__} {sort}" for form, sort in SORTS])
def test_each_column_sorts_in_both_directions(form: type[ListFilter], sort: str, tenant: Tenant) -> None:
    filters = form({"sort": sort}, tenant=tenant)
    assert not filters.errors
    heading = filters.headings[sort.removeprefix("-")]
    assert heading.direction == ("descending" if sort.startswith("-") else "ascending")
    assert f"sort={sort}" not in heading.query.split("&")  # the heading leads to the other direction
    list(filters.apply()[:1])


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("form", "sort"), SORTS, ids=[f"{form.__name__} {sort}" for form, sort in SORTS])
def test_each_column_has_an_index_to_sort_by(form: type[ListFilter], sort: str, tenant: Tenant) -> None:
    if form.__name__ in SMALL:
        return
    keys = form({"sort": sort}, tenant=tenant).apply().values_list("pk", flat=True)[:51]
    plan = keys.explain()
    assert "USE TEMP B-TREE" not in plan.replace("USE TEMP B-TREE FOR LAST TERM OF ORDER BY", ""), plan


@pytest.mark.parametrize(("url", "name"), LISTS.items())
def test_the_heads_of_a_list_are_links_and_say_the_order(url: str, name: str, tenant: Tenant, sign_in: SignIn) -> None:
    something_of_everything(tenant)
    client, form = sign_in(), FORMS[name]
    for key in form.sorts:
        if form.default_label and key == form.default_sort.removeprefix("-"):
            continue  # the order of the list by itself, which may be that of no column
        content = text(client.get(url, {"sort": f"-{key}"}))
        (head,) = [each for each in elements(content, "th") if "aria-sort" in each]
        assert head["aria-sort"] == "descending"
        assert f'href="?sort={key}"' in content


def test_each_active_filter_is_a_chip_that_leads_to_the_list_without_it(tenant: Tenant, sign_in: SignIn) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant, name="Sales")
    DeviceFactory.create(tenant=tenant, blueprint=blueprint)
    query = {"q": "mac", "platform": "Mac", "blueprint": str(blueprint.uuid), "sort": "-seen"}
    content = text(sign_in().get("/devices/", query))
    assert 'aria-label="Remove: Platform Mac"' in content
    assert f'href="/devices/?q=mac&amp;blueprint={blueprint.uuid}&amp;sort=-seen"' in content
    assert 'href="/devices/?q=mac&amp;platform=Mac&amp;sort=-seen"' in content
    assert "Blueprint: Sales" in content


def test_all_that_match_an_unknown_filter_are_none(tenant: Tenant, sign_in: SignIn) -> None:
    DeviceFactory.create(tenant=tenant)
    content = text(sign_in().get("/devices/bulk/tags/add/", {"all": "1", "platform": "Toaster"}))
    assert "Nothing is selected." in content


def search(tenant: Tenant, words: str) -> list[str]:
    form: Any = FORMS["DeviceFilter"]({"q": words}, tenant=tenant)
    return [device.name for device in form.apply()]


def test_every_word_of_a_search_must_match_somewhere(tenant: Tenant) -> None:
    aino = UserFactory.create(tenant=tenant, name="Aino Lindström", email="aino@accuhive.test")
    facts: dict[str, Any] = {"tenant": tenant, "serial_number": "C02XK", "asset_tag": "AH-7", "model": "MacBook Air"}
    DeviceFactory.create(name="Reception", user=aino, **facts)
    DeviceFactory.create(name="Aino's iPhone", user=aino, tenant=tenant, model="iPhone 16")
    DeviceFactory.create(name="100%", tenant=tenant, model="MacBook Pro", user=None)
    assert search(tenant, "aino macbook") == ["Reception"]
    assert search(tenant, "MACBOOK lindstrom") == ["Reception"]
    for word in ("c02xk", "ah-7", "aino@", "LINDSTRÖM", "recept"):
        assert "Reception" in search(tenant, word), word
    assert search(tenant, "aino macbook pro") == []
    assert search(tenant, "% macbook") == ["100%"]
    assert search(tenant, "c02xkmacbook") == []
    assert Device.objects.get(name="Reception").search_text.count("\n") == 5


def test_a_search_and_the_order_follow_the_people_and_blueprints(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    person = UserFactory.create(tenant=tenant, name="Ben")
    device = DeviceFactory.create(tenant=tenant, name="One", user=person)
    client.post(f"/users/{person.uuid}/edit/", {"name": "Zoë"})
    client.post(
        f"/blueprints/{device.blueprint.uuid}/edit/", {"name": "Kiosks", "color": "blue-500", "icon": "ss-layers"}
    )
    assert search(tenant, "zoe") == ["One"]
    assert search(tenant, "ben") == []
    device.refresh_from_db()
    assert (device.user_label, device.blueprint_label) == ("Zoë", "Kiosks")
