from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from access.http.bodies import PAGE_BODY
from access.models import Role, Tenant
from devices.models import LibraryItem
from tests.devices.pages.browsing import HTMX, XSS, SignIn, on, text
from tests.factories.devices import (
    PROFILE,
    AssignmentFactory,
    BlueprintFactory,
    CustomProfileFactory,
    CustomScriptFactory,
    DeviceFactory,
    LibraryItemFactory,
    LibraryStatusFactory,
)

pytestmark = pytest.mark.django_db
LIST = "/library/"
SCRIPT = {"name": "Rosetta", "execution_frequency": "once", "script": "#!/bin/zsh\r\nexit 0\r\n", "active": "on"}


def url(item: LibraryItem, rest: str = "") -> str:
    return f"{LIST}{item.uuid}/{rest}"


def file(content: str | bytes = PROFILE) -> SimpleUploadedFile:
    return SimpleUploadedFile("a.mobileconfig", content.encode() if isinstance(content, str) else content)


def form_of(client: Client, item: LibraryItem) -> dict[str, Any]:
    """The fields of the edit dialog, as a browser sends them."""
    form = client.get(url(item, "edit/")).context["form"]
    return {name: value for name in form.fields if (value := form[name].value()) not in (None, False)}


def test_the_list_is_searched_and_filtered(tenant: Tenant, sign_in: SignIn) -> None:
    script = CustomScriptFactory.create(tenant=tenant, name="Rosetta")
    AssignmentFactory.create(blueprint__tenant=tenant, library_item=script)
    CustomProfileFactory.create(tenant=tenant, name="Dock", active=False)
    LibraryItemFactory.create(tenant=tenant, name="Zoom", type="automatic-app")
    client = sign_in()

    def names(**query: str) -> list[str]:
        return [row.name for row in client.get(LIST, query).context["page"].object_list]

    assert names() == ["Dock", "Rosetta", "Zoom"]
    assert names(q="ROSE") == names(kind="custom-script") == ["Rosetta"]
    assert names(active="no") == ["Dock"]
    assert names(kind="nonsense") == []
    assert "No item matches" in text(client.get(LIST, {"q": "zzz"}))
    assert client.get(LIST, {"q": "rose"}).context["page"].object_list[0].blueprints == 1


def test_an_empty_library_says_how_to_begin(sign_in: SignIn) -> None:
    assert "The Library is empty" in text(sign_in().get(LIST))


def test_help_desk_and_auditors_only_look(tenant: Tenant, sign_in: SignIn) -> None:
    item = CustomProfileFactory.create(tenant=tenant)
    for role in (Role.HELP_DESK, Role.AUDITOR):
        content = text(sign_in(role).get(LIST)) + text(sign_in(role).get(url(item)))
        assert "New Item" not in content
        assert 'class="action-bar"' not in content
        assert "Download" not in content


def test_a_script_is_written_and_edited(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.STANDARD)
    created = client.post(f"{LIST}scripts/new/", SCRIPT)
    item = tenant.library_items.get()
    assert created["Location"] == url(item)
    assert item.custom_script.script == "#!/bin/zsh\nexit 0"  # with line ends that a shell can read
    page = text(client.get(url(item)))
    assert "<code>#!/bin/zsh</code>" in page
    assert "There is none" in page
    data = form_of(client, item) | {"name": "Rosetta 2", "remediation_script": "  echo <b>\r\n"}
    answer = client.post(url(item, "edit/"), data, headers=on(url(item)))
    assert "library-changed" in answer["HX-Trigger"]
    item = tenant.library_items.select_related("custom_script").get()
    assert (item.name, item.active, item.custom_script.remediation_script) == ("Rosetta 2", True, "  echo <b>")
    assert "echo &lt;b&gt;" in text(client.get(url(item)))
    activity = text(client.get(url(item, "activity/")))
    assert "Name: Rosetta → Rosetta 2" in activity


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": ""}, "Give it a name."),
        ({"script": " \n"}, "This field may not be blank."),
        ({"execution_frequency": "no_enforcement"}, "Required for “Only from Self Service”."),
        ({"show_in_self_service": "on"}, "Required to show it in Self Service."),
        ({"self_service_category_id": "00000000-0000-4000-8000-000000000000"}, "Select a valid choice"),
    ],
)
def test_an_invalid_script_answers_422(data: dict[str, str], words: str, tenant: Tenant, sign_in: SignIn) -> None:
    answer = sign_in().post(f"{LIST}scripts/new/", SCRIPT | data, headers=HTMX)
    assert answer.status_code == 422
    assert words in text(answer)
    assert not tenant.library_items.exists()


def test_a_script_is_shown_in_self_service(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    choices = client.get(f"{LIST}scripts/new/").context["form"].fields["self_service_category_id"].choices
    category = next(value for value, label in choices if label == "Security")
    shown = {"show_in_self_service": "on", "self_service_category_id": category, "self_service_recommended": "on"}
    client.post(f"{LIST}scripts/new/", {**SCRIPT, "execution_frequency": "no_enforcement", **shown})
    item = tenant.library_items.select_related("category").get()
    assert item.category is not None
    assert (item.category.name, item.self_service_recommended) == ("Security", True)
    assert form_of(client, item).items() >= {"self_service_category_id": category}.items()


def test_a_profile_is_uploaded_and_replaced(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.STANDARD)
    dialog = text(client.get(f"{LIST}profiles/new/"))
    assert 'enctype="multipart/form-data"' in dialog
    assert 'hx-encoding="multipart/form-data"' in dialog
    new = {"name": "Dock", "active": "on", "families": ["runs_on_mac", "runs_on_ipad"], "file": file()}
    created = client.post(f"{LIST}profiles/new/", new)
    item = tenant.library_items.get()
    assert created["Location"] == url(item)
    assert (item.custom_profile.runs_on_ipad, item.custom_profile.runs_on_iphone) == (True, False)
    page = text(client.get(url(item)))
    for words in ("com.<wbr>apple.<wbr>dock", "tilesize", "48", "For Mac, iPad"):
        assert words in page
    data = form_of(client, item) | {"file": file(PROFILE.replace("48", "64"))}
    client.post(url(item, "edit/"), data)
    assert "64" in text(client.get(url(item)))
    client.post(url(item, "edit/"), form_of(client, item) | {"name": "Other"})
    assert "64" in text(client.get(url(item)))  # without a new file the profile is not changed
    downloaded = client.get(url(item, "profile/"))
    assert downloaded["Content-Type"] == "application/x-apple-aspen-config"
    assert "no-store" in downloaded["Cache-Control"]
    assert "<string>Other</string>" in downloaded.content.decode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"file": file(b"\x30\x82\x10\x00")}, "This profile is signed."),
        ({"file": file("nothing")}, "This is no XML"),
        ({"file": file("")}, "This file is empty."),
        ({}, "Choose a file."),
        ({"file": file(), "families": []}, "Choose at least one."),
        ({"file": file(), "families": ["runs_on_toaster"]}, "Select a valid choice"),
    ],
)
def test_an_invalid_profile_answers_422(data: dict[str, Any], words: str, tenant: Tenant, sign_in: SignIn) -> None:
    answer = sign_in().post(f"{LIST}profiles/new/", {"name": "x", "families": ["runs_on_mac"], **data}, headers=HTMX)
    assert answer.status_code == 422
    assert words in text(answer)
    assert not tenant.library_items.exists()


def test_only_a_declared_page_of_a_person_takes_files(tenant: Tenant, sign_in: SignIn, client: Client) -> None:
    large = file(b"x" * (PAGE_BODY + 1))
    assert client.post(f"{LIST}profiles/new/", {"file": large}).status_code == 413
    assert client.post(f"{LIST}profiles/new/", {"file": file()}).status_code == 415
    person = sign_in()
    assert person.post(f"{LIST}profiles/new/", {"file": file(b"x" * 1_100_000)}).status_code == 413
    item = CustomScriptFactory.create(tenant=tenant)
    assert person.post(url(item, "delete/"), {"file": file()}).status_code == 415


def test_secrets_of_a_profile_are_not_shown(tenant: Tenant, sign_in: SignIn) -> None:
    profile = PROFILE.replace(
        "<key>tilesize</key>\n\t\t\t<integer>48</integer>", "<key>Password</key><string>hush</string>"
    )
    item = CustomProfileFactory.create(tenant=tenant, profile=profile)
    page = text(sign_in().get(url(item)))
    assert "Password" in page
    assert "hush" not in page


def test_the_status_on_devices(tenant: Tenant, sign_in: SignIn) -> None:
    blueprint = BlueprintFactory.create(tenant=tenant)
    item = CustomScriptFactory.create(tenant=tenant)
    AssignmentFactory.create(blueprint=blueprint, library_item=item)
    client = sign_in()
    other = LibraryItemFactory.create(tenant=tenant)
    assert "No devices" in text(client.get(url(other, "devices/")))
    devices = [DeviceFactory.create(tenant=tenant, blueprint=blueprint, name=f"Mac {name}") for name in "abc"]
    LibraryStatusFactory.create(item=item, device=devices[0], status="ERROR", last_audit_log="exit code 1")
    LibraryStatusFactory.create(item=item, device=devices[1], status="PASS")
    answer = client.get(url(item, "devices/"))
    bars = [(row.bar.label, row.bar.count, row.bar.href) for row in answer.context["bars"]]
    assert sorted(bars) == [
        ("Error", 1, "?status=ERROR"),
        ("Pass", 1, "?status=PASS"),
        ("Pending", 1, "?status=PENDING"),
    ]
    assert "exit code 1" in text(answer)
    for status, name in (("ERROR", "Mac a"), ("PASS", "Mac b"), ("PENDING", "Mac c")):
        rows = client.get(url(item, "devices/"), {"status": status}).context["rows"]
        assert [row.device.name for row in rows] == [name]
    assert len(client.get(url(item, "devices/"), {"status": "NONSENSE"}).context["rows"]) == 3


def test_an_item_is_deleted(tenant: Tenant, sign_in: SignIn) -> None:
    item = CustomScriptFactory.create(tenant=tenant, name="Rosetta")
    AssignmentFactory.create(blueprint__tenant=tenant, library_item=item)
    client = sign_in()
    assert "It is assigned to 1 Blueprint." in text(client.get(url(item, "delete/")))
    assert client.post(url(item, "delete/"))["Location"] == LIST
    assert not tenant.library_items.exists()


def test_an_item_without_contents_is_shown_and_not_edited(tenant: Tenant, sign_in: SignIn) -> None:
    item = LibraryItemFactory.create(tenant=tenant, type="automatic-app")
    client = sign_in()
    page = client.get(url(item))
    assert "Nothing to edit here" in text(page)
    assert "This server knows its name" in text(page)
    assert not page.context["edit_url"]
    assert client.get(url(item, "edit/")).status_code == 404


def test_texts_are_escaped(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()
    profile = PROFILE.replace("<integer>48</integer>", "<string>&lt;script&gt;alert(1)&lt;/script&gt;</string>")
    items = [
        CustomScriptFactory.create(tenant=tenant, name=XSS, script=XSS, remediation_script=XSS),
        CustomProfileFactory.create(tenant=tenant, name=XSS, profile=profile),
    ]
    AssignmentFactory.create(blueprint__tenant=tenant, blueprint__name=XSS, library_item=items[0])
    for path in (
        LIST,
        *(url(item, part) for item in items for part in ("", "devices/", "activity/", "edit/", "delete/")),
    ):
        content = text(client.get(path))
        assert XSS not in content
        assert "<script>alert(1)" not in content
