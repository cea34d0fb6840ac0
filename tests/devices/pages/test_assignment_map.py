import pytest

from access.models import AuditEvent, Role, Tenant
from devices.blueprints import branches as services
from devices.conditions.conditions import Condition
from devices.models import AssignmentNode, Blueprint
from tests.devices.pages.browsing import HTMX, XSS, SignIn, text
from tests.factories.devices import (
    AssignmentFactory,
    AssignmentNodeFactory,
    BlueprintFactory,
    DeviceFactory,
    LibraryItemFactory,
    TagFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def map_(tenant: Tenant) -> Blueprint:
    return BlueprintFactory.create(tenant=tenant, type=Blueprint.Type.MAP)


@pytest.fixture
def branch(map_: Blueprint) -> AssignmentNode:
    AssignmentNodeFactory.create(blueprint=map_, name="Everybody")
    return AssignmentNodeFactory.create(blueprint=map_, name="Laptops")


def url(blueprint: Blueprint, rest: str = "") -> str:
    return f"/blueprints/{blueprint.uuid}/{rest}"


def of(branch: AssignmentNode, rest: str) -> str:
    return url(branch.blueprint, f"branches/{branch.uuid}/{rest}")


def held(branch: AssignmentNode) -> list[object]:
    return list(AssignmentNode.objects.values_list("conditions", flat=True).get(pk=branch.pk))


def test_a_map_without_branches_is_for_every_device(map_: Blueprint, sign_in: SignIn) -> None:
    item = LibraryItemFactory.create(tenant=map_.tenant, name="Wi-Fi")
    client = sign_in(Role.STANDARD)
    assert "No library item is assigned to it." in text(client.get(url(map_)))
    client.post(url(map_, "library/assign/"), {"library_item": str(item.uuid)})
    content = text(client.get(url(map_)))
    assert "For every device of this Blueprint." in content
    assert "Wi-Fi" in content


def test_branches_are_added_named_moved_and_deleted(map_: Blueprint, sign_in: SignIn) -> None:
    client = sign_in(Role.STANDARD)
    add = url(map_, "branches/add/")
    assert "must name the branch" in text(client.get(add))
    assert client.post(add, {"name": ""}, headers=HTMX).status_code == 422
    for name in (XSS, "Phones"):
        assert client.post(add, {"name": name})["Location"] == url(map_)
    refused = client.post(add, {"name": "Phones"}, headers=HTMX)
    assert "A branch with this name already exists." in text(refused)
    content = text(client.get(url(map_)))
    assert XSS not in content
    assert "Every device" in content
    phones = map_.nodes.get(name="Phones")
    assert client.post(of(phones, "move/"), {"earlier": "1"})["Location"].endswith(f"#branch-{phones.uuid}")
    assert [node.name for node in map_.nodes.order_by("position")] == ["Every device", "Phones", XSS]
    client.post(of(phones, "move/"), {"later": "1"})
    assert map_.nodes.order_by("position").last() == phones
    client.post(of(phones, "rename/"), {"name": "Telephones"})
    assert map_.nodes.filter(name="Telephones").exists()
    assert client.post(of(phones, "delete/"))["Location"] == url(map_)
    assert map_.nodes.count() == 2


@pytest.mark.parametrize(
    ("items", "words"),
    [(0, "No library item is assigned to it."), (1, "1 library item is"), (2, "2 library items are")],
)
def test_a_deletion_says_before_how_items_are_affected(
    branch: AssignmentNode, items: int, words: str, sign_in: SignIn
) -> None:
    AssignmentFactory.create_batch(items, blueprint=branch.blueprint, node=branch)
    assert words in text(sign_in().get(of(branch, "delete/")))


def test_the_default_branch_is_not_deleted_and_not_conditioned(branch: AssignmentNode, sign_in: SignIn) -> None:
    default = branch.blueprint.nodes.get(is_default=True)
    client = sign_in()
    assert "cannot be deleted" in text(client.get(of(default, "delete/")))
    assert client.post(of(default, "delete/"), headers=HTMX).status_code == 422
    refused = client.post(of(default, "conditions/assigned_user/add/"), {"operator": "absent"}, headers=HTMX)
    assert "It has no conditions." in text(refused)
    assert held(default) == []
    content = text(client.get(url(branch.blueprint)))
    assert of(branch, "delete/") in content
    assert of(default, "delete/") not in content
    assert of(default, "conditions/") not in content


@pytest.mark.parametrize(
    ("attribute", "data", "stored", "words"),
    [
        ("family", {"operator": "is", "values": ["Mac", "iPad"]}, ["Mac", "iPad"], "Device family is one of Mac, iPad"),
        (
            "os_version",
            {"operator": "earlier", "values": "15.2"},
            ["15.2"],
            "OS version is not known or earlier than 15.2",
        ),
        ("assigned_user", {"operator": "present"}, [], "Assigned user is present"),
        (
            "department",
            {"operator": "is_not", "values": "Sales\r\n\r\n  R&D "},
            ["Sales", "R&D"],
            "Department of the user is none of “Sales”, “R&amp;D”",
        ),
    ],
)
def test_a_condition_is_added_and_shown_in_words(
    branch: AssignmentNode, attribute: str, data: dict[str, object], stored: list[str], words: str, sign_in: SignIn
) -> None:
    client = sign_in(Role.STANDARD)
    add = of(branch, f"conditions/{attribute}/add/")
    assert client.get(add).status_code == 200
    assert client.post(add, data)["Location"] == url(branch.blueprint)
    assert held(branch) == [{"attribute": attribute, "operator": data["operator"], "values": stored}]
    assert words in text(client.get(url(branch.blueprint)))


@pytest.mark.parametrize(
    ("attribute", "data", "error"),
    [
        ("os_version", {"operator": "at_least", "values": "new"}, "Give numbers with dots between them"),
        ("os_version", {"operator": "at_least", "values": ""}, "Enter the version."),
        ("family", {"operator": "is"}, "Choose at least one."),
        ("department", {"operator": "is", "values": "x" * 300}, "has more than 255 characters."),
        ("serial_number", {"operator": "is", "values": "\n".join(map(str, range(201)))}, "Give at most 200"),
        ("model", {"values": "Air"}, "Choose how to compare."),
    ],
)
def test_an_error_stands_at_its_field(
    branch: AssignmentNode, attribute: str, data: dict[str, object], error: str, sign_in: SignIn
) -> None:
    response = sign_in().post(of(branch, f"conditions/{attribute}/add/"), data, headers=HTMX)
    assert response.status_code == 422
    form = response.context["form"]
    assert not form.non_field_errors()
    assert error in text(response)
    assert held(branch) == []


def test_without_tags_there_is_no_condition_about_them(branch: AssignmentNode, sign_in: SignIn) -> None:
    client, add = sign_in(), of(branch, "conditions/tag/add/")
    assert "There are no tags yet." in text(client.get(add))
    assert client.post(add, {"operator": "has"}, headers=HTMX).status_code == 422


def test_a_condition_about_tags_is_edited_and_removed(branch: AssignmentNode, sign_in: SignIn) -> None:
    kiosk, loaner = (TagFactory.create(tenant=branch.blueprint.tenant, name=name) for name in ("Kiosk", "Loaner"))
    client = sign_in()
    client.post(of(branch, "conditions/tag/add/"), {"operator": "has", "values": [str(kiosk.uuid)]})
    edit = of(branch, f"conditions/{Condition.of(held(branch)[0]).key}/edit/")
    assert client.get(edit).context["form"]["values"].value() == [str(kiosk.uuid)]
    client.post(edit, {"operator": "has_not", "values": [str(loaner.uuid)]})
    assert client.get(edit).status_code == 404  # it is another condition now
    assert "Tag is not “Loaner”" in text(client.get(url(branch.blueprint)))
    loaner.delete()
    assert "Tag is not a deleted tag (no device has it)" in text(client.get(url(branch.blueprint)))
    remove = of(branch, f"conditions/{Condition.of(held(branch)[0]).key}/remove/")
    assert "every device of the Blueprint" in text(client.get(remove))
    client.post(remove)
    assert held(branch) == []


def test_a_condition_that_is_not_known_can_only_be_removed(branch: AssignmentNode, sign_in: SignIn) -> None:
    unknown = Condition("", "")
    AssignmentNode.objects.filter(pk=branch.pk).update(conditions=[unknown.stored])
    client = sign_in()
    assert "It holds for no device" in text(client.get(url(branch.blueprint)))
    assert client.get(of(branch, f"conditions/{unknown.key}/edit/")).status_code == 404
    client.post(of(branch, f"conditions/{unknown.key}/remove/"))
    assert held(branch) == []


def test_items_are_assigned_to_the_branch_that_was_chosen(branch: AssignmentNode, sign_in: SignIn) -> None:
    item = LibraryItemFactory.create(tenant=branch.blueprint.tenant)
    client = sign_in()
    assign = url(branch.blueprint, "library/assign/")
    assert f'value="{branch.uuid}" selected' in text(client.get(f"{assign}?branch={branch.uuid}"))
    assert client.get(f"{assign}?branch=nonsense").status_code == 200
    client.post(assign, {"library_item": str(item.uuid), "node": str(branch.uuid)})
    client.post(url(branch.blueprint, f"library/{branch.assignments.get().pk}/remove/"))
    assert not branch.assignments.exists()


def test_devices_are_counted_where_they_are_few_and_on_demand(
    branch: AssignmentNode, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in()
    DeviceFactory.create_batch(2, tenant=branch.blueprint.tenant, blueprint=branch.blueprint)
    client.post(of(branch, "conditions/family/add/"), {"operator": "is_not", "values": ["Mac"]})
    content = text(client.get(url(branch.blueprint)))
    assert "2 devices now" in content
    assert "0 devices now" in content
    monkeypatch.setattr(services, "COUNTED", 1)
    assert "devices now" not in text(client.get(url(branch.blueprint)))
    assert "0 devices now" in text(client.get(url(branch.blueprint, "?count=1")))


def test_an_event_says_the_conditions_in_words(branch: AssignmentNode, sign_in: SignIn) -> None:
    client = sign_in()
    client.post(of(branch, "conditions/family/add/"), {"operator": "is", "values": ["Mac"]})
    assert AuditEvent.objects.latest("sequence").changes == {"conditions": {"old": [], "new": ["Device family is Mac"]}}
    assert "Device family is Mac" in text(client.get("/activity/"))


def test_a_role_that_only_looks_sees_no_buttons(branch: AssignmentNode, sign_in: SignIn) -> None:
    content = text(sign_in(Role.AUDITOR).get(url(branch.blueprint)))
    assert "Laptops" in content
    assert "Add condition" not in content
    assert "branches/" not in content


def test_a_classic_blueprint_has_no_map(tenant: Tenant, sign_in: SignIn) -> None:
    classic = BlueprintFactory.create(tenant=tenant)
    client = sign_in()
    assert client.get(url(classic, "branches/add/")).status_code == 404
    assert "Add branch" not in text(client.get(url(classic)))
