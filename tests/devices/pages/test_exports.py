"""The rows that a list finds, as CSV."""

import csv
import io
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.models import Role, Tenant
from access.pages import exports
from devices.fleet.secrets import store_secret
from devices.models import DeviceSecret, Platform
from tests.devices.pages.browsing import SignIn, text
from tests.factories.devices import (
    AssignmentFactory,
    BlueprintFactory,
    DeviceFactory,
    LibraryItemFactory,
    TagFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(sign_in: SignIn) -> Client:
    return sign_in(Role.AUDITOR)


def rows(client: Client, name: str, **query: Any) -> list[dict[str, str]]:
    response: Any = client.get(reverse(name), query)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response.streaming
    content = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(content, newline="")))


def test_devices(client: Client, tenant: Tenant) -> None:
    user = UserFactory.create(tenant=tenant, name="Ana", email="ana@accuhive.test")
    tags = [TagFactory.create(tenant=tenant, name=name) for name in ("Loaner", "Kiosk")]
    mac = DeviceFactory.create(tenant=tenant, name="Mac", user=user, tags=tags, filevault_enabled=True, asset_tag="A-1")
    DeviceFactory.create(tenant=tenant, name="Bare", platform=Platform.ANDROID, last_check_in=None)
    store_secret(device=mac, kind=DeviceSecret.Kind.FILEVAULT_KEY, value="HUSH-HUSH")
    bare, full = rows(client, "devices-export")
    assert full == {
        "Name": "Mac",
        "Serial number": mac.serial_number,
        "Device ID": str(mac.uuid),
        "Platform": "Mac",
        "Model": mac.model,
        "OS version": "15.1",
        "Blueprint": mac.blueprint.name,
        "User": "Ana",
        "User e-mail": "ana@accuhive.test",
        "Asset tag": "A-1",
        "FileVault": "true",
        "First enrollment": "2024-05-13T20:09:27+00:00",
        "Last enrollment": "2024-05-13T20:09:27+00:00",
        "Last check-in": "2024-05-14T20:09:27+00:00",
        "Tags": "Kiosk, Loaner",
    }
    assert (bare["User"], bare["Last check-in"], bare["FileVault"], bare["Tags"]) == ("", "", "", "")
    assert "HUSH" not in str(full)


def test_users(client: Client, tenant: Tenant) -> None:
    user = UserFactory.create(tenant=tenant, name="Ana", department="IT")
    UserFactory.create(tenant=tenant, name="Gone", archived=True)
    DeviceFactory.create(tenant=tenant, user=user)
    (row,) = rows(client, "users-export")
    assert (row["Name"], row["User ID"], row["Department"], row["Devices"], row["Archived"]) == (
        "Ana",
        str(user.uuid),
        "IT",
        "1",
        "false",
    )


def test_library(client: Client, tenant: Tenant) -> None:
    item = LibraryItemFactory.create(tenant=tenant, name="Wi-Fi", type="profile")
    AssignmentFactory.create(blueprint=BlueprintFactory.create(tenant=tenant), library_item=item)
    LibraryItemFactory.create(tenant=tenant, name="App")
    (row,) = rows(client, "library-export", kind="profile")
    assert (row["Name"], row["Kind"], row["Blueprints"], row["Active"]) == ("Wi-Fi", "Custom Profile", "1", "true")


def test_the_file_has_the_rows_of_the_list_in_its_order(
    client: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    tag = TagFactory.create(tenant=tenant)
    for number in range(5):
        DeviceFactory.create(tenant=tenant, name=f"Desk {number}", tags=[tag])
    DeviceFactory.create(tenant=tenant, name="Other")
    query = {"q": "desk", "sort": "-name"}
    listed = [device.name for device in client.get(reverse("devices"), query).context["page"].object_list]
    exported = rows(client, "devices-export", **query)
    assert [row["Name"] for row in exported] == listed
    assert {row["Tags"] for row in exported} == {tag.name}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_file_needs_no_transaction(client: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a server, where PostgreSQL's cursor must stay open after the transaction of its statement."""
    monkeypatch.setattr(exports, "PAGE", 2)
    for _ in range(5):
        DeviceFactory.create(tenant=tenant)
    assert len(rows(client, "devices-export")) == 5


def test_every_list_links_to_what_it_shows(client: Client, tenant: Tenant) -> None:
    DeviceFactory.create(tenant=tenant, name="Mac", user=UserFactory.create(tenant=tenant, name="Mac"))
    LibraryItemFactory.create(tenant=tenant, name="Mac")
    for name in ("devices", "users", "library"):
        assert f'href="/{name}/export/?q=mac"' in text(client.get(reverse(name), {"q": "mac"}))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_is_a_formula(start: str, client: Client, tenant: Tenant) -> None:
    DeviceFactory.create(tenant=tenant, name=f"{start}cmd|' /C calc'!A0")
    (row,) = rows(client, "devices-export")
    assert row["Name"] == f"'{start}cmd|' /C calc'!A0"


def test_the_name_of_the_file(client: Client, tenant: Tenant) -> None:
    response = client.get(reverse("devices-export"))
    name = f"devices-accuhive-{timezone.localdate().isoformat()}.csv"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'


def test_a_file_has_a_constant_number_of_queries_for_each_page(
    client: Client, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(exports, "PAGE", 10)
    blueprint, tag = BlueprintFactory.create(tenant=tenant), TagFactory.create(tenant=tenant)
    for _ in range(20):
        DeviceFactory.create(tenant=tenant, blueprint=blueprint, tags=[tag], user=UserFactory.create(tenant=tenant))
    with django_assert_max_num_queries(8):  # session, person, tenant; the rows; the tags of two pages
        assert len(rows(client, "devices-export")) == 20
