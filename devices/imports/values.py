"""Single values of foreign rows: read, or refused with the reason."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, cast
from uuid import UUID

import orjson
from django.db.models import CharField, Model

from devices.text import has_null_character


class Unusable(Exception):
    """A row that cannot be taken; the message is the reason, for the person who runs the import."""


class UnknownDevice(Unusable):
    """What a row says is about a device that is not there, or not yet."""

    def __init__(self) -> None:
        super().__init__("device_id is of no known device")


class Broken:
    """Stands among the rows where one could not even be read."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


_TRUE = {"true", "yes", "on", "1", "enabled"}
_FALSE = {"false", "no", "off", "0", "disabled"}


def storable(document: dict[str, Any]) -> dict[str, Any]:
    """The same document, proven to be what every database can keep as JSON."""
    try:
        text = orjson.dumps(document)  # refuses lone surrogates, endless nesting and numbers beyond 64 bits
    except TypeError as error:
        raise Unusable(f"cannot be stored: {error}") from None
    copy: dict[str, Any] = orjson.loads(text)
    if b"\\u0000" in text and has_null_character(copy):
        raise Unusable("holds a NUL character")
    return copy


def text(key: str, value: object, limit: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unusable(f"{key} is not a text")
    text = str(value).strip()
    if "\0" in text:
        raise Unusable(f"{key} holds a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Unusable(f"{key} is not valid Unicode text") from None
    if len(text) > limit:
        raise Unusable(f"{key} is longer than {limit} characters")
    return text


def serial_number(value: object, limit: int) -> str:
    serial_number = text("serial_number", value, limit)
    if not serial_number.isascii():  # databases disagree on the upper case of other letters
        raise Unusable("serial_number has characters outside ASCII")
    return serial_number


def required(key: str, value: object, limit: int) -> str | None:
    return text(key, value, limit) or None


def uuid(key: str, value: object) -> UUID | None:
    if value in (None, ""):
        return None
    try:
        return UUID(value)  # type: ignore[arg-type]
    except (ValueError, AttributeError, TypeError):
        raise Unusable(f"{key} is not a UUID: {shown(value)}") from None


def moment(key: str, value: object) -> datetime | None:
    """Any of the API's ways to write a moment; one without a zone is UTC."""
    if value in (None, ""):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())  # type: ignore[attr-defined]
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, AttributeError, TypeError, OverflowError):
        raise Unusable(f"{key} is not a date: {shown(value)}") from None


def integer(key: str, value: object, most: int, *, negative: bool = False) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unusable(f"{key} is not a whole number: {shown(value)}")
    if not (-most if negative else 0) <= value <= most:
        raise Unusable(f"{key} is out of range: {shown(value)}")
    return value


def boolean(key: str, value: object) -> bool | None:
    text = str(value).strip().lower()
    if value is None or text == "":
        return None
    if text not in _TRUE | _FALSE:
        raise Unusable(f"{key} is neither true nor false: {shown(value)}")
    return text in _TRUE


def shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@cache
def limit(model: type[Model], name: str) -> int:
    """The greatest length of a text column."""
    return cast("CharField[str, str]", model._meta.get_field(name)).max_length or 0
