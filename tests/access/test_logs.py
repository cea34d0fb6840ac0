import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import Client
from django.utils import timezone

from access.logs import JsonFormatter, redact
from access.models import Tenant
from access.people.invitations import invitation_link
from tests.factories.access import AdministratorFactory

SECRET = "3f2b8c1e-9d4a-4e6f-8b7c-0a1d2e3f4b5c"


@contextmanager
def lines_of(name: str) -> Iterator[io.StringIO]:
    """What the logger of this name writes."""
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    with lines_of("tests.logs") as stream:
        yield stream


def test_a_line_is_one_json_object_without_the_token(written: io.StringIO) -> None:
    logger = logging.getLogger("tests.logs")
    try:
        raise ValueError(f"cannot use {SECRET}")
    except ValueError:
        logger.exception(
            "Call to /api/v1/devices?token=%s\nfailed", SECRET.upper(), extra={"header": f"Bearer {SECRET}"}
        )

    (line,) = written.getvalue().splitlines()
    entry = json.loads(line)
    assert SECRET not in line.lower()
    assert entry["levelname"] == "ERROR"
    assert "Call to /api/v1/devices?token=[" in entry["message"]
    assert "ValueError: cannot use [" in entry["exc_info"]


@pytest.mark.parametrize(
    "text", [SECRET, SECRET.upper(), SECRET.replace("-", ""), f"Bearer{SECRET}", f"id={SECRET};", "deadbeef" * 8]
)
def test_everything_shaped_like_a_token_is_replaced(text: str) -> None:
    assert not any(part in redact(text).lower() for part in ("9d4a", "0a1d2e3f4b5c", "deadbeefdeadbeef"))


def test_one_token_leaves_one_fingerprint() -> None:
    assert redact(SECRET) == redact(SECRET.upper())
    assert redact(SECRET) != redact(SECRET.replace("3", "4"))


def test_what_is_no_token_stays() -> None:
    line = "GET /api/v1/devices?serial_number=C02XK1ABJGH5 answered 200 in 0.4 ms, head 12:0123456789abcdef"
    assert redact(line) == line


@pytest.mark.parametrize("place", ["invitation", "password/reset"])
def test_the_key_of_a_mailed_link_is_replaced(place: str) -> None:
    """Django logs `Internal Server Error: /invitation/<key>/` for an error of ours."""
    key = "1x2-eyJwZXJzb24iOiJmZWU0OTBiOC04ZGVjIn0:2VMGK_lFLzyO5FRXkqnAGp4l7vPs"
    line = redact(f'"message":"Internal Server Error: /{place}/{key}/"')
    assert "eyJ" not in line
    assert "2VMGK" not in line
    assert line.startswith(f'"message":"Internal Server Error: /{place}/[')
    assert line.endswith(']/"')
    assert redact(f"/{place}/") == f"/{place}/"


def test_a_failed_invitation_is_logged_without_its_key(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    person = AdministratorFactory.create(tenant=tenant, pending=True, invited_at=timezone.now())
    path = invitation_link(person, "testserver").removeprefix("http://testserver")
    client = Client(raise_request_exception=False)
    monkeypatch.setattr("access.pages.session.invited", fail)
    with lines_of("django.request") as written:
        assert client.post(path, {"password": "short"}).status_code == 500
    assert "/invitation/[" in written.getvalue()
    assert path.split("/")[2] not in written.getvalue()


def fail(key: str) -> None:
    raise RuntimeError("out of order")
