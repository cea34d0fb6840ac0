"""A server over HTTPS, as published clients insist on it, and environments of their own for those clients."""

import datetime
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests import migrated
from tests.browser.servers import OWN_SETTINGS, free_port
from tests.clients import NO_PACKAGES

OTHER_HOST = "accuhive.api.kandji.io"
ROOT = Path(__file__).resolve().parents[2]
SET_UP = """
from access.audit.events import Actor
from access.people.tenants import create_tenant
from devices.demo.fleet import load_demo_fleet
actor = Actor.command("test")
load_demo_fleet(tenant=create_tenant(name="Accuhive", subdomain="accuhive", actor=actor), actor=actor, count=30)
"""
# Some clients call no host but the vendor's, on the port of https.
ROUTE = """
import os, socket
from urllib.parse import urlsplit

def route(host):
    port, look_up = urlsplit(os.environ["URL"]).port, socket.getaddrinfo
    def routed(name, service, *rest, **more):
        if name == host:
            return look_up("127.0.0.1", port, *rest, **more)
        return look_up(name, service, *rest, **more)
    socket.getaddrinfo = routed

"""


@dataclass(frozen=True, slots=True)
class Service:
    url: str
    certificate: Path
    token: str
    environment: dict[str, str]  # of the server, for management commands beside it


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("https")
    certificate, key = _self_signed(directory)
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)} | {
        "IRU_ENV_FILE": "/dev/null",
        "STATIC_STORAGE": "django.contrib.staticfiles.storage.StaticFilesStorage",
        "DATABASE_URL": f"sqlite:///{directory / 'db.sqlite3'}",
        "SECRET_KEY": "clients",
        "IRU_TOKEN_KEYS": "1:" + "1" * 64,
        "IRU_SECRET_KEYS": "1:" + "2" * 64,
        "IRU_AUDIT_KEY": "clients",
        "IRU_DOMAIN": "iru.com",  # the vendor's own client calls no other
        "IRU_WEB_HOSTS": "localhost",
        # The README's way for clients that build the address from the vendor's other domain.
        "IRU_BARE_API_HOSTS": f"localhost,{OTHER_HOST}",
        "IRU_PORT": str(port),
        "IRU_FILES_DIR": str(directory / "files"),
    }

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    if not migrated.copied_to(directory / "db.sqlite3"):
        manage("migrate", "-v0")
    manage("shell", "--no-imports", "-v0", "-c", SET_UP)
    token = manage("api_token", "create", "--tenant", "accuhive", "--name", "client", "--permissions", "all")
    serve = ("serve", "--port", str(port), "--certificate", certificate, "--key", key)
    # The worker checks the uploads of the clients.
    processes = [
        subprocess.Popen([sys.executable, "manage.py", *command], cwd=ROOT, env=environment)
        for command in (serve, ("worker",))
    ]
    try:
        url = f"https://localhost:{port}"
        _wait(url, certificate)
        yield Service(url, certificate, token, environment)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


@pytest.fixture
def client_script(service: Service) -> Callable[..., str]:
    """`client_script("irusdk==0.4.2", code)`: what the code prints, run where nothing but that package is installed.

    The code may use `route`, a function that leads the host of its argument to the server under test.
    """

    def run(package: str, code: str) -> str:
        uv = installer()
        if uv is None:
            pytest.skip("uv is not here to make the client's environment")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN_SETTINGS)}
        environment |= {"URL": service.url, "TOKEN": service.token}
        # For the client alone: the installer that trusts nothing but this certificate reaches no package index.
        trust = [f"{name}={service.certificate}" for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")]
        command = [uv, "run", "--isolated", "--no-project", "--with", package]
        command += ["env", *trust, "python", "-c", ROUTE + code]
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if "Failed to fetch" in result.stderr or "Could not connect" in result.stderr:
            pytest.skip(NO_PACKAGES)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def installer() -> str | None:
    return os.environ.get("UV") or shutil.which("uv")


def _self_signed(directory: Path) -> tuple[Path, Path]:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName(host) for host in ("localhost", "accuhive.api.iru.com", OTHER_HOST)]
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(names),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, key


def _wait(url: str, certificate: Path) -> None:
    context = ssl.create_default_context(cafile=str(certificate))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urlopen(f"{url}/app/v1/ping", timeout=1, context=context):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("The server does not answer.")
