import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.audit.events import Actor
from access.models import Tenant
from access.people.tenants import create_tenant
from devices.demo.fleet import demo_fleet
from devices.imports import files as import_files
from devices.imports import json_values
from devices.imports.devices import ImportReport, import_devices
from devices.imports.files import FileError, ImportFile

pytestmark = pytest.mark.slow

ACTOR = Actor.command("test")


@pytest.fixture
def tenant(db: None) -> Tenant:
    return create_tenant(name="Accuhive", subdomain="accuhive", actor=ACTOR)


def load_file(tenant: Tenant, path: Path) -> ImportReport:
    return import_devices(tenant=tenant, rows=ImportFile(path).rows(), actor=ACTOR)


def write(path: Path, content: str | bytes) -> ImportFile:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return ImportFile(path)


def read(file: ImportFile) -> list[tuple[int, object]]:
    """(line, row) of a file, with the reason for a row that could not be read."""
    return [(int(source.rpartition(":")[2]), getattr(row, "reason", row)) for source, row in file.rows()]


def lines_of(rows: Iterable[tuple[int, object]]) -> list[int]:
    return [line for line, _ in rows]


@pytest.mark.parametrize("chunk", [64, 300, 256 * 1024])
def test_an_array_over_many_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(import_files, "START", chunk)
    monkeypatch.setattr(json_values, "CHUNK", chunk)
    documents = [{"a": 1, "b": ["x", {"c": "{["}]}, 17, {"d": "é" * 500}, {}]
    text = "\n\n" + json.dumps(documents, indent=1)
    rows = read(write(tmp_path / "x", text))
    assert [row for _, row in rows] == documents
    assert lines_of(rows) == [4, 13, 14, 17]


@pytest.mark.parametrize("chunk", [64, 256 * 1024])
def test_a_broken_element_does_not_take_the_others_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(import_files, "START", chunk)
    monkeypatch.setattr(json_values, "CHUNK", chunk)
    rows = read(write(tmp_path / "x", '[\n  {"a": 1},\n  {"b": oops,\n   "c": 1},\n  {"d": 1}\n]\n'))
    assert rows == [(2, {"a": 1}), (3, "broken JSON: Expecting value (line 3)"), (5, {"d": 1})]


def test_a_broken_array_on_one_line_ends_there(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "x", '[{"a": 1}, {"b": oops}, {"c": 1}]'))
    assert rows[0] == (1, {"a": 1})
    assert [line for line, _ in rows[1:]] == [1, 1]


def test_an_array_that_was_cut_off(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "x", '[\n{"a": 1},\n{"b": "xy'))
    assert rows[0] == (2, {"a": 1})
    assert lines_of(rows[1:]) == [3, 3]
    assert read(write(tmp_path / "y", '[\n{"a": 1}\n')) == [(2, {"a": 1}), (3, "the file ends inside the array")]


def test_objects_one_a_line(tmp_path: Path) -> None:
    text = '{"a": 1}\n\n{"b": \n[1]\n{"c": NaN}\n' + "[" * 100_000 + '\n{"d": 1}'
    rows = read(write(tmp_path / "x", text))
    assert rows[0] == (1, {"a": 1})
    assert rows[1][0] == 3
    assert rows[2:4] == [(4, [1]), (5, "broken JSON: NaN is not JSON")]
    assert rows[4] == (6, "broken JSON: nested too deeply")
    assert rows[5] == (7, {"d": 1})


def test_a_broken_first_line_is_still_one_line(tmp_path: Path) -> None:
    rows = read(write(tmp_path / "x", '{"a": oops}\n{"b": 1}\n'))
    assert lines_of(rows) == [1, 2]
    assert rows[1][1] == {"b": 1}


def test_an_object_over_many_lines(tmp_path: Path) -> None:
    documents = [next(demo_fleet(1))[1], {"a": {"b": 1}}]
    text = "\n".join(json.dumps(document, indent=4) for document in documents)
    rows = read(write(tmp_path / "x", text))
    assert [row for _, row in rows] == documents
    assert lines_of(rows) == [1, json.dumps(documents[0], indent=4).count("\n") + 2]


def test_a_report(tenant: Tenant, tmp_path: Path) -> None:
    text = (
        "\ufeffDevice Name,serial_number,MODEL,Device Type,OS Version,Blueprint,Asset Tag,User Name,User e-mail,Tags,"
        "Last Check-In,MAC Address,Colour\r\n"
        '"Ana, hers",C02AAA,MacBook Air,mac,15.1,Engineering,A1,Ana Ruiz,ana@accuhive.example,"x; y",'
        "2026-10-01 10:00:00,a4-83-e7-00-00-01,red\r\n"
        '"two\r\nlines",C02BBB,iPhone 15,IPHONE,18.1,Engineering,,,,,,,\r\n'
        "No platform,C02CCC,,,,Engineering\r\n"
        "\r\n"
        "Too,many,cells,a,b,c,d,e,f,g,h,i,j,k\r\n"
        "Newton,C02DDD,,Newton,,Engineering\r\n"
    )
    report = load_file(tenant, write(tmp_path / "x.json", text).path)
    assert [(source.rpartition(":")[2], reason) for source, reason in report.problems] == [
        ("5", "platform is missing"),
        ("7", "14 cells under 13 headers"),
        ("8", "unknown platform: 'Newton'"),
    ]
    assert (report.created, report.counts["blueprints"], report.counts["users"], report.counts["tags"]) == (2, 1, 1, 2)
    first, second = tenant.devices.order_by("pk")
    assert (first.name, first.platform, first.mac_address) == ("Ana, hers", "Mac", "a4-83-e7-00-00-01")
    assert (second.name, second.platform, second.user) == ("two\r\nlines", "iPhone", None)
    assert first.user
    assert (first.user.name, first.user.email) == ("Ana Ruiz", "ana@accuhive.example")
    again = load_file(tenant, tmp_path / "x.json")
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    file = write(tmp_path / "x", '"Colour (outside)",serial number, Size ,,Blueprint\n')
    assert file.unknown_columns == ["Colour (outside)", "Size"]
    assert write(tmp_path / "y", '[{"colour": 1}]').unknown_columns == []


def test_bytes_that_are_not_utf_8_spoil_one_row(tenant: Tenant, tmp_path: Path) -> None:
    rows = [{**record, "device_name": "näme"} for record, _ in demo_fleet(3)]
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    lines[1] = lines[1].replace("ä".encode(), b"\xe4")
    report = load_file(tenant, write(tmp_path / "x", b"\n".join(lines)).path)
    assert list(report.problems) == [(f"{tmp_path / 'x'}:2", "device_name is not valid Unicode text")]
    assert report.created == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b" \n", "the file is empty"),
        ("[]".encode("utf-16-le"), "not UTF-8 text"),
        (b"<html></html>", "neither JSON nor a CSV with a column Serial Number or Device ID"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(FileError, match=reason):
        read(write(tmp_path / "x", content))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        ImportFile(tmp_path / "x")


def imported(tenant: Tenant, tmp_path: Path, text: str) -> ImportReport:
    return load_file(tenant, write(tmp_path / "report.csv", text).path)


def test_lists_and_objects_in_cells_are_read_as_such(tenant: Tenant, tmp_path: Path) -> None:
    """As a Python script writes the API's answers with `csv.DictWriter`."""
    records = [record for record, _ in demo_fleet(40, now=datetime(2026, 11, 1, tzinfo=UTC))]
    assert {len(record["tags"]) for record in records} >= {0, 1, 2}
    path = tmp_path / "report.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=sorted(records[0]))
        writer.writeheader()
        writer.writerows({**record, "user": record["user"] or ""} for record in records)
    report = load_file(tenant, path)
    assert (report.created, report.skipped) == (40, 0)
    stored = [json.loads(text) for text in tenant.devices.order_by("pk").values_list("record_json", flat=True)]
    assert stored == [{key: record[key] for key in row} for row, record in zip(stored, records, strict=True)]


def test_numbered_columns_of_a_flattened_list(tenant: Tenant, tmp_path: Path) -> None:
    report = imported(
        tenant,
        tmp_path,
        "device_name,serial_number,platform,blueprint_name,tags,tags_1,tags_2,user_email,user_id,user_is_archived\n"
        "One,C02AAA,Mac,Everyone,[],,,,,\n"
        "Two,C02BBB,Mac,Everyone,,['Design'],,ann@accuhive.example,22222222-2222-4222-8222-222222222222,True\n"
        "Three,C02CCC,Mac,Everyone,,\"['Design', 'VIP']\",\"['Design', 'VIP']\",,,\n"
        "Four,C02DDD,Mac,Everyone,,Design,VIP,,,\n"
        "Five,C02EEE,Mac,Everyone,[Design],,,,,\n",
    )
    assert (report.created, report.skipped) == (5, 0)
    tags = [sorted(device.tags.values_list("name", flat=True)) for device in tenant.devices.order_by("pk")]
    assert tags == [[], ["Design"], ["Design", "VIP"], ["Design", "VIP"], ["[Design]"]]
    assert tenant.users.get().archived


@pytest.mark.parametrize(
    "above",
    ["Device Report\n", "Device Report,,,\nGenerated on,11/01/2026,,\n\n", '"A title\nof two lines"\n'],
)
def test_titles_above_the_header_are_passed_over(tenant: Tenant, tmp_path: Path, above: str) -> None:
    header = '"Device\nName",Serial Number,Platform,"Colour\n(outside)",Blueprint\n'
    text = f"{above}{header}One,C02AAA,Mac,red,Everyone\nTwo,C02BBB,Newton,red,Everyone\n"
    assert write(tmp_path / "titles", text).unknown_columns == ["Colour (outside)"]
    report = imported(tenant, tmp_path, text)
    assert report.created == 1
    line = text[: text.index("Two")].count("\n") + 1
    assert list(report.problems) == [(f"{tmp_path / 'report.csv'}:{line}", "unknown platform: 'Newton'")]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("11/01/2026 10:00 AM", "2026-11-01T10:00:00.000000Z"),
        ("11/01/2026, 1:30:05 PM", "2026-11-01T13:30:05.000000Z"),
        ("11/01/2026 10:00\N{NARROW NO-BREAK SPACE}PM", "2026-11-01T22:00:00.000000Z"),
        ("Jan 26, 2024", "2024-01-26T00:00:00.000000Z"),
        ("January 26, 2024 at 3:07 PM", "2024-01-26T15:07:00.000000Z"),
    ],
)
def test_dates_as_reports_write_them(tenant: Tenant, tmp_path: Path, text: str, moment: str) -> None:
    header = "Device Name,Serial Number,Platform,Blueprint,Last Check-in\n"
    report = imported(tenant, tmp_path, f'{header}One,C02AAA,Mac,Everyone,"{text}"\n')
    assert (report.created, list(report.problems)) == (1, [])
    assert json.loads(tenant.devices.get().record_json)["last_check_in"] == moment


def test_a_date_that_may_be_two_days_refuses_its_row_alone(tenant: Tenant, tmp_path: Path) -> None:
    header = "Device Name,Serial Number,Platform,Blueprint,Last Check-in\n"
    rows = 'One,C02AAA,Mac,Everyone,10/11/2026\nTwo,C02BBB,Mac,Everyone,"Jan 26, 2024"\n'
    report = imported(tenant, tmp_path, header + rows)
    assert [reason for _, reason in report.problems] == ["last_check_in is not a date: '10/11/2026'"]
    assert report.created == 1
