"""Bulk actions through their pages: the selection, the texts of the dialogs, and the action that starts."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from access.models import Role, Tenant
from devices.bulk.worker import run_bulk_action
from devices.models import BulkAction, Device, Platform, Vulnerability
from devices.pages import listing
from tests.devices.bulk.starting import outcomes
from tests.devices.pages.browsing import HTMX, SignIn, newest, text
from tests.factories.devices import (
    AssignmentFactory,
    AssignmentNodeFactory,
    BlueprintFactory,
    BulkActionFactory,
    DeviceFactory,
    LibraryItemFactory,
    TagFactory,
    UserFactory,
    VulnerabilityDetectionFactory,
)
from tests.markup import elements
from tests.types import Response, RunTasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(sign_in: SignIn) -> Client:
    return sign_in(Role.STANDARD)


def devices(tenant: Tenant, *names: str, **fields: Any) -> list[Device]:
    return [DeviceFactory.create(tenant=tenant, name=name, **fields) for name in names]


def hidden(response: Response) -> dict[str, Any]:
    """The hidden fields of a dialog's form, as a browser sends them."""
    fields = elements(text(response), "input")
    return {
        str(field["name"]): field.get("value", "")
        for field in fields
        if field.get("type") == "hidden" and field.get("name") != "csrfmiddlewaretoken"
    }


def ask(client: Client, name: str, query: Any, *args: Any, **data: Any) -> Response:
    """Open the dialog, fill in the form and confirm it. Returns the last answer."""
    url = reverse(name, args=args, query=query)
    response = client.get(url)
    response = client.post(url, hidden(response) | data)
    if response.status_code == 200:  # the second step shows the numbers
        response = client.post(url, hidden(response))
    return response


def started(response: Response) -> BulkAction:
    assert response.status_code == 302, text(response)
    return BulkAction.objects.get(uuid=response["Location"].rstrip("/").rsplit("/", 1)[1])


def test_ticked_rows_get_a_command(client: Client, tenant: Tenant, run_tasks: RunTasks) -> None:
    one, two, _ = devices(tenant, "one", "two", "three")
    action = started(ask(client, "bulk-command", {"id": [one.uuid, two.uuid]}, "restart"))
    assert (action.label, action.selection, action.total) == ("Restart", "Selected rows", 2)
    run_tasks()
    assert outcomes(action) == {"one": ("done", ""), "two": ("done", "")}
    content = text(client.get(reverse("bulk-action", args=[action.uuid])))
    assert reverse("device", args=[one.uuid]) in content
    assert "100%" in content


def test_all_that_match_are_those_of_the_list(client: Client, tenant: Tenant, run_tasks: RunTasks) -> None:
    """The same filters select the rows of the list, on all its pages, and the rows of the action."""
    for platform in (Platform.MAC, Platform.IPHONE):
        devices(tenant, *(f"{platform} {n}" for n in range(3)), platform=platform)
    query = {"platform": "iPhone", "q": "phone", "sort": "-name"}
    listed = [device.name for device in client.get(reverse("devices"), query).context["page"].object_list]
    action = started(ask(client, "bulk-command", query | {"all": "1"}, "restart"))
    assert [row.name for row in action.results.order_by("pk")] == listed == ["iPhone 2", "iPhone 1", "iPhone 0"]
    assert action.selection == "All that match (Search: phone, Platform: iPhone)"


def test_the_devices_of_selected_users(client: Client, tenant: Tenant) -> None:
    ana, ben, gone = (
        UserFactory.create(tenant=tenant, name=name, archived=name == "Gone") for name in ("Ana", "Ben", "Gone")
    )
    for user in (ana, ben, gone):
        devices(tenant, f"{user.name} 1", f"{user.name} 2", user=user)
    devices(tenant, "nobody's")
    action = started(ask(client, "bulk-command", {"from": "users", "id": [ana.uuid]}, "restart"))
    assert set(outcomes(action)) == {"Ana 1", "Ana 2"}
    action = started(ask(client, "bulk-command", {"from": "users", "all": "1"}, "restart"))
    assert set(outcomes(action)) == {"Ana 1", "Ana 2", "Ben 1", "Ben 2"}


def test_the_dialog_says_what_will_be_skipped_and_why(client: Client, tenant: Tenant) -> None:
    devices(tenant, "Reception", "Mac 2")
    devices(tenant, "TV", platform=Platform.APPLE_TV)
    started(ask(client, "bulk-command", {"all": "1", "q": "Reception"}, "lock"))
    run_bulk_action.call(BulkAction.objects.get().pk)
    facts = client.get(reverse("bulk-command", args=["lock"], query={"all": "1"})).context["dialog"].facts
    assert facts == {
        "Platforms": "2 Mac, 1 Apple TV",
        "Changed": "1",
        "Skipped": "1: Apple TV devices do not take this command. 1: This device is already locked.",
    }


def test_erasing_asks_for_the_number_and_the_password(sign_in: SignIn, tenant: Tenant, run_tasks: RunTasks) -> None:
    client = sign_in(Role.STANDARD, recently=False, password="correct horse battery")
    devices(tenant, "one", "two")
    url = reverse("bulk-command", args=["erase"], query={"all": "1"})
    fields = hidden(client.get(url))
    errors = client.post(url, fields).context["form"].errors
    assert errors["typed_name"] == ["Type the number of devices to go on."]
    assert errors["password"] == ["Enter your password to go on."]
    errors = client.post(url, fields | {"typed_name": "3 devices", "password": "wrong"}).context["form"].errors
    assert errors["typed_name"] == ["This is not the number of devices. Nothing was sent."]
    assert errors["password"] == ["That is not your password."]
    assert not tenant.bulk_actions.exists()
    action = started(client.post(url, fields | {"typed_name": "2 devices", "password": "correct horse battery"}))
    run_tasks()
    assert set(outcomes(action).values()) == {("done", "")}


def test_the_form_has_the_fields_of_all_selected_families(client: Client, tenant: Tenant) -> None:
    devices(tenant, "Mac")
    devices(tenant, "PC", platform=Platform.WINDOWS)
    url = reverse("bulk-command", args=["erase"], query={"all": "1"})
    assert {"PIN", "erase_mode"} <= set(client.get(url).context["form"].fields)
    assert "erase_mode" not in client.get(f"{url}&platform=Mac").context["form"].fields


def test_the_commands_to_choose_from_are_those_that_some_take(client: Client, tenant: Tenant) -> None:
    devices(tenant, "Mac 1", "Mac 2")
    devices(tenant, "TV", platform=Platform.APPLE_TV)

    def offered(**query: str) -> dict[str, int]:
        groups = client.get(reverse("bulk-commands", query={"all": "1", **query})).context["groups"]
        return {offer.command.action: offer.count for _, offers in groups for offer in offers}

    both, tvs = offered(), offered(platform="AppleTV")
    assert (both["lock"], both["restart"], tvs["restart"]) == (2, 3, 1)
    assert "lock" not in tvs
    assert "playlostmodesound" not in both
    devices(tenant, "phone", platform=Platform.IPHONE)
    assert "disablelostmode" not in offered()
    devices(tenant, "lost", platform=Platform.IPHONE, lost_mode_status="enabled")
    assert offered()["disablelostmode"] == 2


def test_a_new_tag_is_created_with_the_action(client: Client, tenant: Tenant, run_tasks: RunTasks) -> None:
    devices(tenant, "one", "two")
    action = started(ask(client, "bulk-tag-add", {"all": "1"}, new_tag="Spring fair"))
    run_tasks()
    assert outcomes(action) == {"one": ("done", ""), "two": ("done", "")}
    assert tenant.tags.get().devices.count() == 2
    url = reverse("bulk-tag-add", query={"all": "1"})
    tag = str(tenant.tags.get().uuid)
    first = hidden(client.get(url))
    step = client.post(url, first | {"tag": tag})
    assert step.context["dialog"].facts["Skipped"] == "2: Already has this tag."
    for wrong, field in (({}, "tag"), ({"tag": tag, "new_tag": "x"}, "new_tag")):
        assert field in client.post(url, first | wrong).context["form"].errors


def test_a_tag_is_removed_and_a_blueprint_assigned(client: Client, tenant: Tenant, run_tasks: RunTasks) -> None:
    tag, blueprint = TagFactory.create(tenant=tenant), BlueprintFactory.create(tenant=tenant, name="Kiosks")
    (one,) = devices(tenant, "one", tags=[tag])
    removal = started(ask(client, "bulk-tag-remove", {"id": one.uuid}, tag=str(tag.uuid)))
    move = started(ask(client, "bulk-blueprint", {"id": one.uuid}, blueprint=str(blueprint.uuid)))
    run_tasks()
    assert outcomes(removal) == outcomes(move) == {"one": ("done", "")}
    one.refresh_from_db()
    assert (one.blueprint, one.tags.count()) == (blueprint, 0)
    assert move.label == "Assign Blueprint “Kiosks”"


def test_library_items_go_on_a_blueprint_and_off_it(client: Client, tenant: Tenant, run_tasks: RunTasks) -> None:
    classic = BlueprintFactory.create(tenant=tenant)
    node = AssignmentNodeFactory.create(blueprint=BlueprintFactory.create(tenant=tenant, type="map"))
    items = [LibraryItemFactory.create(tenant=tenant, name=name, type="profile") for name in ("A", "B")]
    LibraryItemFactory.create(tenant=tenant, name="C", type="custom-app")
    query = {"all": "1", "kind": "profile"}
    for place in (classic.uuid, node.uuid):
        action = started(ask(client, "bulk-items-assign", query, place=str(place)))
        run_tasks()
        assert outcomes(action) == {"A": ("done", ""), "B": ("done", "")}
    assert classic.assignments.count() == node.assignments.count() == 2
    action = started(ask(client, "bulk-items-remove", {"id": items[0].uuid}, place=str(classic.uuid)))
    run_tasks()
    assert [row.library_item for row in classic.assignments.all()] == [items[1]]
    assert reverse("library-item", args=[items[0].uuid]) in text(client.get(reverse("bulk-action", args=[action.uuid])))


@pytest.mark.parametrize("query", [{}, {"id": []}, {"all": "1", "q": "nothing is called this"}])
def test_nothing_selected_is_said_and_starts_nothing(query: Any, client: Client, tenant: Tenant) -> None:
    devices(tenant, "one")
    for name, args in (("bulk-command", ["restart"]), ("bulk-tag-add", []), ("bulk-items-assign", [])):
        url = reverse(name, args=args, query=query)
        assert "Nothing is selected" in text(client.get(url))
        assert "Nothing is selected" in text(client.post(url, {"id": uuid4(), "count": 0, "new_tag": "x"}))
    assert "Nothing is selected" in text(client.get(reverse("bulk-commands", query=query)))
    assert not tenant.bulk_actions.exists()
    assert not tenant.tags.exists()


def test_more_than_were_shown_ask_again(client: Client, tenant: Tenant) -> None:
    tag = TagFactory.create(tenant=tenant)
    devices(tenant, "one")
    urls = [
        (reverse("bulk-command", args=["restart"], query={"all": "1"}), {}),
        (reverse("bulk-tag-add", query={"all": "1"}), {"tag": str(tag.uuid), "confirmed": "1"}),
    ]
    forms = [hidden(client.get(url)) | data for url, data in urls]
    devices(tenant, "two")
    for (url, _), fields in zip(urls, forms, strict=True):
        response = client.post(url, fields)
        assert response.status_code == 422
        assert "More match now: 2. Look at the numbers again." in text(response)
        assert started(client.post(url, hidden(response))).total == 2


def test_an_object_of_another_tenant_is_not_found(client: Client, tenant: Tenant, other_tenant: Tenant) -> None:
    (own,), (foreign,) = devices(tenant, "own"), devices(other_tenant, "foreign")
    item, user = LibraryItemFactory.create(tenant=other_tenant), UserFactory.create(tenant=other_tenant)
    for name, args, query in (
        ("bulk-command", ["restart"], {"id": [own.uuid, foreign.uuid]}),
        ("bulk-command", ["restart"], {"id": [own.uuid, uuid4()]}),
        ("bulk-command", ["restart"], {"id": "nonsense"}),
        ("bulk-command", ["restart"], {"id": [uuid4() for _ in range(501)]}),
        ("bulk-command", ["restart"], {"from": "users", "id": user.uuid}),
        ("bulk-tag-add", [], {"id": foreign.uuid}),
        ("bulk-items-assign", [], {"id": item.uuid}),
    ):
        url = reverse(name, args=args, query=query)
        assert [client.get(url).status_code, client.post(url).status_code] == [404, 404], url
    tag, blueprint = TagFactory.create(tenant=other_tenant), BlueprintFactory.create(tenant=other_tenant)
    for name, data in (
        ("bulk-tag-add", {"tag": tag.uuid}),
        ("bulk-tag-remove", {"tag": tag.uuid}),
        ("bulk-blueprint", {"blueprint": blueprint.uuid}),
    ):
        response = client.post(reverse(name, query={"all": "1"}), {"id": uuid4(), "count": 9, "confirmed": 1, **data})
        assert response.status_code == 422
    assert not BulkAction.objects.exists()


def test_a_role_without_the_right_sees_no_boxes(sign_in: SignIn, tenant: Tenant) -> None:
    devices(tenant, "one", user=UserFactory.create(tenant=tenant))
    LibraryItemFactory.create(tenant=tenant)

    def boxes(role: Role, name: str) -> bool:
        return 'name="id"' in text(sign_in(role).get(reverse(name)))

    lists = ("devices", "users", "library")
    assert [boxes(Role.STANDARD, name) for name in lists] == [True, True, True]
    assert [boxes(Role.HELP_DESK, name) for name in lists] == [True, True, False]
    assert [boxes(Role.AUDITOR, name) for name in lists] == [False, False, False]


def test_all_that_match_can_be_selected_without_javascript(
    client: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PER_PAGE", 2)
    devices(tenant, "Desk 1", "Desk 2", "Desk 3", "Other")
    shown = client.get(reverse("devices"), {"q": "Desk"})
    (link,) = re.findall(r'href="(\?[^"]*select=all)"', text(shown))
    response = client.get(reverse("devices") + link.replace("&amp;", "&"))
    assert "All 3 devices that match are selected." in text(response)
    boxes = [each for each in elements(text(response), "input") if each.get("name") == "id"]
    assert all("checked" in each and "disabled" in each for each in boxes)
    assert {"name": "all", "value": "1"}.items() <= next(
        each for each in elements(text(response), "input") if each.get("name") == "all"
    ).items()


def test_the_progress_is_asked_for_until_the_end(client: Client, tenant: Tenant) -> None:
    devices(tenant, "one")
    action = started(ask(client, "bulk-command", {"all": "1"}, "restart"))
    url = reverse("bulk-action", args=[action.uuid])
    polled = client.get(url, headers={**HTMX, "HX-Target": "progress"})
    assert "<html" not in text(polled)
    assert "load delay:2s" in text(polled)
    assert reverse("bulk-stop", args=[action.uuid]) in text(client.get(url))
    run_bulk_action.call(action.pk)
    polled = client.get(url, headers={**HTMX, "HX-Target": "progress"})
    assert "load delay:2s" not in text(polled)
    assert polled["HX-Trigger"] == "bulk-ended"
    assert reverse("bulk-stop", args=[action.uuid]) not in text(client.get(url))


def test_the_results_are_filtered_and_downloaded(client: Client, tenant: Tenant) -> None:
    devices(tenant, "=one", serial_number="S1")
    devices(tenant, "TV", platform=Platform.APPLE_TV, serial_number="S2")
    action = started(ask(client, "bulk-command", {"all": "1"}, "lock"))
    run_bulk_action.call(action.pk)
    page = client.get(reverse("bulk-action", args=[action.uuid]), {"result": "skipped"}).context["page"]
    assert [row.name for row in page.object_list] == ["TV"]
    response = client.get(reverse("bulk-results", args=[action.uuid]))
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    one, tv = tenant.devices.order_by("serial_number")
    assert lines == [
        "Name,Serial number,ID,Result,Reason",
        f"'=one,S1,{one.uuid},done,",
        f"TV,S2,{tv.uuid},skipped,Apple TV devices do not take this command.",
    ]


def test_a_person_stops_an_action(client: Client, tenant: Tenant) -> None:
    action = BulkActionFactory.create(tenant=tenant, count=3)
    response = client.post(reverse("bulk-stop", args=[action.uuid]))
    assert response["Location"] == reverse("bulk-action", args=[action.uuid])
    action.refresh_from_db()
    assert (action.skipped, newest(tenant).summary) == (3, "Bulk action stopped")


def test_the_list_has_the_newest_action_first(client: Client, tenant: Tenant, other_tenant: Tenant) -> None:
    assert "No bulk actions yet" in text(client.get(reverse("bulk-actions")))
    for label in ("First", "Second"):
        BulkActionFactory.create(tenant=tenant, label=label)
    BulkActionFactory.create(tenant=other_tenant, label="Foreign")
    page = client.get(reverse("bulk-actions")).context["page"]
    assert [action.label for action in page.object_list] == ["Second", "First"]


# --- Other lists of devices -------------------------------------------------------------------------------------------


def test_devices_are_assigned_to_a_user_and_unassigned(client: Client, tenant: Tenant, run_tasks: RunTasks) -> None:
    ana = UserFactory.create(tenant=tenant, name="Ana", email="ana@accuhive.test")
    mine, other = devices(tenant, "mine", "other")
    Device.objects.filter(pk=mine.pk).update(user=ana)
    query = {"id": [mine.uuid, other.uuid]}
    action = started(ask(client, "bulk-user", query, user="ana@accuhive.test"))
    run_tasks()
    assert action.label == "Assign user “Ana”"
    assert outcomes(action) == {"mine": ("skipped", "Already assigned to this user."), "other": ("done", "")}
    assert set(ana.devices.values_list("name", flat=True)) == {"mine", "other"}
    action = started(ask(client, "bulk-user", {"id": [mine.uuid]}, unassign="on"))
    run_tasks()
    assert outcomes(action) == {"mine": ("done", "")}
    assert list(ana.devices.values_list("name", flat=True)) == ["other"]
    refusals: list[dict[str, str]] = [
        {},
        {"user": "nobody@accuhive.test"},
        {"user": "ana@accuhive.test", "unassign": "on"},
    ]
    for nonsense in refusals:
        refused = ask(client, "bulk-user", {"id": [mine.uuid]}, **nonsense)
        assert refused.status_code == 422


def test_the_lists_of_other_pages_select_their_devices(client: Client, tenant: Tenant) -> None:
    ana = UserFactory.create(tenant=tenant, name="Ana")
    sales = BlueprintFactory.create(tenant=tenant, name="Sales")
    mine, second, other = devices(tenant, "mine", "second", "other")
    Device.objects.filter(pk__in=[mine.pk, second.pk]).update(user=ana, blueprint=sales)
    detection = VulnerabilityDetectionFactory.create(device=mine)
    cve = detection.vulnerability
    Vulnerability.objects.filter(pk=cve.pk).update(device_count=1)
    item = AssignmentFactory.create(blueprint=sales, library_item__tenant=tenant).library_item
    places: list[tuple[str, dict[str, Any], set[str]]] = [
        (reverse("user", args=[ana.uuid]), {"from": "user", "of": ana.uuid}, {"mine", "second"}),
        (reverse("vulnerability", args=[cve.cve_id]), {"from": "vulnerability", "of": cve.cve_id}, {"mine"}),
        (reverse("library-item-devices", args=[item.uuid]), {"from": "item", "of": item.uuid}, {"mine", "second"}),
    ]
    for url, query, names in places:
        content = text(client.get(url))
        for name in names:
            assert f'aria-label="Select {name}"' in content, url
        for key, value in query.items():
            assert f'name="{key}" value="{value}"' in content
        assert listed(client, query | {"all": "1"}) == names
        assert listed(client, query | {"id": str(mine.uuid)}) == {"mine"}
        # Devices that are not in the list cannot be ticked in it.
        assert client.get(reverse("devices-export"), query | {"id": str(other.uuid)}).status_code == 404
    assert listed(client, {"from": "blueprints", "id": str(sales.uuid)}) == {"mine", "second"}
    assert listed(client, {"from": "item", "of": item.uuid, "all": "1", "status": "INSTALLED"}) == set()
    for nonsense in ({"from": "user", "of": "x"}, {"from": "item", "of": str(ana.uuid)}, {"from": "vulnerability"}):
        assert client.get(reverse("devices-export"), nonsense | {"all": "1"}).status_code == 404


def listed(client: Client, query: dict[str, Any]) -> set[str]:
    """The names in the file of the selected devices."""
    rows = b"".join(client.get(reverse("devices-export"), query)).decode().splitlines()[1:]
    return {row.split(",")[0].removeprefix("\ufeff") for row in rows}
