import io
import json
import logging
from collections.abc import Iterator

import pytest

from access.logs import JsonFormatter, redact

SECRET = "3f2b8c1e-9d4a-4e6f-8b7c-0a1d2e3f4b5c"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    handler = logging.StreamHandler(stream := io.StringIO())
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("tests.logs")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


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
