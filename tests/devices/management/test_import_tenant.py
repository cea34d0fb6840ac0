"""Our own server is a tenant like any: one is copied into another, and both must answer the same."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from pytest_django.live_server_helper import LiveServer

from access.audit.events import Actor
from access.models import AuditEvent, Tenant
from access.people.tenants import create_tenant
from access.permissions import catalogue
from devices.demo.fleet import load_demo_fleet
from devices.fleet import records
from devices.imports.tenant import client as tenant_import_client
from devices.imports.tenant.client import TenantImportError
from devices.imports.tenant.copy import Watcher
from tests.factories.access import ApiTokenFactory

# The copy itself is tested on both databases by tests/devices/imports/tenant; this is the command.
pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

ROUTING = ("blueprint-routing/", "blueprint-routing/activity?limit=300")
LIBRARY = ("library/custom-profiles", "library/custom-scripts", "self-service/categories")
PARTS = ("", "details", "apps", "library-items", "parameters", "status", "notes")


@pytest.fixture(autouse=True)
def pace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_import_client, "RATE", 10_000)


@pytest.fixture
def device_count() -> int:
    """A small number: the test makes dozens of calls for every device."""
    return 12


@pytest.fixture
def tenants(live_server: LiveServer, device_count: int) -> tuple[Tenant, Tenant]:
    """One with the demo fleet, and one with nothing."""
    actor = Actor.command("test")
    source, target = (create_tenant(name=name.title(), subdomain=name, actor=actor) for name in ("source", "target"))
    load_demo_fleet(tenant=source, actor=actor, count=device_count)
    # `answers` makes its calls one after the other: on a quiet machine that is more than 50 a second.
    Tenant.objects.update(calls_per_second=1000)
    return source, target


@pytest.fixture
def api_url(live_server: LiveServer) -> str:
    return f"{live_server.url}/api/v1"


@pytest.fixture
def token_file(tenants: tuple[Tenant, Tenant], tmp_path: Path) -> Path:
    return written(tmp_path, tenants[0])


def written(folder: Path, tenant: Tenant, without: str = "") -> Path:
    """A file with a token that may read everything, or everything but one operation."""
    permissions = [permission.codename for permission in catalogue if permission.method == "GET"]
    token = ApiTokenFactory.create(tenant=tenant, permissions=[name for name in permissions if name != without])
    path = folder / f"token {tenant.subdomain}"
    path.write_text(f"{token.secret}\n")
    return path


def run(api_url: str, token_file: Path, *options: str) -> None:
    call_command("import_tenant", "--tenant=target", f"--api-url={api_url}", f"--token-file={token_file}", *options)


def answers(api_url: str, token_file: Path, parts: tuple[str, ...] = PARTS) -> dict[str, Any]:
    """Everything that a copy is about, as a tenant's API answers it."""
    with httpx.Client(headers={"Authorization": f"Bearer {token_file.read_text().strip()}"}) as client:

        def get(path: str) -> Any:
            response = client.get(f"{api_url}/{path}")
            assert response.status_code == 200, path
            return response.json()

        found = {path: get(path) for path in ("devices", "blueprints", "users?sizePerPage=300", "tags", *ROUTING)}
        devices = [device["device_id"] for device in found["devices"]]
        blueprints = [blueprint["id"] for blueprint in found["blueprints"]["results"]]
        paths = [
            *LIBRARY,
            *(f"devices/{device}/{part}" for device in devices for part in parts),
            *(f"blueprints/{blueprint}/list-library-items" for blueprint in blueprints),
        ]
        return found | {path: get(path) for path in paths}


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    """Without the order of lists that follow the order in which rows were written."""
    found["devices"] = sorted(found["devices"], key=lambda row: row["device_id"])
    for row in found.get(ROUTING[1], {}).get("results", ()):
        del row["id"]
    for path, answer in found.items():
        if path.startswith("devices/") and path.endswith(("/library-items", "/status")):
            # Each server has its own row ids. Nodes of a map are not copied, so items that they make pending differ.
            rows = [row for row in answer["library_items"] if row["reported_at"]]
            answer["library_items"] = [{key: row[key] for key in row.keys() - {"id"}} for row in rows]
    users = found["users?sizePerPage=300"]
    users["results"] = sorted(users["results"], key=lambda row: row["id"])
    return found


@pytest.mark.parametrize("device_count", [60])  # enough for at least one device of each kind
def test_a_copy_answers_like_its_source(
    tenants: tuple[Tenant, Tenant],
    device_count: int,
    api_url: str,
    token_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, target = tenants
    run(api_url, token_file)
    output = capsys.readouterr()
    assert f"devices: {device_count} created, 0 updated, 0 unchanged" in output.out
    assert "without" not in output.out
    # Objects that cannot be copied are reported, and the copy continues.
    # A slow machine reports its progress, too.
    lines = [line for line in output.err.splitlines() if not line.endswith(" devices are kept")]
    reported = [re.sub(r"^ADE .*?: ", "ADE: ", line) for line in lines]
    assert sorted(reported) == [
        "ADE: its server token cannot be copied: renew it here with a new one (and 1 more like it)",
        "Custom Apps: their files and settings are not copied, only their names (and 1 more like it)",
    ]
    assert comparable(answers(api_url, written(tmp_path, target))) == comparable(answers(api_url, token_file))
    assert target.library_items.count() == source.library_items.count()
    assert {row.type for row in target.library_items.all()} == {row.type for row in source.library_items.all()}
    assert not list(records.outdated(target.devices.values_list("pk", flat=True)))
    assert token_file.read_text().strip() not in output.out + output.err

    before = AuditEvent.objects.count()
    run(api_url, token_file)
    assert f"devices: 0 created, 0 updated, {device_count} unchanged" in capsys.readouterr().out
    assert AuditEvent.objects.count() == before


def test_the_past_and_the_secrets_come_where_they_are_asked_for(
    tenants: tuple[Tenant, Tenant],
    device_count: int,
    api_url: str,
    token_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, target = tenants
    read = AuditEvent.objects.filter(tenant=source, summary__endswith=" read")
    run(api_url, token_file)
    assert not target.device_commands.exists()
    assert not target.device_secrets.exists()
    assert not read.exists()

    state = tmp_path / "state"
    run(api_url, token_file, f"--resume-file={state}", "--also", "commands", "activity", "secrets")
    for rows in ("device_commands", "device_activity", "device_secrets"):
        assert getattr(target, rows).count() == getattr(source, rows).count() > 0
    # Each Mac's are four answers, and each is on record where it was given.
    assert read.count() == device_count * 4
    target_file = written(tmp_path, target)
    kept = [answers(api_url, file, ("commands", "secrets/filevaultkey")) for file in (token_file, target_file)]
    assert comparable(kept[0]) == comparable(kept[1])
    half = tmp_path / "half"
    half.write_text(state.read_text().splitlines()[0] + "\n")
    with pytest.raises(CommandError, match="belongs to another copy"):
        run(api_url, token_file, f"--resume-file={half}")
    capsys.readouterr()
    run(api_url, token_file, "--also", "commands", "activity", "secrets")
    assert f"devices: 0 created, 0 updated, {device_count} unchanged" in capsys.readouterr().out


def test_secrets_that_the_token_may_not_read_are_left_out(
    tenants: tuple[Tenant, Tenant], api_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tenants
    run(api_url, written(tmp_path, source, without="get_recovery_lock_password"), "--also", "secrets")
    output = capsys.readouterr()
    assert "secrets/recoverypassword: not copied, the token lacks the permission" in output.err
    assert "without secrets/recoverypassword." in output.out
    assert target.device_secrets.filter(kind="filevault_key").exists()
    assert not target.device_secrets.filter(kind="recovery_password").exists()


def test_a_part_that_the_token_may_not_read_is_left_out(
    tenants: tuple[Tenant, Tenant], device_count: int, api_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tenants
    run(api_url, written(tmp_path, source, without="list_device_notes"))
    output = capsys.readouterr()
    assert "notes: not copied, the token lacks the permission Device notes (GET /api/v1/devices/{device_id}/notes)" in (
        output.err.splitlines()
    )
    assert "without notes." in output.out
    assert target.devices.count() == device_count
    assert source.device_notes.exists()
    assert not target.device_notes.exists()


def test_an_unknown_token_is_reported_in_one_line(tenants: tuple[Tenant, Tenant], api_url: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("00000000-0000-4000-8000-000000000000")
    with pytest.raises(CommandError, match=r"refused the token \(401\)"):
        run(api_url, path)


def test_a_resume_file_begins_anew_after_a_whole_copy(
    tenants: tuple[Tenant, Tenant],
    device_count: int,
    api_url: str,
    token_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = tmp_path / "state"
    run(api_url, token_file, f"--resume-file={state}")
    lines = [json.loads(line) for line in state.read_text().splitlines()]
    assert lines[0] == {"source": api_url, "target": "target"}
    assert lines[-1] == {"finished": True}
    assert sum("device" in line for line in lines) == device_count
    run(api_url, token_file, f"--resume-file={state}")
    assert "finished before" not in capsys.readouterr().out


@pytest.mark.parametrize("stop", [TenantImportError("The tenant is away."), KeyboardInterrupt()])
def test_an_interrupted_copy_says_how_much_is_kept(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    def interrupted(*, watcher: Watcher, **options: Any) -> None:
        watcher.devices(20, 1060)
        raise stop

    create_tenant(name="Target", subdomain="target", actor=Actor.command("test"))
    monkeypatch.setattr("devices.management.commands.import_tenant.import_tenant", interrupted)
    path = tmp_path / "token"
    path.write_text("token")
    with pytest.raises(CommandError) as stopped:
        run("https://source.api.iru.test/api/v1", path, f"--resume-file={tmp_path / 'state'}")
    assert str(stopped.value) == (
        f"{str(stop) or 'Stopped.'} 20 of 1,060 devices are kept with all that was asked about them. "
        "Run the same again to go on there."
    )


@pytest.mark.parametrize("text", ["", "two words", "a\nb", "tökén"])
def test_a_file_without_a_token(db: None, tmp_path: Path, text: str) -> None:
    create_tenant(name="Target", subdomain="target", actor=Actor.command("test"))
    path = tmp_path / "token"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match="one token is expected"):
        run("https://source.api.iru.test/api/v1", path)


def test_what_the_command_is_given(db: None, tmp_path: Path) -> None:
    path = tmp_path / "token"
    with pytest.raises(CommandError, match="no tenant 'target'"):
        run("https://source.api.iru.test/api/v1", path)
    create_tenant(name="Target", subdomain="target", actor=Actor.command("test"))
    with pytest.raises(CommandError, match="No such file"):
        run("https://source.api.iru.test/api/v1", path)
    path.write_text("token")
    with pytest.raises(CommandError, match="must begin with https://"):
        run("http://source.api.iru.test/api/v1", path)
    with pytest.raises(CommandError, match="from 1 to"):
        run("https://source.api.iru.test/api/v1", path, "--workers=0")
