"""Makes the data of a version for the upgrade tests: `uv run --dev python -m tests.upgrade.make <tag or commit>`.

The version's own code makes it, in a copy of its tree with its own environment: the tenant of its quick start, a small
demo fleet, tokens, a change, a note, a secret that was read, and the audit events of all that.
"""

import json
import lzma
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.browser.servers import OWN_SETTINGS, free_port
from tests.scratch import postgres_programs, scratch

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
DROPPED = (*OWN_SETTINGS, "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
DEVICES, COMPLETE, SIMULATED = 40, 8, 2
FLEET = f"""
try:
    from devices.demo.fleet import load_demo_fleet
    from access.audit.events import Actor
except ImportError:
    from devices.services.demo import load_demo_fleet
    from access.services.audit import Actor
from access.models import Tenant
from inspect import signature
named = "complete" if "complete" in signature(load_demo_fleet).parameters else "thorough"
load_demo_fleet(tenant=Tenant.objects.get(), actor=Actor.command("demo"), count={DEVICES}, **{{named: {COMPLETE}}})
"""


def main(revision: str, name: str = "") -> None:
    """Write `<name>/sqlite.xz`, `postgresql.sql.xz` and `expected.json`; `name` is the revision by default."""
    place = HERE / (name or revision)
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="iru-upgrade-") as directory:
        tree = checked_out(revision, Path(directory) / "tree")
        keys = {
            "SECRET_KEY": secrets.token_urlsafe(48),
            "IRU_TOKEN_KEYS": f"1:{secrets.token_hex(32)}",
            "IRU_SECRET_KEYS": f"1:{secrets.token_hex(32)}",
            "IRU_AUDIT_KEY": secrets.token_hex(32),
        }
        expected: dict[str, Any] = {"revision": revision, "keys": keys}
        database = Path(directory) / "db.sqlite3"
        expected["sqlite"] = filled(tree, keys, f"sqlite:///{database}")
        (place / "sqlite.xz").write_bytes(lzma.compress(copied(database), preset=9))
        with scratch("postgres") as socket:
            expected["postgresql"] = filled(tree, keys, f"postgres:///postgres?user=postgres&host={socket}")
            (place / "postgresql.sql.xz").write_bytes(lzma.compress(dumped(socket), preset=9))
        (place / "expected.json").write_text(json.dumps(expected, indent=4) + "\n")


def checked_out(revision: str, tree: Path) -> Path:
    """The tree of a revision of this repository, with the environment that its lock file describes."""
    tree.mkdir()
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=tree, input=archive, check=True)
    subprocess.run(
        ["uv", "sync", "--quiet", "--locked", "--no-dev", "--compile-bytecode"], cwd=tree, env=foreign({}), check=True
    )
    return tree


def foreign(settings: dict[str, str]) -> dict[str, str]:
    """The environment of a process of that version: none of our own settings, and no environment of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    return kept | settings


def settings_of(tree: Path, keys: dict[str, str], url: str) -> dict[str, str]:
    """The settings of an installation of that version at http://localhost."""
    own = {
        "IRU_ENV_FILE": os.devnull,
        "DATABASE_URL": url,
        "IRU_DOMAIN": "localhost",
        "IRU_SCHEME": "http",
        "IRU_WEB_HOSTS": "localhost,127.0.0.1",
        "IRU_BARE_API_HOSTS": "localhost,127.0.0.1",
        "EMAIL_URL": "memorymail://",
        "STATIC_ROOT": str(tree / "var/static"),
        "IRU_FILES_DIR": str(tree / "var/files"),
    }
    return foreign(own | keys)


def filled(tree: Path, keys: dict[str, str], url: str) -> dict[str, Any]:
    """Fill an empty database, and return the values that have to be there after an upgrade."""
    environment = settings_of(tree, keys, url)

    def manage(*arguments: str) -> str:
        command = [str(tree / ".venv/bin/python"), "manage.py", *arguments]
        return subprocess.check_output(command, cwd=tree, env=environment, text=True).strip()

    with served(tree, environment) as (origin, api):
        manage("shell", "--no-imports", "-c", FLEET)
        create = ("api_token", "create", "--tenant", "accuhive")
        token = manage(*create, "--name", "Inventory", "--permissions", "all")
        gone = manage(*create, "--name", "Former integration", "--permissions", "read-only")
        manage("api_token", "revoke", "--tenant", "accuhive", "Former integration")
        devices = api("GET", "/devices", token)
        device, key = next(
            (device["device_id"], key)
            for device in devices
            if device["platform"] == "Mac"
            and (key := api("GET", f"/devices/{device['device_id']}/secrets/filevaultkey", token)["key"])
        )
        api("PATCH", f"/devices/{device}", token, {"asset_tag": "UPGRADE-1"})
        api("POST", f"/devices/{device}/notes", token, {"content": "Written before the upgrade."})
        enrolled = SIMULATED if (tree / "devices/management/commands/mdm_simulate.py").exists() else 0
        if enrolled:
            simulate = ("mdm_simulate", "--devices", str(enrolled), "--seconds", "40", "--url", origin)
            assert f"{enrolled} of {enrolled} devices are enrolled" in manage(*simulate)
    return {
        "token": token,
        "revoked_token": gone,
        "device": device,
        "filevault_key": key,
        "asset_tag": "UPGRADE-1",
        "note": "Written before the upgrade.",
        "devices": len(devices) + enrolled,
        "enrolled": enrolled,
    }


@contextmanager
def served(tree: Path, environment: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Inside, the quick start of that version runs without a fleet: its address, and a function that calls its API."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    command = [str(tree / ".venv/bin/python"), "manage.py", "quickstart", "--no-fleet", "--port", str(port)]
    process = subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL)

    def api(method: str, path: str, token: str, body: Any = None) -> Any:
        request = Request(
            f"{origin}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urlopen(request, timeout=20) as answer:
            return json.load(answer)

    try:
        deadline = time.monotonic() + 120
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("The quick start of that version did not answer.")
            time.sleep(0.2)
        yield origin, api
    finally:
        process.send_signal(signal.SIGINT)  # it writes the last use of each token before it ends
        process.wait(60)


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/app/v1/ping", timeout=5):
            return True
    except HTTPError:
        return True
    except OSError:
        return False


def copied(database: Path) -> bytes:
    """The file with the changes that stand in its write-ahead log."""
    copy = database.with_suffix(".copy")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM INTO ?", [str(copy)])
    return copy.read_bytes()


def dumped(socket: Path) -> bytes:
    """The database as statements that any client can send: without the commands of psql that pg_dump adds."""
    command = [str(postgres_programs() / "pg_dump"), "--no-owner", "--inserts", "--rows-per-insert=200"]
    command += ["--host", str(socket), "--username", "postgres", "postgres"]
    text = subprocess.run(command, capture_output=True, check=True).stdout
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"\\"))


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3} or shutil.which("uv") is None:
        raise SystemExit("Usage: uv run --dev python -m tests.upgrade.make <tag or commit> [<name of the directory>]")
    main(*sys.argv[1:])
