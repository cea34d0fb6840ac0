"""JSON documents of strangers."""

import json
import time
from typing import Any

import pytest

from devices.wire import json_documents
from devices.wire.errors import Malformed
from devices.wire.json_documents import DEEPEST, MOST_VALUES

MOST = 8 * 1024 * 1024


def loads(data: bytes) -> dict[str, Any]:
    return json_documents.loads(data, most=MOST)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"a": [1, -2.5, True, None, 'é \\ " [{,}]'], "b": {"c": {}}},
        {"a": "\U0001f600"},
        {"a": ["[" * 1000, "\\" * 999]},
    ],
)
def test_a_document_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    assert loads(json.dumps(document).encode()) == document
    assert loads(json.dumps(document, ensure_ascii=False, indent=1).encode()) == document


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"1",
        b"{",
        b'{"a": 1}}',
        b"\xef\xbb\xbf{}",
        '{"é": 1}'.encode("latin-1"),
        '{"a": 1}'.encode("utf-16"),
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": ' + b"9" * 101 + b"}",
        b'{"a": 1' + b"0" * 5000 + b"}",
        b'{"a": "b\nc"}',
        b'{"a": ' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1),
        b'{"a": ' + b"[" * 1_000_000,
        b'{"a": [' + b"1," * MOST_VALUES + b"1]}",
        b'{"a": [' + b"[]," * MOST_VALUES + b"1]}",
        b'{"a' + b"a" * MOST,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_all_else_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        loads(data)


def test_the_deepest_document_is_read() -> None:
    assert loads(b'{"a": ' * DEEPEST + b"1" + b"}" * DEEPEST)


@pytest.mark.parametrize(
    "data",
    [b'{"a": "' + b'\\"' * 2_000_000, b'"' + b'\\"' * 2_000_000 + b"\\", b'"' * 4_000_000, b'{"' * 2_000_000],
    ids=["escaped", "lone backslash", "quotation marks", "keys"],
)
def test_the_time_is_linear(data: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(Malformed):
        loads(data)
    assert time.process_time() - begun < 5
