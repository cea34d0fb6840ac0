"""The upgrade under load: `uv run --dev python -m tests.upgrade.drill`, a table on standard output.

The earlier version (tests/upgrade/<version>, with its own code and environment) serves its data behind nginx with
deploy/nginx.conf, and 20 requests a second arrive. Then, in the order of docs/upgrading.md: this version starts with
`serve --wait-for-migrations` on another port, nginx leads to it, the earlier version stops, and `migrate` runs. The
exit status is 0 only without an answer from 500 on, and with every acknowledged change in the database.

With `--serve-on` the earlier version serves until `migrate` has ended. It shows why requests have to wait.
"""

import argparse
import itertools
import lzma
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg

from tests.browser.servers import free_port
from tests.deploy import nginx
from tests.processes import status
from tests.scratch import scratch
from tests.upgrade.data import HERE, VERSIONS, Installation, read
from tests.upgrade.make import ROOT, answers, checked_out, foreign, settings_of

HOST = f"accuhive.api.{nginx.DOMAIN}"
NAME = {"sni_hostname": HOST}  # the name that the certificate has to be for
WAIT = 300  # seconds of --wait-for-migrations: a busy machine takes minutes for the 60 migrations since 9e52157


class Outcome(NamedTuple):
    kind: str
    status: int  # 0: no answer
    start: float
    seconds: float


class Load:
    """Requests at a steady rate, whatever the server does: each has a thread of its own."""

    def __init__(self, proxy: nginx.Nginx, installation: Installation, rate: float) -> None:
        self._client = httpx.Client(
            base_url=f"https://127.0.0.1:{proxy.tls}",
            headers={"Host": HOST, "Authorization": f"Bearer {installation.expected['token']}"},
            verify=proxy.trust(),
            timeout=WAIT + 30,
            # One connection for each request: one that nginx closes just as it is used again says nothing here.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )
        devices = self._client.get("/api/v1/devices", extensions=NAME).json()
        # The earlier version answers 503 when a note and a change of the same device wait for each other's locks.
        self._changed, self._noted = (f"/api/v1/devices/{devices[number]['device_id']}" for number in (0, 1))
        self._rate = rate
        self.begun = time.monotonic()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(2000)
        self._results: list[Future[Outcome]] = []
        self.notes: list[str] = []  # those that were acknowledged
        self.errors: list[str] = []  # of requests without an answer, with the second of their start
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def outcomes(self) -> list[Outcome]:
        return [result.result() for result in self._results]

    def _run(self) -> None:
        for number in itertools.count():
            if self._over.wait(max(0.0, self.begun + number / self._rate - time.monotonic())):
                return
            self._results.append(self._pool.submit(self._call, number))

    def _call(self, number: int) -> Outcome:
        text = f"Note {number}"
        kind, method, path, body = (
            ("list", "GET", "/api/v1/devices?limit=10", None),
            ("device", "GET", self._changed, None),
            ("details", "GET", f"{self._noted}/details", None),
            ("change", "PATCH", self._changed, {"asset_tag": f"TAG-{number}"}),
            ("note", "POST", f"{self._noted}/notes", {"content": text}),
        )[number % 5]
        start = time.monotonic()
        try:
            status = self._client.request(method, path, json=body, extensions=NAME).status_code
        except httpx.HTTPError as error:
            self.errors.append(f"{kind} {type(error).__name__} at {start - self.begun:.0f} s")
            status = 0
        if kind == "note" and status < 300 and status:
            self.notes.append(text)
        return Outcome(kind, status, start, time.monotonic() - start)


@contextmanager
def database(version: str, vendor: str, directory: Path) -> Iterator[str]:
    """The URL of a database with the data of that version."""
    if vendor == "sqlite":
        file = directory / "db.sqlite3"
        file.write_bytes(lzma.decompress((HERE / version / "sqlite.xz").read_bytes()))
        yield f"sqlite:///{file}"
        return
    with scratch("postgres") as socket:
        with psycopg.connect(host=str(socket), user="postgres", dbname="postgres", autocommit=True) as client:
            client.execute("CREATE DATABASE iru")
        with psycopg.connect(host=str(socket), user="postgres", dbname="iru", autocommit=True) as client:
            client.execute(lzma.decompress((HERE / version / "postgresql.sql.xz").read_bytes()))
        yield f"postgres:///iru?user=postgres&host={socket}"


def environment(tree: Path, keys: dict[str, str], url: str, files: Path) -> dict[str, str]:
    """The settings of a version behind the proxy."""
    return settings_of(tree, keys, url) | {
        "IRU_DOMAIN": nginx.DOMAIN,
        "IRU_SCHEME": "https",
        "IRU_WEB_HOSTS": nginx.DOMAIN,
        "IRU_BARE_API_HOSTS": "127.0.0.1",
        "IRU_TRUSTED_PROXIES": "127.0.0.1",
        "STATIC_ROOT": str(files / "static"),
        "IRU_FILES_DIR": str(files / "files"),
    }


@contextmanager
def server(tree: Path, python: str, settings: dict[str, str], port: int, *arguments: str) -> Iterator[Any]:
    """A server of the version in `tree`, which listens on that port."""
    if (tree / "access/management/commands/serve.py").exists():
        command = [python, "manage.py", "serve", "--processes", "2", "--port", str(port), *arguments]
    else:  # as its README says
        command = [str(Path(python).with_name("granian")), "--interface", "wsgi", "--blocking-threads", "4"]
        command += ["--workers", "2", "--host", "127.0.0.1", "--port", str(port), "iru.wsgi:application"]
    with (Path(settings["STATIC_ROOT"]).parent / f"log-{port}").open("wb") as log:
        process = subprocess.Popen(command, cwd=tree, env=settings, stdout=log, stderr=log)
    try:
        yield process
    finally:
        stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def manage(settings: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    run = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {run.stdout}{run.stderr}")
    return run.stdout.strip()


def until(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("A server did not start.")
        time.sleep(0.1)


def drill(version: str, tree: Path, vendor: str, options: argparse.Namespace) -> bool:
    """Run the drill on one database, and print its lines of the table."""
    with tempfile.TemporaryDirectory(prefix="iru-drill-") as name, database(version, vendor, Path(name)) as url:
        place, installation = Path(name), read(version, vendor)
        folders = [place / "old", place / "new", place / "nginx"]
        for folder in folders:
            folder.mkdir()
        place.chmod(0o755)
        old = environment(tree, installation.keys, url, folders[0])
        new = environment(ROOT, installation.keys, url, folders[1])
        command = [str(tree / ".venv/bin/python"), "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
        subprocess.run(command, cwd=tree, env=old, check=True)
        manage(new, "collectstatic", "--no-input", "--verbosity", "0")
        ports = free_port(), free_port()
        with (
            server(tree, str(tree / ".venv/bin/python"), old, ports[0]) as earlier,
            nginx.serving(folders[2], ports[0]) as (proxy, process),
        ):
            until(lambda: answers(ports[0]))
            with Load(proxy, installation, options.rate) as load:
                time.sleep(options.before)
                arguments = () if options.serve_on else ("--wait-for-migrations", str(WAIT))
                if options.serve_on:
                    migrated = timed(lambda: manage(new, "migrate", "--no-input", "--verbosity", "0"))
                with server(ROOT, sys.executable, new, ports[1], *arguments):
                    until(lambda: status(ports[1], "/healthz") == 200)
                    switched = time.monotonic()
                    proxy.write(ports[1], read_timeout=WAIT + 10)
                    process.send_signal(signal.SIGHUP)
                    time.sleep(1)  # until nginx has read it
                    stop(earlier)
                    if not options.serve_on:
                        migrated = timed(lambda: manage(new, "migrate", "--no-input", "--verbosity", "0"))
                    waited = time.monotonic() - switched
                    time.sleep(options.after)
                    load.__exit__()
                    outcomes = load.outcomes()
                    trails = manage(new, "verify_audit")
                    stored = manage(new, "shell", "--no-imports", "-c", NOTES)
            if load.errors:
                print(f"{vendor}: without an answer (the switch was at {switched - load.begun:.0f} s): {load.errors}")
        return report(vendor, outcomes, migrated, waited, set(load.notes) - set(stored.splitlines()), trails)


NOTES = "from devices.models import DeviceNote\nfor note in DeviceNote.objects.all(): print(note.content)"


def timed(work: Any) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def report(vendor: str, outcomes: list[Outcome], migrated: float, waited: float, lost: set[str], trails: str) -> bool:
    statuses = Counter(outcome.status for outcome in outcomes)
    failed = sum(count for status, count in statuses.items() if not 200 <= status < 500)
    slowest = max(outcome.seconds for outcome in outcomes)
    print(f"{vendor}: {len(outcomes)} requests, {dict(sorted(statuses.items()))}, {failed} failed")
    print(f"  migrate {migrated:.1f} s; switch to migrated {waited:.1f} s; slowest answer {slowest:.1f} s")
    print(f"  acknowledged notes lost: {len(lost)}; verify_audit: {trails.splitlines()[-1] if trails else 'clean'}")
    if failed:
        kinds = Counter((outcome.kind, outcome.status) for outcome in outcomes if not 200 <= outcome.status < 500)
        print(f"  failed by kind and status: {dict(sorted(kinds.items()))}")
    return not failed and not lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--version", default=VERSIONS[-1], choices=VERSIONS)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="one alone")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--before", type=float, default=5.0, help="seconds of load before the upgrade")
    parser.add_argument("--after", type=float, default=10.0, help="and after it")
    parser.add_argument("--serve-on", action="store_true", help="the earlier version serves during `migrate`")
    options = parser.parse_args()
    if nginx.program() is None:
        raise SystemExit("The drill needs nginx (in Debian: apt-get install nginx-light).")
    for name in set(os.environ) - set(foreign({})):
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="iru-upgrade-") as directory:
        tree = checked_out(options.version, Path(directory) / "tree")
        vendors = [options.database] if options.database else ["sqlite", "postgresql"]
        results = [drill(options.version, tree, vendor, options) for vendor in vendors]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
