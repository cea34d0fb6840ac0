"""The cursor of a walk through all pages: the row after which the next page begins, and the number of all rows.

It is opaque to clients. It identifies the row by its values, so that rows which are added or deleted meanwhile do not
matter. The first page counts the rows, and the cursor carries the number to the others.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import NamedTuple

from django.core.exceptions import ValidationError

from devices.dates import with_offset
from devices.prism.search import Position

LONGEST = 200  # characters
MOST = 2**63  # the key of a row and the number of rows are below this


class Cursor(NamedTuple):
    position: Position
    total: int

    def __str__(self) -> str:
        (moment, pk), total = self
        return base64.b64encode(f"{with_offset(moment)}|{pk}|{total}".encode()).decode()


def read_cursor(text: str) -> Cursor:
    """The cursor in the text. Raises ValidationError for a text that is not one of our cursors."""
    try:
        if len(text) > LONGEST:
            raise ValueError(text)
        moment, pk, total = base64.b64decode(text, validate=True).decode("ascii").split("|")
        return Cursor(Position(_moment(moment), _number(pk)), _number(total))
    except (binascii.Error, ValueError, OverflowError):
        raise ValidationError("This cursor cannot be read.") from None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)


def _number(text: str) -> int:
    number = int(text) if text.isdecimal() and text.isascii() else MOST
    if number >= MOST:
        raise ValueError(text)
    return number
