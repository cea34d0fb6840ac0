"""A reader of JSON documents of strangers. Standard readers take a key twice, any depth and numbers of any length."""

import json
import re
from typing import Any, NoReturn

from devices.wire.errors import Malformed

DEEPEST = 32  # dicts and lists inside each other
MOST_VALUES = 100_000
_LONGEST_NUMBER = 100  # characters
# A text as a whole, so that a bracket inside it is none of the document. One without an end goes to the end of the
# document: to look for another one behind each quotation mark would take a time that grows with the square.
_MARKS = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{}\],]', re.DOTALL)


def loads(data: bytes, *, most: int) -> dict[str, Any]:
    """Return the dict that is the root of a document.

    Raises Malformed for all else: more than `most` bytes, another encoding than UTF-8, more than 32 levels or 100,000
    values, a key twice, a number that JSON does not have. The time is linear in the length.
    """
    if len(data) > most:
        raise Malformed(f"The document has more than {most} bytes.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("The document is not in UTF-8.") from None
    _check_size(text)
    try:
        root = json.loads(
            text, object_pairs_hook=_dict, parse_constant=_no_number, parse_int=_integer, parse_float=_real
        )
    except ValueError:
        raise Malformed("The document is no JSON.") from None
    if not isinstance(root, dict):
        raise Malformed("The root is no object.")
    return root


def _check_size(text: str) -> None:
    """Before the reader, which uses the stack for each level."""
    depth = values = 0
    for match in _MARKS.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            values += 1
        elif mark in "]}":
            depth -= 1
        elif mark == ",":
            values += 1
        if depth > DEEPEST:
            raise Malformed(f"The document has more than {DEEPEST} levels.")
        if values > MOST_VALUES:
            raise Malformed(f"The document has more than {MOST_VALUES} values.")


def _dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("A key is there twice.")
    return found


def _no_number(text: str) -> NoReturn:
    raise Malformed("A number is none.")


def _integer(text: str) -> int:
    return int(_short(text))


def _real(text: str) -> float:
    return float(_short(text))


def _short(text: str) -> str:
    if len(text) > _LONGEST_NUMBER:
        raise Malformed("A number is too long.")
    return text
