"""The declared operations against the description of the public API."""

import importlib
import pkgutil
import re

import pytest

from access.permissions import Catalogue, Permission, Section, catalogue
from devices.api import api as endpoint_api
from devices.api import operations
from devices.api.routing import Router
from tests.contract import OPERATIONS, PERMISSIONS, RENAMED
from tests.devices.api.examples import EXAMPLE_ID
from tests.types import Call, IssueToken

OURS = {operation.id for operation in endpoint_api.operations if operation.ours}
# Query parameters that we added. These two lists have the same paging as the other lists of the Library.
OUR_PARAMETERS = {
    "get_library_item_statuses": {"status"},
    "list_ade_devices": {"limit", "offset"},
    "list_ade_integration_devices": {"limit", "offset"},
    "list_ade_integrations": {"limit", "offset"},
    "list_custom_profiles": {"limit", "offset"},
    "list_custom_scripts": {"limit", "offset"},
    "list_vulnerability_detections": {"device_id", "severity", "status"},
}


def test_every_operation_is_the_public_apis() -> None:
    for operation in endpoint_api.operations:
        if operation.id in OURS:
            continue
        described = OPERATIONS[operation.id]
        assert (operation.method, operation.path, operation.status) == (
            described["method"],
            described["path"],
            described["success"],
        )
        known = {parameter["name"] for parameter in described["query"]} - {"source"}
        known |= OUR_PARAMETERS.get(operation.id, set())
        declared = set(operation.query.parameter_names()) if operation.query else set()
        assert declared == known, operation.id
        # A form's dotted name is a field of a nested object.
        fields = {field["name"].partition(".")[0] for field in (described["body"] or {}).get("fields", [])}
        body = operation.body.model_fields.items() if operation.body else ()
        files = {*operation.upload.files, *operation.upload.optional} if operation.upload else set()
        assert {field.alias or name for name, field in body} | files == fields, operation.id


def test_every_operation_that_a_module_declares_is_served() -> None:
    names = [module.name for module in pkgutil.iter_modules(operations.__path__)]
    modules = [importlib.import_module(f"{operations.__name__}.{name}") for name in names]
    routers = [value for module in modules for value in vars(module).values() if isinstance(value, Router)]
    declared = [operation.id for router in routers for operation in router.operations]
    assert len(declared) == len(set(declared))
    assert set(declared) == {operation.id for operation in endpoint_api.operations}


def test_what_is_served_is_what_is_declared() -> None:
    served = {
        (method, operation.path.rstrip("/")): operation
        for endpoint in endpoint_api.endpoints.values()
        for method, operation in endpoint.operations.items()
    }
    declared = {(operation.method, operation.path.rstrip("/")): operation for operation in endpoint_api.operations}
    assert {key: operation.id for key, operation in served.items()} == {
        key: operation.id for key, operation in declared.items()
    }


def test_the_whole_public_api_is_served(api: Call, issue_token: IssueToken) -> None:
    """With its public ids, except the two forms that clients post to the storage of files."""
    token = issue_token()
    served = {operation.id for operation in endpoint_api.operations} - OURS
    assert served == {id for id, described in OPERATIONS.items() if described["path"] != "{post_url}"}
    for id in served:
        answer = api(OPERATIONS[id]["method"], re.sub(r"{\w+}", EXAMPLE_ID, OPERATIONS[id]["path"]), token)
        assert answer.status_code not in {404, 405}, id


def test_every_permission_is_named_and_placed_as_in_the_public_api() -> None:
    for area in catalogue.areas():
        for section in area.sections:
            for permission in section.permissions:
                if permission.codename in OURS:
                    assert permission.codename not in PERMISSIONS
                    continue
                named = PERMISSIONS[permission.codename]
                assert (area.name, section.name, permission.label, permission.method, permission.path) == (
                    named["heading"],
                    named["section"],
                    RENAMED.get(named["label"], named["label"]),
                    named["method"],
                    named["path"],
                )


def test_what_the_public_api_deprecates_is_deprecated_in_favour_of_what_is_served() -> None:
    deprecated = {operation.id: operation.deprecated for operation in endpoint_api.operations if operation.deprecated}
    described = {id for id, operation in OPERATIONS.items() if operation["notes"].startswith("Deprecated")}
    assert deprecated.keys() == described
    successors = {deprecation.instead for deprecation in deprecated.values()}
    assert successors <= OPERATIONS.keys() - described


def test_operations_and_permissions_are_the_same_things() -> None:
    assert {operation.permission for operation in endpoint_api.operations if operation.permission} == set(catalogue)
    for operation in endpoint_api.operations:
        if operation.permission:
            assert operation.permission.codename == operation.id
        assert operation.label
        assert operation.about


def test_every_section_has_a_description_and_permissions() -> None:
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


def test_the_permissions_that_the_editor_marks_as_sensitive() -> None:
    """Written by hand: the mark is the declaration's own, so nothing else says where it belongs."""
    assert {permission.codename for permission in catalogue if permission.sensitive} == {
        "clear_passcode",
        "create_api_token",
        "delete_ade_integration",
        "delete_blueprint",
        "delete_custom_profile",
        "delete_custom_app",
        "delete_custom_script",
        "delete_device",
        "delete_ipa_app",
        "delete_user_on_device",
        "enable_lost_mode",
        "erase_device",
        "get_activation_lock_bypass_code",
        "get_filevault_recovery_key",
        "get_recovery_lock_password",
        "get_unlock_pin",
        "list_api_tokens",
        "lock_device",
        "reset_work_profile_passcode",
        "revoke_api_token",
        "rotate_api_token",
        "update_api_token",
    }
