"""An installation as README describes it, on this machine alone.

nginx with the product's example, a server and a worker with the settings of production, and in place of Apple's push
service a simulated one, which wakes simulated devices.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from devices.mdm.simulator.apns import SimulatedApns
from devices.mdm.simulator.authority import Authority
from devices.mdm.simulator.transports import Answer, ConnectionCut
from tests import processes
from tests.browser.servers import free_port
from tests.deploy import nginx
from tests.devices.mdm.push.service import Running
from tests.devices.mdm.woken import WokenDevices

START = 120.0  # seconds for the start of a process on a busy machine


@dataclass(frozen=True, slots=True)
class Site:
    """The programs that run, and an HTTP client that finds every name of the domain on this machine."""

    directory: Path
    proxy: nginx.Nginx
    apns: SimulatedApns
    devices: WokenDevices
    client: httpx.Client

    @property
    def web(self) -> str:
        return f"https://{nginx.DOMAIN}:{self.proxy.tls}"

    @property
    def logs(self) -> str:
        """Everything that nginx, the server and the worker have logged."""
        return "".join((self.directory / name).read_text() for name in LOGS)

    def send(self, method: str, host: str, path: str, **options: Any) -> httpx.Response:
        """One request over https, with the certificate of nginx verified for the host."""
        headers = {"Host": host, **options.pop("headers", {})}
        name = {"sni_hostname": host.partition(":")[0]}
        return self.client.request(
            method, f"https://127.0.0.1:{self.proxy.tls}{path}", headers=headers, extensions=name, **options
        )

    def transport(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """How simulated devices reach the server."""
        host = headers.pop("Host")
        try:
            response = self.send(method, host, path, headers=headers, content=body)
        except httpx.HTTPError as error:
            raise ConnectionCut(repr(error)) from error
        return Answer(response.status_code, response.headers, response.content)


LOGS = ("access.log", "error.log", "serve.log", "worker.log")


def collect_static_files(root: str, storage: str) -> None:
    """What `manage.py collectstatic` does, without the start of a process."""
    storages = {**settings.STORAGES, "staticfiles": {"BACKEND": storage}}
    with override_settings(STATIC_ROOT=root, STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0)


@contextmanager
def serving(directory: Path, authority: Authority) -> Iterator[Site]:
    """On the database of the test, which the caller may fill before and during it."""
    devices, port = WokenDevices(), free_port()
    apns = SimulatedApns(devices, authority=authority)
    (directory / "authority.pem").write_bytes(authority.pem)
    with nginx.serving(directory, port) as (proxy, _), Running(apns).listening():
        environment = {
            "IRU_DOMAIN": nginx.DOMAIN,
            "IRU_SCHEME": "https",
            "IRU_PORT": str(proxy.tls),
            "IRU_WEB_HOSTS": nginx.DOMAIN,
            "IRU_BARE_API_HOSTS": "",
            "IRU_TRUSTED_PROXIES": "127.0.0.1",
            "IRU_APNS_URL": f"https://localhost:{apns.port}",
            "IRU_CA_FILE": str(directory / "authority.pem"),
            "STATIC_ROOT": str(directory / "static"),
            "STATIC_STORAGE": "whitenoise.storage.CompressedManifestStaticFilesStorage",
        }
        collect_static_files(environment["STATIC_ROOT"], environment["STATIC_STORAGE"])
        server, worker = (directory / name for name in LOGS[2:])
        with (
            processes.managed("serve", "--port", str(port), output=server, extra=environment),
            processes.managed("worker", output=worker, extra=environment),
            httpx.Client(verify=proxy.trust(), timeout=30) as client,
        ):
            processes.wait_for(lambda: processes.status(port, "/readyz") == 200, START)
            try:
                yield Site(directory, proxy, apns, devices, client)
            finally:
                devices.end()
