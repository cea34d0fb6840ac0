import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from access.models import Tenant
from devices.models import Device
from tests.devices.security.finding_rows import detection_row, threat_row, vulnerability_row
from tests.factories.devices import DeviceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(tenant: Tenant) -> Device:
    return DeviceFactory.create(tenant=tenant)


def command(*arguments: object) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("import_findings", "--tenant", "accuhive", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_files_of_every_form(tenant: Tenant, device: Device, tmp_path: Path) -> None:
    (array := tmp_path / "array.json").write_text(json.dumps([detection_row(device), vulnerability_row()]))
    (lines := tmp_path / "lines.json").write_text(f"{json.dumps(threat_row(device))}\nnot JSON\n")
    page = {"next": None, "previous": None, "results": [detection_row(device, "CVE-2026-2")]}
    (answer := tmp_path / "answer.json").write_text(json.dumps(page))
    out, err = command(array, lines, answer)
    assert "vulnerabilities: 2 created" in out
    assert "1 rows skipped" in out
    assert f"{lines}:2" in err
    assert "nothing is new" in command(array, answer)[0]


def test_the_standard_input(tenant: Tenant, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    text = json.dumps([detection_row(device)]).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert "detections: 1 created" in command("-")[0]


def test_a_full_file_remediates_the_rest(tenant: Tenant, device: Device, tmp_path: Path) -> None:
    (file := tmp_path / "findings.json").write_text(
        json.dumps([detection_row(device), detection_row(device, "CVE-2026-2")])
    )
    command(file)
    file.write_text(json.dumps([detection_row(device)]))
    assert "0 detections remediated" in command(file)[0]
    assert "1 detections remediated" in command(file, "--full")[0]
    file.write_text(json.dumps([detection_row(device, cvss_score="x"), detection_row(device, "CVE-2026-2")]))
    assert "Nothing was marked as remediated" in command(file, "--full")[1]


@pytest.mark.parametrize("text", ["", "[]", "[5]"])
def test_nothing_usable_is_an_error(tenant: Tenant, tmp_path: Path, text: str) -> None:
    (file := tmp_path / "findings.json").write_text(text)
    with pytest.raises(CommandError):
        command(file)


def test_an_unknown_tenant_is_an_error(db: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no tenant"):
        command(tmp_path / "none.json")
