"""The nginx of the machine with the product's example, deploy/nginx.conf, on ports of this machine alone."""

import base64
import hashlib
import os
import re
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.browser.servers import free_port
from tests.processes import wait_for

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "deploy" / "nginx.conf"
DOMAIN = "iru.example.com"  # as in the example
MAIN = """
{user}
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
worker_rlimit_nofile 40000;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/iru.conf;
}}
"""


def program() -> str | None:
    """Debian has it in a directory that is not in the PATH of an ordinary user."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass(slots=True)
class Nginx:
    directory: Path
    plain: int  # the ports
    tls: int

    def write(self, upstream: int, read_timeout: int = 60) -> None:
        """Write its configuration: the example, with these ports and the certificate of this directory."""
        text = EXAMPLE.read_text()
        for old, new in (
            (r"^ *listen \[::\]:.*\n", ""),
            (r"listen 80;", f"listen 127.0.0.1:{self.plain};"),
            (r"listen 443 ssl;", f"listen 127.0.0.1:{self.tls} ssl;"),
            (r"server 127\.0\.0\.1:8000;", f"server 127.0.0.1:{upstream};"),
            (r"proxy_read_timeout 60s;", f"proxy_read_timeout {read_timeout}s;"),
            (r"/etc/ssl/iru", str(self.directory)),
            (r"/var/log/nginx", str(self.directory)),
        ):
            text, count = re.subn(old, new, text, flags=re.MULTILINE)
            assert count, f"{EXAMPLE} has no {old}"
        (self.directory / "iru.conf").write_text(text)
        # Its workers would be another user, who may not open the directories of a test run.
        user = "user root;" if os.geteuid() == 0 else ""
        (self.directory / "nginx.conf").write_text(MAIN.format(directory=self.directory, user=user))

    def command(self, *arguments: str) -> list[str]:
        return [str(program()), "-p", str(self.directory), "-c", str(self.directory / "nginx.conf"), *arguments]

    @property
    def fingerprint(self) -> str:
        """Of the public key of its certificate, as Chromium takes it for one that it is to accept."""
        certificate = x509.load_pem_x509_certificate((self.directory / "fullchain.pem").read_bytes())
        key = certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(hashlib.sha256(key).digest()).decode()

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.directory / "ca.pem"))


def prepared(directory: Path, upstream: int) -> Nginx:
    """The configuration and the certificate in an empty directory."""
    make_certificate(directory)
    nginx = Nginx(directory, free_port(), free_port())
    nginx.write(upstream)
    return nginx


@contextmanager
def serving(directory: Path, upstream: int) -> Iterator[tuple[Nginx, "subprocess.Popen[bytes]"]]:
    nginx = prepared(directory, upstream)
    process = subprocess.Popen(nginx.command())
    try:
        wait_for((directory / "nginx.pid").exists, 10)
        yield nginx, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def make_certificate(directory: Path) -> None:
    """An authority of its own (ca.pem), and its certificate for the names of the example."""
    authority_key, authority = _signed("Test authority", None, None)
    key, certificate = _signed(DOMAIN, authority_key, authority)
    (directory / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (directory / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (directory / "privkey.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    (directory / "privkey.pem").chmod(0o600)


def _signed(
    name: str, issuer_key: ec.EllipticCurvePrivateKey | None, issuer: x509.Certificate | None
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key((issuer_key or key).public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        names = [x509.DNSName(name) for name in (DOMAIN, f"*.api.{DOMAIN}", f"*.mdm.{DOMAIN}")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    else:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    return key, builder.sign(issuer_key or key, hashes.SHA256())
