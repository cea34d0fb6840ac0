"""The Library items that a copy writes."""

from typing import Any
from uuid import UUID

import pytest

from access.audit.events import Actor
from access.models import Tenant
from devices.imports.tenant.library import LIBRARY, write_categories, writer_of
from devices.library import categories
from devices.models import LibraryItem
from tests.factories.devices import PROFILE

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
ACTOR = Actor.command("test")
ID, CATEGORY = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
DATES = {"created_at": "2024-05-13T20:09:23.123456Z", "updated_at": "2024-05-14T20:09:23.123456Z"}
SCRIPT = {
    "id": ID,
    "name": "Rosetta",
    "active": False,
    "execution_frequency": "no_enforcement",
    "restart": True,
    "script": "\n#!/bin/zsh\nexit 0",
    "remediation_script": "",
    **DATES,
    "show_in_self_service": True,
    "self_service_category_id": CATEGORY,
    "self_service_recommended": True,
}


def copy(tenant: Tenant, path: str, *rows: Any) -> Any:
    return writer_of(*LIBRARY[path])(tenant=tenant, rows=rows, actor=ACTOR)


def test_a_script_comes_whole_and_once(tenant: Tenant) -> None:
    write_categories(tenant=tenant, rows=[{"id": CATEGORY, "name": "Tools"}], actor=ACTOR)
    assert copy(tenant, "library/custom-scripts", SCRIPT).created == 1
    item = LibraryItem.objects.select_related("custom_script", "category").get()
    assert item.category is not None
    assert (str(item.uuid), item.name, item.active, item.category.name) == (ID, "Rosetta", False, "Tools")
    assert item.custom_script.script == SCRIPT["script"]
    assert item.created_at.isoformat() == "2024-05-13T20:09:23.123456+00:00"
    again = copy(tenant, "library/custom-scripts", SCRIPT)
    assert (again.created, again.updated) == (0, 0)
    changed = copy(tenant, "library/custom-scripts", {**SCRIPT, "script": "exit 1"})
    assert (changed.created, changed.updated) == (0, 1)
    assert LibraryItem.objects.get().custom_script.script == "exit 1"


def test_what_cannot_be_copied_is_said(tenant: Tenant) -> None:
    unknown = copy(tenant, "library/custom-scripts", SCRIPT, {**SCRIPT, "id": CATEGORY, "execution_frequency": "x"})
    reasons = dict(unknown.problems)
    assert reasons[f"Custom Script {ID}"] == "its category of Self Service is not known here"
    assert f"Custom Script {CATEGORY}" in reasons
    signed = {"id": CATEGORY, "name": "Signed", "profile": "0\x82 signed", **DATES}
    good = {"id": "33333333-3333-4333-8333-333333333333", "name": "Dock", "profile": PROFILE, "runs_on_ipad": True}
    profiles = copy(tenant, "library/custom-profiles", signed, {**good, **DATES})
    assert profiles.created == 1
    assert f"Custom Profile {CATEGORY}" in dict(profiles.problems)
    assert tenant.library_items.get(name="Dock").custom_profile.profile == PROFILE  # with its identifiers in the source


def test_an_app_comes_by_its_name(tenant: Tenant) -> None:
    written = copy(tenant, "library/custom-apps", {"id": ID, "name": "VPN", "active": True, **DATES, "file_url": "x"})
    assert tenant.library_items.get().type == "custom-app"
    assert dict(written.problems) == {"Custom Apps": "their files and settings are not copied, only their names"}


def test_a_category_of_the_same_name_takes_over_the_id(tenant: Tenant) -> None:
    used = categories.get(tenant, categories.categories(tenant)[0].uuid)
    write_categories(tenant=tenant, rows=[{"id": CATEGORY, "name": used.name}], actor=ACTOR)
    used.refresh_from_db()
    assert used.uuid == UUID(CATEGORY)
    assert tenant.self_service_categories.count() == len(categories.DEFAULTS)
