"""A copy that is killed in the middle: what it has read stays, and the same again brings the rest."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from access.audit.events import Actor
from access.models import Tenant
from access.people.tenants import create_tenant
from devices.fleet import records
from devices.imports.tenant.copy import GROUP
from tests.devices.imports.tenant.test_copy import Source
from tests.processes import managed, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

DEVICES = 3 * GROUP
READ = 2 * GROUP + 3  # devices that the source tells about before it stands still


@pytest.fixture
def tenant() -> Tenant:
    return create_tenant(name="Target", subdomain="target", actor=Actor.command("test"))


class Server:
    """A tenant of demo documents, which keeps calls about the devices after the first READ waiting until `go`."""

    def __init__(self) -> None:
        self.source = Source(devices=DEVICES)
        self.go = threading.Event()
        late = {record["device_id"] for record, _ in self.source.pairs[READ:]}
        answers, asked, go = self.source.answers, self.source.asked, self.go

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0].removeprefix("/api/v1/")
                asked.append(path)
                if path.split("/")[1:2] and path.split("/")[1] in late:
                    go.wait(60)
                body = json.dumps(answers.get(path, {"message": "no Route matched with those values"})).encode()
                self.send_response(200 if path in answers else 404)
                self.send_header("Content-Length", str(len(body)))
                with suppress(OSError):  # the copy that asked was killed
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/api/v1"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.go.set()
    server.http.shutdown()
    server.http.server_close()


def test_devices_that_were_read_are_kept(tenant: Tenant, server: Server, tmp_path: Path) -> None:
    token, state = tmp_path / "token", tmp_path / "state"
    token.write_text("token")
    command = ["import_tenant", "--tenant=target", f"--api-url={server.url}", f"--token-file={token}"]
    command.append(f"--resume-file={state}")
    copied = tenant.devices.exclude(inventory__details={}).filter(inventory__isnull=False)

    with managed(*command) as process:
        wait_for(lambda: state.exists() and state.read_text().count('"device"') == 2 * GROUP, 60)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    assert (tenant.devices.count(), copied.count()) == (DEVICES, 2 * GROUP)
    events = tenant.audit_events.filter(summary="Devices imported")
    assert all((event.metadata or {}).get("inventories", 0) <= GROUP for event in events)

    server.go.set()
    server.source.asked.clear()
    with managed(*command, output=tmp_path / "errors") as process:
        assert process.wait(60) == 0
    assert copied.count() == DEVICES
    assert sum(path.endswith("/details") for path in server.source.asked) == DEVICES - 2 * GROUP
    assert not list(records.outdated(tenant.devices.values_list("pk", flat=True)))
