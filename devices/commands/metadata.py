"""The part of a device's answer that is stored with its command: JSON values of at most 16 KiB."""

import math
from datetime import UTC, datetime
from typing import Any

import orjson

from devices.text import is_storable

MOST_BYTES = 16 * 1024  # of the JSON text
DEEPEST = 8
_LARGEST = 2**63


def small(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer in JSON values; only the names of its keys if it is too large.

    Dates become texts. Data, and all that JSON or PostgreSQL cannot express, is left out.
    """
    kept: dict[str, Any] = _json(answer, 0)
    if _size(kept) <= MOST_BYTES:
        return kept
    names = {"keys": sorted(kept)}
    return names if _size(names) <= MOST_BYTES else {}


class _Nothing:
    """The mark of a value that is left out."""


def _json(value: Any, depth: int) -> Any:
    match value:
        case bool() | None:
            return value
        case str():
            return value if is_storable(value) else _Nothing
        case int():
            return value if -_LARGEST <= value < _LARGEST else _Nothing
        case float():
            return value if math.isfinite(value) else _Nothing
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.isoformat()
        case dict() if depth < DEEPEST:
            pairs = ((key, _json(part, depth + 1)) for key, part in value.items())
            return {
                key: part for key, part in pairs if isinstance(key, str) and is_storable(key) and part is not _Nothing
            }
        case list() | tuple() if depth < DEEPEST:
            return [part for each in value if (part := _json(each, depth + 1)) is not _Nothing]
    return _Nothing


def _size(value: Any) -> int:
    return len(orjson.dumps(value))
