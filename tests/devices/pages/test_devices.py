"""The list of devices and the page of one: what is found, what is shown, and what it costs."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import Role, Tenant
from devices.fleet.activity import log
from devices.models import Device, Platform
from devices.pages import listing
from devices.templatetags.devices import SYSTEMS
from tests.devices.pages.browsing import HTMX, NAME, XSS, SignIn, newest, on, page, text
from tests.factories.devices import (
    BlueprintFactory,
    DeviceActivityFactory,
    DeviceFactory,
    TagFactory,
    UserFactory,
)
from tests.markup import facts

pytestmark = pytest.mark.django_db
LIST = "/devices/"


@pytest.fixture
def fleet(tenant: Tenant) -> dict[str, Device]:
    now = timezone.now()
    user = UserFactory.create(tenant=tenant, name="Zoë Quinn", email="zoe.quinn@accuhive.test")
    tag = TagFactory.create(tenant=tenant, name="VIP")
    kiosks = BlueprintFactory.create(tenant=tenant, name="Kiosks")
    rest: dict[str, Any] = {"tenant": tenant, "blueprint": BlueprintFactory.create(tenant=tenant, name="Macs")}
    make = DeviceFactory.create
    return {
        "fresh": make(name="Alpha", last_check_in=now - timedelta(hours=1), user=user, **rest),
        "week": make(name="Bravo", last_check_in=now - timedelta(days=3), tags=[tag], **rest),
        "month": make(name="Charlie", last_check_in=now - timedelta(days=20), serial_number="XYZ%99", **rest),
        "old": make(name="Delta", last_check_in=now - timedelta(days=90), platform=Platform.IPHONE, **rest),
        "never": make(name="Echo", last_check_in=None, platform=Platform.IPAD, tenant=tenant, blueprint=kiosks),
    }


def found(client: Any, **query: str) -> list[str]:
    response = client.get(LIST, query)
    assert response.status_code == 200
    return [device.name for device in response.context["page"].object_list]


EVERY = ["Alpha", "Bravo", "Charlie", "Delta", "Echo"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, EVERY),
        ({"q": "brav"}, ["Bravo"]),
        ({"q": "xyz%"}, ["Charlie"]),
        ({"q": "z%9"}, ["Charlie"]),
        ({"q": "QUINN"}, ["Alpha"]),
        ({"q": "zoe.quinn@"}, ["Alpha"]),
        ({"q": "nobody"}, []),
        ({"platform": "Mac"}, ["Alpha", "Bravo", "Charlie"]),
        ({"platform": "Toaster"}, []),
        ({"q": "zoe alpha"}, ["Alpha"]),
        ({"q": "quinn bravo"}, []),
        ({"seen": "day"}, ["Alpha"]),
        ({"seen": "week"}, ["Alpha", "Bravo"]),
        ({"seen": "month"}, ["Alpha", "Bravo", "Charlie"]),
        ({"seen": "longer"}, ["Delta"]),
        ({"seen": "never"}, ["Echo"]),
        ({"sort": "-name"}, EVERY[::-1]),
        ({"sort": "-seen"}, EVERY),
        ({"sort": "seen"}, EVERY[::-1]),
        ({"q": "a", "platform": "Mac", "seen": "week"}, ["Alpha", "Bravo"]),
        ({"page": "99"}, EVERY),
        ({"page": "-1"}, EVERY),
        ({"page": "²"}, EVERY),
        ({"blueprint": "nonsense", "tag": "nonsense"}, []),
        ({"sort": "nonsense"}, EVERY),
    ],
)
def test_the_list_finds(query: dict[str, str], names: list[str], fleet: dict[str, Device], sign_in: SignIn) -> None:
    assert found(sign_in(), **query) == names


def test_the_list_finds_by_blueprint_and_tag(fleet: dict[str, Device], sign_in: SignIn) -> None:
    client = sign_in()
    tag = fleet["week"].tags.get()
    assert found(client, blueprint=str(fleet["never"].blueprint.uuid)) == ["Echo"]
    assert found(client, tag=str(tag.uuid)) == ["Bravo"]


def test_the_list_is_the_tenants_own(fleet: dict[str, Device], other_tenant: Tenant, sign_in: SignIn) -> None:
    theirs = DeviceFactory.create(tenant=other_tenant, name="Alpha of others")
    client = sign_in()
    assert found(client) == EVERY
    assert found(client, blueprint=str(theirs.blueprint.uuid)) == []
    for name in ("device", "device-apps", "device-commands", "device-activity", "device-notes", "device-secrets"):
        assert client.get(page(name, theirs)).status_code == 404


def test_a_search_answers_with_rows_and_the_address(fleet: dict[str, Device], sign_in: SignIn) -> None:
    headers = {**HTMX, "HX-Target": "rows"}
    response = sign_in().get(LIST, {"q": "brav", "seen": "week", "platform": ""}, headers=headers)
    assert response["HX-Push-Url"] == "/devices/?q=brav&seen=week"
    assert "<html" not in text(response)
    assert "1 device found" in text(response)


def test_a_list_says_why_it_is_empty(sign_in: SignIn, tenant: Tenant) -> None:
    client = sign_in()
    assert "manage.py import_devices --tenant accuhive" in text(client.get(LIST))
    DeviceFactory.create(tenant=tenant)
    assert "No device matches" in text(client.get(LIST, {"q": "nothing"}))


def test_a_wide_search_stops_counting_but_not_listing(
    fleet: dict[str, Device], sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "COUNTED", 2)
    monkeypatch.setattr(listing, "PER_PAGE", 2)
    client = sign_in()
    response = client.get(LIST, {"platform": "Mac"})
    assert "2+ devices found" in " ".join(text(response).split())
    assert found(client, platform="Mac", page="2") == ["Charlie"]
    assert 'rel="next"' not in text(client.get(LIST, {"platform": "Mac", "page": "2"}))
    assert "5 devices" in text(client.get(LIST))  # the whole fleet is counted already


@pytest.mark.slow
def test_no_page_of_the_list_costs_more_with_more_rows(tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in()

    def queries() -> dict[str, int]:
        counts = {}
        for url in (LIST, f"{LIST}?q=mac", "/users/", "/blueprints/"):
            with CaptureQueriesContext(
                connection,
            ) as captured:
                assert client.get(url).status_code == 200
            counts[url] = len(captured)
        return counts

    def grow(count: int) -> None:
        for _ in range(count):
            user, tag = UserFactory.create(tenant=tenant), TagFactory.create(tenant=tenant)
            DeviceFactory.create(tenant=tenant, user=user, tags=[tag])

    grow(2)
    client.get(LIST)  # the session writes down when it was seen, once
    few = queries()
    grow(5)
    assert queries() == few
    assert max(few.values()) <= 8


@pytest.mark.slow
def test_the_page_of_a_device_costs_the_same_for_every_tab(mac: Device, sign_in: SignIn) -> None:
    client = sign_in()
    client.get(LIST)
    for name in ("device", "device-apps", "device-commands", "device-activity", "device-notes", "device-secrets"):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(page(name, mac)).status_code == 200
        assert len(captured) <= 9, name


@pytest.mark.slow
@pytest.mark.parametrize("platform", Platform)
def test_every_platform_has_an_overview(platform: Platform, tenant: Tenant, sign_in: SignIn) -> None:
    details = {"users": {"regular_users": [{"username": "ana", "admin": "Yes", "path": "/Users/ana"}]}}
    device = DeviceFactory.create(tenant=tenant, platform=platform, name="Mine", details=details, os_version="15.1")
    content = text(sign_in().get(page("device", device)))
    assert "Hardware" in content
    assert f"{SYSTEMS.get(platform, platform)} 15.1" in content


def test_the_overview_shows_reported_facts(tenant: Tenant, sign_in: SignIn) -> None:
    details = {"hardware_overview": {"memory": "24 GB"}, "mdm": {"supervised": "True"}}
    device = DeviceFactory.create(tenant=tenant, details=details, filevault_enabled=False)
    content = text(sign_in().get(page("device", device)))
    assert "24 GB" in content
    assert facts(content)["FileVault"] == "No"
    assert '<span class="badge danger">No</span>' in content
    assert "Not reported" in content


@pytest.mark.parametrize("chain", [1.5, True, "no", [None, 1], None])
def test_activity_that_an_import_brought_may_be_odd(tenant: Tenant, sign_in: SignIn, chain: Any) -> None:
    device = DeviceFactory.create(tenant=tenant)
    DeviceActivityFactory.create(
        device=device, action_type="mdm_command_failed", details={"error_chain": chain, "command_type": "SecurityInfo"}
    )
    assert "SecurityInfo" in text(sign_in().get(page("device-activity", device)))


def test_apps_are_found_by_name_and_identifier(tenant: Tenant, sign_in: SignIn) -> None:
    device = DeviceFactory.create(tenant=tenant, details={})
    device.inventory.apps = [
        {"app_name": "Slack", "bundle_id": "com.slack", "version": "1.2"},
        {"app_name": XSS, "bundle_id": "com.other"},
    ]
    device.inventory.save()
    client = sign_in()
    assert XSS not in (content := text(client.get(page("device-apps", device))))
    assert "2 apps" in content
    assert "1 app found" in text(client.get(page("device-apps", device), {"q": "COM.slack"}))
    assert "No app matches" in text(client.get(page("device-apps", device), {"q": "zzz"}))


def test_activity_merges_events_of_the_device_and_of_people(mac: Device, sign_in: SignIn) -> None:
    log(device=mac, action_type="name_changed", details={"from": "Old", "to": XSS})
    log(device=mac, action_type="something_new", details={})
    client = sign_in()
    client.post(page("device-edit", mac), {"user": "", "blueprint": str(mac.blueprint.uuid), "asset_tag": "A1"})
    content = text(client.get(page("device-activity", mac)))
    assert content.index("Device updated") < content.index("Something new") < content.index("Name changed")
    assert "ana@accuhive.test" in content
    assert XSS not in content


def test_a_device_is_edited(mac: Device, tenant: Tenant, sign_in: SignIn) -> None:
    target = BlueprintFactory.create(tenant=tenant, name="Other")
    TagFactory.create(tenant=tenant, name="VIP")
    UserFactory.create(tenant=tenant, name="Ben", email="ben@accuhive.test")
    client = sign_in(Role.HELP_DESK)
    data = {
        "user": "BEN@accuhive.test",
        "blueprint": str(target.uuid),
        "asset_tag": " A-7 ",
        "tags": ["VIP"],
        "new_tags": "Loaner, ",
    }
    response = client.post(page("device-edit", mac), data, headers=on(page("device-apps", mac)))
    assert response.status_code == 204
    assert "devices-changed" in response["HX-Trigger"]
    mac.refresh_from_db()
    assert mac.user
    assert (mac.user.name, mac.blueprint, mac.asset_tag) == ("Ben", target, "A-7")
    assert sorted(mac.tags.values_list("name", flat=True)) == ["Loaner", "VIP"]
    assert newest(tenant).summary == "Device updated"
    assert '"asset_tag":"A-7"' in mac.record_json


def test_an_invalid_edit_answers_422(mac: Device, tenant: Tenant, sign_in: SignIn) -> None:
    for _ in range(2):
        UserFactory.create(tenant=tenant, email="twin@accuhive.test")
    client = sign_in()
    for email, words in (("nobody@x.test", "No user has"), ("twin@accuhive.test", "Several users")):
        data = {"user": email, "blueprint": str(mac.blueprint.uuid)}
        response = client.post(page("device-edit", mac), data, headers=HTMX)
        assert response.status_code == 422
        assert words in text(response)
        assert "<html" not in text(response)
    assert not tenant.audit_events.filter(summary="Device updated").exists()


def test_a_record_is_deleted_by_its_typed_name(mac: Device, tenant: Tenant, sign_in: SignIn) -> None:
    client = sign_in(Role.HELP_DESK)
    url = page("device-delete", mac)
    assert client.post(url, {"typed_name": "Ana"}).status_code == 422
    assert Device.objects.filter(pk=mac.pk).exists()
    response = client.post(url, {"typed_name": " Ana's  Mac "})  # with the apostrophe that keyboards have
    assert response["Location"] == LIST
    assert not Device.objects.filter(pk=mac.pk).exists()
    assert newest(tenant).summary == "Device deleted"
    assert f"The record of “{NAME}” is deleted." in text(client.get(LIST))


@pytest.mark.slow
def test_names_of_devices_are_escaped(tenant: Tenant, sign_in: SignIn) -> None:
    user = UserFactory.create(tenant=tenant, name=XSS, email="x@accuhive.test", department=XSS)
    blueprint = BlueprintFactory.create(tenant=tenant, name=XSS, description=XSS, color=XSS[:60], icon=XSS[:60])
    tag = TagFactory.create(tenant=tenant, name=XSS)
    details = {"hardware_overview": {"memory": XSS}, "volumes": [{"name": XSS}]}
    device = DeviceFactory.create(
        tenant=tenant, name=XSS, model=XSS, user=user, blueprint=blueprint, tags=[tag], details=details
    )
    client = sign_in()
    urls = [LIST, "/blueprints/", "/users/", "/users/options/?user=x@", f"/users/{user.uuid}/"]
    urls += [
        f"/blueprints/{blueprint.uuid}/",
        f"/blueprints/{blueprint.uuid}/edit/",
        f"/blueprints/{blueprint.uuid}/delete/",
    ]
    urls += [page(name, device) for name in ("device", "device-edit", "device-delete", "device-notes")]
    urls += [page("device-action", device, "erase")]
    for url in urls:
        response = client.get(url)
        assert response.status_code == 200
        assert "<script>alert" not in text(response), url
        assert "<img src=x" not in text(response), url
