"""Existing values for the calls that schemathesis generates: with random ids alone, each call would be a 404.

Loaded by schemathesis, not by the tests: see docs/checks.md.
"""

import json
import os
import random
import time
from contextlib import suppress
from typing import Any
from urllib.request import Request, urlopen

import schemathesis

ORIGIN, TOKEN = os.environ["IRU_ORIGIN"], os.environ["IRU_TOKEN"]
KEPT = 30.0  # seconds for which values are used again; calls delete some of the objects in this time
REAL, REAL_QUERY, REAL_DELETION = (
    0.8,
    0.4,
    0.05,
)  # the share of values that are replaced; few in deletions, so that some objects remain
# The list that has the values of a field, by the name of the field.
SOURCES = {
    "device_id": ("devices", "device_id"),
    "computer_id": ("devices", "device_id"),
    "blueprint_id": ("blueprints", "id"),
    "blueprint_ids": ("blueprints", "id"),
    "id__in": ("blueprints", "id"),
    "tag_id": ("tags", "id"),
    "tag_id_in": ("tags", "id"),
    "user_id": ("users", "id"),
    "user": ("users", "id"),
    "ade_token_id": ("integrations/apple/ade", "id"),
    "dep_account": ("integrations/apple/ade", "id"),
    "cve_id": ("vulnerability-management/vulnerabilities", "cve_id"),
    "self_service_category_id": ("self-service/categories", "id"),
    "override_dep_profile_id": ("library/custom-scripts", "id"),
}
KINDS = ("custom-apps", "custom-profiles", "custom-scripts", "ipa-apps")
PROFILE = b"""<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict><key>PayloadContent</key><array/><key>PayloadIdentifier</key><string>a</string>
<key>PayloadType</key><string>Configuration</string><key>PayloadUUID</key><string>b</string>
<key>PayloadVersion</key><integer>1</integer></dict></plist>"""
# Parts of filters: columns of several lists, every operator, and values that fit only some operators.
COLUMNS = [
    "device__name",
    "device_id",
    "status",
    "apple_silicon",
    "updated_at",
    "last_changed_at",
    "os_version",
    "name",
    "cve_id",
    "severity",
    "cvss_score",
    "detection_datetime",
    "software",
    "bundle_size",
    "profile_data",
    "tags",
    "app_name",
    "bundle_id",
    "domain",
]
OPERATORS = ["eq", "in", "not_in", "like", "not_like", "lt", "gt", "lte", "gte", "or", "is_null", "no"]
VALUES: tuple[Any, ...] = (
    *(True, None, 1, -1, 1e308, 10**30, float("nan"), float("inf")),
    *("", "a\0", "\ud800", "24", "2026-11-26T00:00:00.000Z", "9999-12-31T23:59:59Z", "0001-01-01", "2026-13-01"),
    *(["Mac"], ["\0"], [], [None], [[1]], ["CVE-2024-24795", "x" * 300], ["%", "_", "\\"]),
    *({}, {"gt": "2026-01-01", "lt": "2025-01-01"}),
    "x" * 5000,
)

_known: dict[tuple[str, str], tuple[float, list[Any]]] = {}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    path = case.operation.path
    with suppress(OSError):  # only the server's answer to the call itself is checked
        _replace(case.path_parameters, path, REAL_DELETION if case.method == "DELETE" else REAL, case.method)
        _replace(case.query, path, REAL_QUERY)
        _replace(case.body, path, REAL)
    if isinstance(case.query, dict) and "filter" in case.query and random.random() < REAL:
        case.query["filter"] = _filter()
    if isinstance(case.body, dict) and random.random() < REAL:
        if "file" in case.body and "custom-profiles" in path:
            case.body["file"] = PROFILE
        if path.endswith("/prism/export"):
            case.body["category"] = random.choice(("apps", "filevault", "device_information", "ms_compliance"))


def _replace(values: Any, path: str, share: float, method: str = "") -> None:
    if not isinstance(values, dict):
        return
    for name, value in values.items():
        source = _source(name, path)
        always = path.endswith("/action/lock")  # schemathesis takes ids of other devices from earlier answers
        known = _values(*source) if source and (always or random.random() < share) else []
        if len(known) > (method == "DELETE"):  # the last object of a kind is not deleted
            chosen = random.choice(known)
            values[name] = [chosen] if isinstance(value, list) else chosen
    if {"note_id", "device_id"} <= values.keys():
        notes = _values(f"devices/{values['device_id']}/notes", "note_id")
        values["note_id"] = random.choice(notes or [values["note_id"]])


def _source(name: str, path: str) -> tuple[str, str] | None:
    kind = next((kind for kind in KINDS if kind in path), random.choice(KINDS))
    if name == "library_item_id":
        return f"library/{kind}", "id"
    if name == "file_key":
        return f"library/{kind}", name
    if name == "device_id" and path.endswith("/action/lock"):
        return (
            "devices?platform=Mac",
            name,
        )  # the others answer an empty body, as in the public API; a schema cannot describe this
    if name == "device_id" and "/ade/devices/" in path:
        return "integrations/apple/ade/devices", "id"
    return SOURCES.get(name)


def _values(path: str, key: str) -> list[Any]:
    """The values of this key in a list of the API."""
    read, values = _known.get((path, key), (-KEPT, []))
    if time.monotonic() - read > KEPT:
        request = Request(f"{ORIGIN}/api/v1/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        with urlopen(request, timeout=30) as answer:
            document = json.load(answer)
        rows = document if isinstance(document, list) else document["results"]
        values = [row[key] for row in rows if key in row]
        _known[path, key] = time.monotonic(), values
    return values


def _filter() -> str:
    columns = random.choices(COLUMNS, k=random.choice((1, 1, 2)))
    return json.dumps({column: {random.choice(OPERATORS): random.choice(VALUES)} for column in columns})
