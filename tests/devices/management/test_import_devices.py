import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from access.audit.events import Actor
from access.models import AuditEvent, Tenant
from access.people.tenants import create_tenant
from devices.demo.fleet import demo_fleet

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(name="Accuhive", subdomain="accuhive", actor=Actor.command("test"))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The list of a small fleet, and its details, one a line."""
    pairs = list(demo_fleet(30, now=datetime(2026, 11, 1, tzinfo=UTC)))
    listed, detailed = tmp_path / "list", tmp_path / "details"
    listed.write_text(json.dumps([record for record, _ in pairs], indent=2), encoding="utf-8")
    detailed.write_text("\n".join(json.dumps(document) for _, document in pairs), encoding="utf-8")
    return [str(listed), str(detailed)]


def test_files_of_several_kinds(tenant: Tenant, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    call_command("import_devices", "--tenant", "accuhive", *files)
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.startswith("60 rows in ")
    assert "30 devices created, 0 updated, 0 unchanged; 0 rows skipped; " in output.out
    assert tenant.devices.filter(inventory__isnull=False).count() == 30
    event = AuditEvent.objects.get(summary="Devices imported")
    assert (event.actor_name, event.target_type) == ("manage.py import_devices", "tenant")
    call_command("import_devices", "--tenant", "accuhive", *reversed(files))
    assert "0 devices created, 0 updated, 30 unchanged" in capsys.readouterr().out


def test_invalid_rows_are_reported_with_file_and_line(
    tenant: Tenant, tmp_path: Path, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad"
    path.write_text('{"device_id": 1}\n[]\n{"device_id": oops}\n', encoding="utf-8")
    call_command("import_devices", "--tenant", "accuhive", str(path), *files)
    output = capsys.readouterr()
    assert output.err.splitlines() == [
        f"{path}:1: device_id is not a UUID: 1",
        f"{path}:2: not a JSON object",
        f"{path}:3: broken JSON: Expecting value (column 15)",
    ]
    assert "30 devices created" in output.out
    assert "3 rows skipped" in output.out


def test_a_reason_of_many_rows_is_one_line(tenant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad"
    path.write_text("[" + ",\n".join(["1"] * 57) + "]", encoding="utf-8")
    with pytest.raises(CommandError, match=r"^Nothing was imported\.$"):
        call_command("import_devices", "--tenant", "accuhive", str(path))
    assert capsys.readouterr().err.splitlines() == [f"{path}:1: not a JSON object (and 56 more like it)"]


def test_columns_that_are_unknown_or_missing_are_one_line_each(
    tenant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.csv"
    rows = "".join(f"Mac {number},C02{number},Mac,red,1\n" for number in range(3))
    path.write_text(f"Device Name,Serial Number,Platform,Colour,Size\n{rows}", encoding="utf-8")
    with pytest.raises(CommandError, match=r"^Nothing was imported\.$"):
        call_command("import_devices", "--tenant", "accuhive", str(path))
    assert capsys.readouterr().err.splitlines() == [
        f"{path}: columns not imported: Colour, Size",
        f"{path}:2: blueprint_name is missing (and 2 more like it)",
    ]


def test_a_report_without_a_known_column_changes_nothing(tenant: Tenant, files: list[str], tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text("Colour,Size\nred,1\n", encoding="utf-8")
    with pytest.raises(CommandError, match="neither JSON nor a CSV with a column Serial Number or Device ID"):
        call_command("import_devices", "--tenant", "accuhive", *files, str(path))
    assert not tenant.devices.exists()


def test_a_tenant_that_does_not_exist(files: list[str]) -> None:
    with pytest.raises(CommandError, match=r"^There is no tenant 'nobody'\.$"):
        call_command("import_devices", "--tenant", "nobody", *files)


def test_a_file_that_cannot_be_read_changes_nothing(tenant: Tenant, files: list[str], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"missing: No such file or directory$"):
        call_command("import_devices", "--tenant", "accuhive", *files, str(tmp_path / "missing"))
    assert not tenant.devices.exists()
