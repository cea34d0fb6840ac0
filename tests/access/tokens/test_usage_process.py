"""Last use of a token, from a call to a real server to the database."""

import signal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from access.models import ApiToken
from tests import processes
from tests.browser.servers import free_port
from tests.factories.access import ApiTokenFactory
from tests.types import IssuedApiToken

pytestmark = pytest.mark.slow


def call(port: int, token: IssuedApiToken) -> int:
    headers = {"Authorization": f"Bearer {token.secret}"}
    with urlopen(Request(f"http://127.0.0.1:{port}/api/v1/token", headers=headers), timeout=10) as answer:
        return int(answer.status)


def serves(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/app/v1/ping", timeout=5):
            return True
    except OSError:
        return False


def used(token: IssuedApiToken) -> tuple[bool, str | None]:
    row = ApiToken.objects.get(pk=token.pk)
    return row.last_used_at is not None, row.last_used_from


@pytest.mark.django_db(transaction=True)
def test_a_use_is_written_while_the_server_runs_and_when_it_ends(tmp_path: Path) -> None:
    first, last = ApiTokenFactory.create(), ApiTokenFactory.create()
    port = free_port()
    with processes.managed("serve", "--port", str(port), output=tmp_path / "output") as server:
        processes.wait_for(lambda: serves(port), 60)
        assert call(port, first) == 200
        processes.wait_for(lambda: used(first) == (True, "127.0.0.1"), 30)
        assert call(port, last) == 200
        server.send_signal(signal.SIGTERM)  # within the second after which the writer would have come
        assert server.wait(30) == 0
    assert used(last) == (True, "127.0.0.1")
