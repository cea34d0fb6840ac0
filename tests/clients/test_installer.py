from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.conftest import Service

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]  # about certificates, which no database has to do with


def test_only_the_client_trusts_the_servers_certificate_alone(
    client_script: Callable[..., str], service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or an installer with a cold cache could not reach the package index, and the clients would not be tested."""
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    seen = tmp_path / "seen"
    installer = tmp_path / "uv"
    installer.write_text(
        f'#!/bin/sh\necho "${{SSL_CERT_FILE-default}} ${{REQUESTS_CA_BUNDLE-default}}" > {seen}\nshift 5\nexec "$@"\n'
    )
    installer.chmod(0o755)
    monkeypatch.setattr("tests.clients.conftest.installer", lambda: str(installer))
    printed = client_script("a==1", "print(os.environ['SSL_CERT_FILE'], os.environ['REQUESTS_CA_BUNDLE'])")
    assert seen.read_text().split() == ["default", "default"]
    assert printed.split() == [str(service.certificate)] * 2
