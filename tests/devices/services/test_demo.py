import json
import re
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from access.services.audit import Actor
from access.services.tenants import create_tenant
from devices.models import Device
from devices.services.demo import demo_fleet, load_demo_fleet

CONTRACT = Path(__file__).resolve().parents[4] / "shared" / "api" / "contract.json"
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
FORMS = {
    "datetime:T..Z": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "datetime:T..Z (6 decimals)": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "datetime:space..+00:00": r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00",
    "date": r"\d{4}-\d\d-\d\d",
}
# Seen in one state only by those who wrote the contract; it says elsewhere what the other states look like.
EITHER: dict[str, tuple[object, ...]] = {
    "assigned_user": ("", None),
    "user": ("", None),
    "last_check_in": (None, ""),
    "last_check_in_datetime": (None,),
    "asset_tag": ("",),
    "cellular": ({},),
}


def fleet(count: int = 400) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    return list(demo_fleet(count, now=NOW))


def shape(operation: str) -> Any:
    if not CONTRACT.exists():
        pytest.skip(f"{CONTRACT} is not there")
    operations = {row["id"]: row for row in json.loads(CONTRACT.read_text(encoding="utf-8"))}
    return operations[operation]["response_shape"]


def mismatches(value: Any, expected: Any, path: str = "") -> list[str]:
    """Where `value` differs from a shape of the contract."""
    key = path.rpartition(".")[2]
    if any(type(value) is type(other) and value == other for other in EITHER.get(key, ())):
        return []
    if isinstance(expected, dict):
        names = {name.removesuffix("?"): part for name, part in expected.items() if name != "$or"}
        if not isinstance(value, dict) or set(value) != set(names):
            return [f"{path}: {value!r} has not the keys {sorted(names)}"]
        return [text for name, part in names.items() for text in mismatches(value[name], part, f"{path}.{name}")]
    if isinstance(expected, list):
        if not isinstance(value, list):
            return [f"{path}: {value!r} is no list"]
        return [text for part in value for text in mismatches(part, expected[0], path)] if expected else []
    return [] if fits(key, value, expected) else [f"{path}: {value!r} is not {expected}"]


def fits(key: str, value: Any, expected: str) -> bool:
    if expected == '""' and key in EITHER:
        return isinstance(value, str)
    if key == "assigned_user":  # a user where only the lack of one was seen
        return isinstance(value, dict) and set(value) == {"email", "name", "id", "is_archived"}
    kind, _, words = expected.partition(" ")
    if '|""' in expected:
        if value == "":
            return True
        expected = kind = expected.partition("|")[0]
    match kind.rstrip(":"):
        case "string":
            return isinstance(value, str) and ("|" not in words or value in re.findall(r"\w+", words))
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int)
        case "uuid":
            return isinstance(value, str) and bool(UUID(value))
        case "null":
            return value is None
        case '""':
            return bool(value == "")
        case _:
            return isinstance(value, str) and re.fullmatch(FORMS[expected], value) is not None


def test_records_have_the_shape_of_the_contract() -> None:
    expected = shape("list_devices")[0]
    assert [text for record, _ in fleet() for text in mismatches(record, expected)] == []


@pytest.mark.parametrize("platform", ["Mac", "iPad", "iPhone", "AppleTV", "Windows", "Android"])
def test_details_have_the_shape_of_the_contract(platform: str) -> None:
    expected = shape("get_device_details")["$variants"]["iPad" if platform == "iPhone" else platform]
    documents = [document for record, document in fleet() if record["platform"] == platform]
    assert documents
    assert [text for document in documents for text in mismatches(document, expected)] == []


def test_the_shapes_are_told_apart() -> None:
    expected = shape("get_device_details")["$variants"]
    mac = next(document for record, document in fleet() if record["platform"] == "Mac")
    assert mismatches(mac, expected["iPad"])
    assert mismatches({**mac, "more": 1}, expected["Mac"])
    assert mismatches({**mac, "mdm": {**mac["mdm"], "mdm_enabled": True}}, expected["Mac"])
    assert mismatches({**mac, "filevault": {**mac["filevault"], "filevault_enabled": "True"}}, expected["Mac"])


def test_a_seed_gives_one_fleet() -> None:
    assert fleet(50) == fleet(400)[:50]
    assert list(demo_fleet(50, seed=2, now=NOW)) != fleet(50)


def test_it_is_made_as_it_is_asked_for() -> None:
    assert len(list(islice(demo_fleet(10**9), 3))) == 3


def test_it_is_believable() -> None:
    records = [record for record, _ in fleet(2000)]
    platforms = Counter(record["platform"] for record in records)
    assert 0.50 < platforms["Mac"] / 2000 < 0.60
    assert 0.20 < platforms["iPhone"] / 2000 < 0.30
    assert set(platforms) == {"Mac", "iPhone", "iPad", "AppleTV", "Windows", "Android"}
    assert 0.04 < sum(not record["user"] for record in records) / 2000 < 0.14
    assert 0.005 < sum(not record["last_check_in"] for record in records) / 2000 < 0.04
    for name in ("device_id", "serial_number", "asset_tag"):
        values = [record[name] for record in records if record[name]]
        assert len(set(values)) == len(values)
    people = {record["user"]["id"]: record["user"] for record in records if record["user"]}
    assert len({person["email"] for person in people.values()}) == len(people)
    assert all(re.fullmatch(r"[a-z0-9.]+@accuhive\.example", person["email"]) for person in people.values())
    assert any(not person["name"].isascii() for person in people.values())
    assert any(len(person["name"]) > 30 for person in people.values())
    for record in records:
        assert record["first_enrollment"] <= record["last_enrollment"] <= "2026-11-01 12:00:00"
        assert (record["last_check_in"] or "") <= "2026-11-01T12:00:00"


@pytest.mark.django_db
def test_loading_it() -> None:
    actor = Actor.command("test")
    tenant = create_tenant(name="Accuhive", subdomain="accuhive", actor=actor)
    report = load_demo_fleet(tenant=tenant, actor=actor, count=300)
    assert (report.created, report.skipped) == (300, 0)
    assert tenant.devices.filter(inventory__isnull=False).count() == 300
    assert 5 <= report.blueprints <= 8
    assert not tenant.users.filter(department=None).exists()
    assert not Device.objects.exclude(tenant=tenant).exists()
