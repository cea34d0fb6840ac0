"""A fleet moves from one tenant to another in files of API answers, and is the same there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from access.audit.events import Actor
from access.models import AuditEvent, Tenant
from access.permissions import catalogue
from devices.demo.fleet import load_demo_fleet
from devices.models import DeviceActivity, DeviceCommand, DeviceSecret, LostMode
from tests.factories.access import ApiTokenFactory
from tests.types import Call

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

DEVICES = 40
LISTS = ("details", "apps", "library-items", "parameters", "notes", "commands?limit=300", "activity?limit=300")
SECRETS = tuple(f"secrets/{kind}" for kind in ("bypasscode", "filevaultkey", "unlockpin", "recoverypassword"))
LOST = "details/lostmode"

type Get = Callable[[str], Any]


@pytest.fixture
def source(tenant: Tenant) -> Tenant:
    load_demo_fleet(tenant=tenant, actor=Actor.command("test"), count=DEVICES)
    return tenant


def reader(api: Call, tenant: Tenant) -> Get:
    token = ApiTokenFactory.create(tenant=tenant, permissions=[each.codename for each in catalogue])

    def get(path: str) -> Any:
        response = api("GET", f"/api/v1/{path}", token)
        lost = (
            not path.endswith(LOST)
            or LostMode.objects.filter(device__tenant=tenant, device__uuid=path.split("/")[1]).exists()
        )
        assert response.status_code == (200 if lost else 400), path
        return response.json()

    return get


def answers(get: Get) -> dict[str, Any]:
    listed = get("devices")
    return {"devices": listed} | {
        f"devices/{device['device_id']}/{part}": get(f"devices/{device['device_id']}/{part}")
        for device in listed
        for part in (*LISTS, *SECRETS, LOST)
    }


def files(found: dict[str, Any], folder: Path) -> Iterator[str]:
    """As `curl` and `jq` would write them: the list in one file, and of everything else one file with a line each."""
    for number, part in enumerate((*LISTS, *SECRETS, LOST)):
        lines = []
        for device in found["devices"]:
            answer = found[f"devices/{device['device_id']}/{part}"]
            if part == "notes":
                answer = {"notes": answer}
            if isinstance(answer, dict):
                lines.append(json.dumps({"device_id": device["device_id"], **answer} if part != "details" else answer))
        path = folder / str(number)
        path.write_text("\n".join(lines))
        yield str(path)
    path = folder / "devices"
    path.write_text(json.dumps(found["devices"]))
    yield str(path)


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """Without what each tenant numbers itself."""
    for path, answer in found.items():
        if "/activity" in path:
            for row in answer["activity"]["results"]:
                del row["id"]
        if path.endswith("/library-items"):
            # The files do not have the nodes of a map, so items that are pending because of a node differ.
            rows = [row for row in answer["library_items"] if row["reported_at"]]
            answer["library_items"] = [{key: row[key] for key in row.keys() - {"id"}} for row in rows]
    found["devices"].sort(key=lambda device: device["device_id"])
    return found


def test_an_export_imported_into_another_tenant_answers_the_same(
    api: Call, source: Tenant, other_tenant: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answers(reader(api, source))
    paths = list(files(found, tmp_path))
    call_command("import_devices", "--tenant", other_tenant.subdomain, *paths)
    output = capsys.readouterr()
    assert (output.err, " 0 rows skipped" in output.out) == ("", True)
    assert comparable(answers(reader(api, other_tenant))) == comparable(found)
    for model in (DeviceActivity, DeviceCommand, DeviceSecret, LostMode):
        rows = [model.objects.filter(device__tenant=each).count() for each in (source, other_tenant)]
        assert rows[0] == rows[1] > 0
    assert not other_tenant.device_commands.unfinished().exists()

    events = AuditEvent.objects.count()
    call_command("import_devices", "--tenant", other_tenant.subdomain, *paths)
    assert f"0 devices created, 0 updated, {DEVICES} unchanged; 0 rows skipped" in capsys.readouterr().out
    assert AuditEvent.objects.count() == events
