"""The declared operations against the description of the public API."""

import pytest

from access.permissions import Catalogue, Permission, Section, catalogue
from devices.api import api
from tests.contract import OPERATIONS, PERMISSIONS

OURS = {"get_openapi", "get_token"}  # not part of the public API


def test_every_operation_is_the_public_apis() -> None:
    for operation in api.operations:
        if operation.id in OURS:
            continue
        described = OPERATIONS[operation.id]
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


def test_every_permission_is_named_and_placed_as_in_the_public_api() -> None:
    for area in catalogue.areas():
        for section in area.sections:
            for permission in section.permissions:
                named = PERMISSIONS[permission.codename]
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
    section = Section("Devices", "Device Information", "About devices.")
    permission = Permission("list_devices", "Device list", "GET", "/api/v1/devices", "List devices")
    fresh.add(section, permission)
    with pytest.raises(ValueError, match="declared twice"):
        fresh.add(section, permission)


def test_a_section_is_declared_once() -> None:
    fresh = Catalogue()
    permission = Permission("list_devices", "Device list", "GET", "/api/v1/devices", "List devices")
    fresh.add(Section("Devices", "Device Information", "About devices."), permission)
    with pytest.raises(ValueError, match="declared twice"):
        fresh.add(Section("Devices", "Device Information", "About devices, too."), permission)
