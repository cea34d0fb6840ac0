import pytest

from access.models import Role, Tenant
from devices.models import Blueprint, Device, PushCertificate
from tests.devices.pages.browsing import HTMX, XSS, SignIn, newest, on, text, unkept
from tests.factories.devices import (
    AssignmentFactory,
    AssignmentNodeFactory,
    BlueprintFactory,
    CustomProfileFactory,
    DeviceFactory,
    LibraryItemFactory,
    LibraryStatusFactory,
)
from tests.markup import elements

pytestmark = pytest.mark.django_db
LIST = "/blueprints/"


@pytest.fixture
def blueprint(tenant: Tenant) -> Blueprint:
    return BlueprintFactory.create(tenant=tenant, name="Macs", enrollment_code="123456")


def url(blueprint: Blueprint, rest: str = "") -> str:
    return f"{LIST}{blueprint.uuid}/{rest}"


def test_the_list_counts_devices(blueprint: Blueprint, tenant: Tenant, sign_in: SignIn) -> None:
    DeviceFactory.create(tenant=tenant, blueprint=blueprint, is_missing=True)
    BlueprintFactory.create(tenant=tenant, name="Kiosks")
    client = sign_in()
    response = client.get(LIST)
    assert [(row.name, row.computers_count) for row in response.context["page"].object_list] == [
        ("Kiosks", 0),
        ("Macs", 1),
    ]
    assert "1 Blueprint found" in text(client.get(LIST, {"q": "mac"}))
    assert "No Blueprint matches" in text(client.get(LIST, {"q": "zzz"}))


def test_help_desk_and_auditors_only_look(blueprint: Blueprint, sign_in: SignIn) -> None:
    for role in (Role.HELP_DESK, Role.AUDITOR):
        content = text(sign_in(role).get(LIST)) + text(sign_in(role).get(url(blueprint)))
        assert "New Blueprint" not in content
        assert 'class="action-bar"' not in content
        assert "Assign library item" not in content


def test_a_blueprint_is_created_blank_from_a_template_and_as_a_copy(
    blueprint: Blueprint, tenant: Tenant, sign_in: SignIn
) -> None:
    item = AssignmentFactory.create(blueprint=blueprint).library_item
    client = sign_in(Role.STANDARD)
    form = {"type": "classic", "enrollment_code_active": "on"}
    for name, source in (("Blank", ""), ("Office", "template:3"), ("Copy", f"blueprint:{blueprint.uuid}")):
        response = client.post(f"{LIST}new/", {**form, "name": name, "source": source})
        made = tenant.blueprints.get(name=name)
        assert response["Location"] == url(made)
        assert len(made.enrollment_code) == 6
        assert made.enrollment_code_active
    assert tenant.blueprints.get(name="Office").color == "green-500"
    assert tenant.blueprints.get(name="Copy").assignments.get().library_item == item
    assert newest(tenant).summary == "Blueprint created"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": ""}, "Give the Blueprint a name."),
        ({"name": "Macs"}, "A Blueprint with this name already exists."),
        ({"name": "New", "enrollment_code": "123456"}, "This enrollment code is already in use."),
        ({"name": "New", "source": "template:99"}, "Select a valid choice"),
    ],
)
def test_an_invalid_blueprint_answers_422(
    data: dict[str, str], words: str, blueprint: Blueprint, sign_in: SignIn
) -> None:
    response = sign_in().post(f"{LIST}new/", {"type": "classic", **data}, headers=HTMX)
    assert response.status_code == 422
    assert words in text(response)


def test_a_copy_of_another_type_is_refused(blueprint: Blueprint, sign_in: SignIn) -> None:
    data = {"name": "New", "type": "map", "source": f"blueprint:{blueprint.uuid}"}
    assert "type does not match" in text(sign_in().post(f"{LIST}new/", data, headers=HTMX))


def test_one_is_edited(blueprint: Blueprint, tenant: Tenant, sign_in: SignIn) -> None:
    device = DeviceFactory.create(tenant=tenant, blueprint=blueprint)
    data = {"name": "All Macs", "description": "", "color": "red-500", "icon": "ss-lock", "enrollment_code": ""}
    response = sign_in().post(url(blueprint, "edit/"), data, headers=on(url(blueprint)))
    assert "blueprints-changed" in response["HX-Trigger"]
    blueprint.refresh_from_db()
    assert (blueprint.name, blueprint.color, blueprint.icon) == ("All Macs", "red-500", "ss-lock")
    assert (blueprint.enrollment_code, blueprint.enrollment_code_active) == ("123456", False)
    device.refresh_from_db()
    assert "All Macs" in device.record_json


def test_looks_we_do_not_know_are_kept(tenant: Tenant, sign_in: SignIn) -> None:
    odd = BlueprintFactory.create(tenant=tenant, color="chartreuse-50", icon="ss-odd")
    client = sign_in()
    form = client.get(url(odd, "edit/")).context["form"]
    client.post(url(odd, "edit/"), {name: form[name].value() or "" for name in form.fields} | {"name": "Renamed"})
    odd.refresh_from_db()
    assert (odd.name, odd.color, odd.icon) == ("Renamed", "chartreuse-50", "ss-odd")


def test_a_map_has_no_looks_to_edit(tenant: Tenant, sign_in: SignIn) -> None:
    map = BlueprintFactory.create(tenant=tenant, type=Blueprint.Type.MAP)
    assert 'name="color"' not in text(sign_in().get(url(map, "edit/")))


def test_the_delete_dialog_says_how_devices_are_affected(blueprint: Blueprint, tenant: Tenant, sign_in: SignIn) -> None:
    device = DeviceFactory.create(tenant=tenant, blueprint=blueprint)
    client = sign_in()
    assert "1 device is in it." in text(client.get(url(blueprint, "delete/")))
    assert client.post(url(blueprint, "delete/"), headers=HTMX).status_code == 422
    assert client.post(url(blueprint, "delete/"), {"typed_name": "Macs"})["Location"] == LIST
    device.refresh_from_db()
    assert device.is_removed
    assert "(deleted)" in text(client.get(f"/devices/{device.uuid}/"))
    # Its page and its form live on without the Blueprint.
    assert "Macs (deleted)" in text(client.get(f"/devices/{device.uuid}/edit/"))
    client.post(f"/devices/{device.uuid}/edit/", {"asset_tag": "A1", "blueprint": ""})
    device.refresh_from_db()
    assert (device.asset_tag, device.blueprint_id) == ("A1", blueprint.pk)
    empty = BlueprintFactory.create(tenant=tenant)
    assert client.post(url(empty, "delete/"))["Location"] == LIST


def test_library_items_are_assigned_and_removed(blueprint: Blueprint, tenant: Tenant, sign_in: SignIn) -> None:
    item = LibraryItemFactory.create(tenant=tenant, name=XSS)
    client = sign_in(Role.STANDARD)
    assign = url(blueprint, "library/assign/")
    assert client.post(assign, {}, headers=HTMX).status_code == 422
    assert client.post(assign, {"library_item": str(item.uuid)})["Location"] == url(blueprint)
    response = client.post(assign, {"library_item": str(item.uuid)}, headers=HTMX)
    assert response.status_code == 422
    assert "Library Item already exists on Blueprint" in text(response)
    content = text(client.get(url(blueprint)))
    assert "&lt;script&gt;" in content
    assert XSS not in content
    remove = url(blueprint, f"library/{blueprint.assignments.get().pk}/remove/")
    assert XSS not in text(client.get(remove))
    assert client.post(remove)["Location"] == url(blueprint)
    assert not blueprint.assignments.exists()
    assert client.post(remove).status_code == 404


def test_items_of_a_map_lie_on_its_branches(tenant: Tenant, sign_in: SignIn) -> None:
    node = AssignmentNodeFactory.create(blueprint=BlueprintFactory.create(tenant=tenant, type=Blueprint.Type.MAP))
    item = LibraryItemFactory.create(tenant=tenant)
    client = sign_in()
    assign = url(node.blueprint, "library/assign/")
    assert client.post(assign, {"library_item": str(item.uuid)}, headers=HTMX).status_code == 422
    client.post(assign, {"library_item": str(item.uuid), "node": str(node.uuid)})
    assert node.assignments.get().library_item == item
    assert node.name in text(client.get(url(node.blueprint)))
    client.post(url(node.blueprint, f"library/{node.assignments.get().pk}/remove/"))
    assert not node.assignments.exists()


def test_another_tenants_is_not_found(mac: Device, other_tenant: Tenant, sign_in: SignIn) -> None:
    theirs = BlueprintFactory.create(tenant=other_tenant)
    client = sign_in()
    for rest in ("", "edit/", "delete/", "library/assign/"):
        assert client.get(url(theirs, rest)).status_code == 404


def test_a_link_is_made_shown_and_replaced(
    blueprint: Blueprint, tenant: Tenant, push_certificate: PushCertificate, sign_in: SignIn
) -> None:
    client = sign_in(Role.STANDARD)
    assert "Create link" in text(client.get(url(blueprint)))
    assert client.post(url(blueprint, "link/"))["Location"] == url(blueprint)
    first = tenant.blueprints.get().link_key
    content = text(client.get(url(blueprint)))
    assert f"/enroll/{first}/</code>" in content
    assert "data:image/svg+xml" in content
    client.post(url(blueprint, "link/replace/"))
    content = text(client.get(url(blueprint)))
    assert first not in content
    assert tenant.blueprints.get().link_key in content
    assert newest(tenant).summary == "Enrollment link replaced"


def test_a_role_that_only_looks_sees_no_link(
    blueprint: Blueprint, tenant: Tenant, push_certificate: PushCertificate, sign_in: SignIn
) -> None:
    sign_in().post(url(blueprint, "link/"))
    content = text(sign_in(Role.AUDITOR).get(url(blueprint)))
    assert "Enroll a device" in content
    assert tenant.blueprints.get().link_key not in content
    assert "Replace link" not in content
    assert "profile/" not in content


def test_the_profile_is_downloaded_from_the_page(
    blueprint: Blueprint, push_certificate: PushCertificate, sign_in: SignIn
) -> None:
    response = sign_in().get(url(blueprint, "profile/"))
    assert response["Content-Type"] == "application/x-apple-aspen-config"
    assert unkept(response)


def test_the_card_says_why_no_device_can_be_enrolled(blueprint: Blueprint, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    content = text(client.get(url(blueprint)))
    assert "no push certificate" in content
    assert "Create link" not in content
    assert client.get(url(blueprint, "profile/"))["Location"] == url(blueprint)
    tenant.blueprints.update(enrollment_code_active=False)
    assert "while the enrollment code is inactive" in text(client.get(url(blueprint)))
    refused = client.post(url(blueprint, "link/"))
    assert refused.status_code == 422
    assert "Activate it first." in text(refused)


def test_each_item_says_how_it_is_on_the_devices(tenant: Tenant, sign_in: SignIn) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant)
    item = CustomProfileFactory.create(tenant=tenant)
    AssignmentFactory.create(blueprint=blueprint, library_item=item)
    failed, _ = (DeviceFactory.create(tenant=tenant, blueprint=blueprint) for _ in range(2))
    LibraryStatusFactory.create(item=item, device=failed, status="failed")
    page = sign_in().get(f"/blueprints/{blueprint.uuid}/")
    links = {element.get("href") for element in elements(page.content.decode(), "a")}
    assert {f"/library/{item.uuid}/devices/?status={status}" for status in ("FAILED", "PENDING")} <= links
    assert "1 Failed" in text(page)
