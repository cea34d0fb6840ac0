"""`manage.py check --deploy`: mistakes of an installation."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command


@pytest.fixture
def deployment(settings: Any) -> Any:
    """Settings as they are behind a proxy on this machine."""
    settings.HTTPS = settings.SECURE_SSL_REDIRECT = True
    settings.IRU_TRUSTED_PROXIES = ["127.0.0.1"]
    return settings


def warnings() -> str:
    """What the check of a deployment finds, one of our warnings a line."""
    out = StringIO()
    call_command("check", "--deploy", "--tag", "security", stdout=out, stderr=out, fail_level="CRITICAL")
    return "\n".join(line for line in out.getvalue().splitlines() if "(access." in line)


def test_a_deployment_behind_a_proxy_is_right(deployment: Any) -> None:
    assert warnings() == ""


def test_https_without_a_proxy_is_a_warning(deployment: Any) -> None:
    deployment.IRU_TRUSTED_PROXIES = []
    assert "access.W001" in warnings()
    assert "IRU_TRUSTED_PROXIES is empty" in warnings()


@pytest.mark.parametrize(("mode", "found"), [(0o644, True), (0o604, True), (0o640, False), (0o600, False)])
def test_keys_that_everybody_can_read_are_a_warning(deployment: Any, tmp_path: Path, mode: int, found: bool) -> None:
    deployment.ENV_FILE = tmp_path / "env"
    deployment.ENV_FILE.touch()
    deployment.ENV_FILE.chmod(mode)
    assert ("access.W002" in warnings()) == found
