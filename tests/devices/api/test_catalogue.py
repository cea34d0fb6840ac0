"""The declared operations against the public API's description, which lies beside the project where it is developed."""

import json
from pathlib import Path
from typing import Any

import pytest

from access.permissions import Catalogue, Permission, catalogue
from devices.api import api

SHARED = Path(__file__).resolve().parents[4] / "shared" / "api"
OURS = {"get_openapi", "get_token"}  # not part of the public API

described = pytest.mark.skipif(not SHARED.exists(), reason="the description of the public API is not here")


def load(name: str) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((SHARED / name).read_text())
    return content


@described
def test_every_operation_is_the_public_apis() -> None:
    public = {each["id"]: each for each in load("contract.json")}
    for operation in api.operations:
        if operation.id in OURS:
            continue
        described = public[operation.id]
        assert (operation.method, operation.path, operation.status) == (
            described["method"],
            described["path"],
            described["success"],
        )
        known = {parameter["name"] for parameter in described["query"]} - {"source"}
        declared = set(operation.query.parameter_names()) if operation.query else set()
        assert declared == known, operation.id
        # A form's dotted name is a field of a nested object.
        fields = {field["name"].partition(".")[0] for field in (described["body"] or {}).get("fields", [])}
        body = operation.body.model_fields.items() if operation.body else ()
        assert {field.alias or name for name, field in body} == fields, operation.id


@described
def test_every_permission_is_named_and_placed_as_in_the_public_api() -> None:
    public = {each["codename"]: each for each in load("permissions.json")}
    for area in catalogue.areas():
        for section in area.sections:
            for permission in section.permissions:
                named = public[permission.codename]
                assert (area.name, section.name, permission.label, permission.method, permission.path) == (
                    named["heading"],
                    named["section"],
                    named["label"],
                    named["method"],
                    named["path"],
                )


def test_operations_and_permissions_are_the_same_things() -> None:
    assert {operation.permission for operation in api.operations if operation.permission} == set(catalogue)
    for operation in api.operations:
        if operation.permission:
            assert operation.permission.codename == operation.id
        assert operation.label
        assert operation.about


def test_sections_say_what_they_are_about() -> None:
    for area in catalogue.areas():
        for section in area.sections:
            assert section.about.endswith(".")
            assert section.permissions


def test_a_codename_is_declared_once() -> None:
    fresh = Catalogue()
    section = fresh.section("Devices", "Device Information", "About devices.")
    permission = Permission("list_devices", "Device list", "GET", "/api/v1/devices", "List devices")
    fresh.add(section, permission)
    with pytest.raises(ValueError, match="declared twice"):
        fresh.add(section, permission)
