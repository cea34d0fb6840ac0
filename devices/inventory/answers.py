"""Values in the answers of devices. One of another type, or a larger one, reads as missing: devices are strangers."""

import math
from collections.abc import Mapping
from typing import Any

from devices.text import is_storable

type Answer = Mapping[str, Any]

LONGEST = 1000  # characters of a text
MOST_ROWS = 5000  # of a list
_LARGEST = 2**63


def text(answer: Answer, key: str, *, most: int = LONGEST) -> str | None:
    value = answer.get(key)
    return value if isinstance(value, str) and len(value) <= most and is_storable(value) else None


def flag(answer: Answer, key: str) -> bool | None:
    value = answer.get(key)
    return value if isinstance(value, bool) else None


def integer(answer: Answer, key: str) -> int | None:
    value = answer.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST else None


def number(answer: Answer, key: str) -> float | None:
    """A number that is not negative."""
    value = answer.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or (isinstance(value, int) and value > _LARGEST):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def section(answer: Answer, key: str) -> Answer:
    value = answer.get(key)
    return value if isinstance(value, dict) else {}


def rows(answer: Answer, key: str) -> list[Answer] | None:
    """The dicts of a list, at most MOST_ROWS; None if the answer has no such list."""
    value = answer.get(key)
    if not isinstance(value, list):
        return None
    return [row for row in value[:MOST_ROWS] if isinstance(row, dict)]


def given(**values: Any) -> dict[str, Any]:
    """The values that are not None: those that the device reported."""
    return {name: value for name, value in values.items() if value is not None}
