"""TLS with a push certificate."""

import ssl
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from access.outgoing import tls_context
from devices.mdm.push.tls import push_context
from devices.mdm.simulator.authority import Authority
from tests.devices.mdm.push import TOPIC

pytestmark = pytest.mark.sqlite_only  # no database is in it


def test_the_private_key_leaves_no_readable_file(
    authority: Authority, key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    original = ssl.SSLContext.load_cert_chain

    def load(context: ssl.SSLContext, path: Path, **options: Any) -> None:
        seen.append(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
        original(context, path, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", load)
    push_context(authority.issue(key.public_key(), TOPIC), key)
    assert not seen[0].exists()


def test_other_connections_do_not_show_the_certificate(authority: Authority, key: rsa.RSAPrivateKey) -> None:
    certificate = authority.issue(key.public_key(), TOPIC)
    assert len({push_context(certificate, key), push_context(certificate, key), tls_context()}) == 3


def test_a_certificate_of_another_key(authority: Authority, key: rsa.RSAPrivateKey) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(ssl.SSLError):
        push_context(authority.issue(other.public_key(), TOPIC), key)
