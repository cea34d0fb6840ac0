"""Types of single values in foreign documents: which ways to write them are accepted."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, cast
from uuid import UUID

import orjson
from django.db.models import CharField, Model
from pydantic import AfterValidator, BeforeValidator, PlainValidator, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from devices.imports.errors import RowError
from devices.models import Platform
from devices.text import has_null_character

LONGEST_TEXT = 1_000_000  # characters of a text whose column has no limit
_NO_NUL = r"^[^\x00]*$"
# How the vendor's reports write a moment for people. A date of three numbers is read only with AM or PM, which says
# that the month comes first: 10/11/2026 alone may be two days.
_WRITTEN_DATES = tuple(
    f"{date}{time}"
    for date, times in {
        "%m/%d/%Y": (" %I:%M %p", " %I:%M:%S %p", ", %I:%M %p", ", %I:%M:%S %p"),
        "%b %d, %Y": ("", " %I:%M %p", ", %I:%M %p", " at %I:%M %p", " %H:%M", ", %H:%M"),
        "%B %d, %Y": ("", " %I:%M %p", ", %I:%M %p", " at %I:%M %p", " %H:%M", ", %H:%M"),
    }.items()
    for time in times
)
_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1", "enabled"), True),
    **dict.fromkeys(("false", "no", "off", "0", "disabled"), False),
}
_PLATFORMS = {
    **{value.lower(): Platform(value) for value in Platform.values},
    "macos": Platform.MAC,
    "ipados": Platform.IPAD,
    "ios": Platform.IPHONE,
    "tvos": Platform.APPLE_TV,
}


def is_blank(value: object) -> bool:
    """Whether a value says nothing, unless its field declares otherwise."""
    return value is None or value == ""


def column(model: type[Model], name: str, *, required: bool = False) -> StringConstraints:
    """What the text column `name` can store. Numbers are accepted as text, blanks around it are removed."""
    limit = cast("CharField[str, str]", model._meta.get_field(name)).max_length
    return _text(limit or LONGEST_TEXT, required=required)


def _text(limit: int, *, required: bool = False) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=int(required), max_length=limit, pattern=_NO_NUL)


def storable(document: dict[str, Any]) -> dict[str, Any]:
    """A copy of the document, proven to be what every database can store as JSON. Raises RowError."""
    try:
        text = orjson.dumps(document)  # refuses lone surrogates, endless nesting and numbers beyond 64 bits
    except TypeError as error:
        raise RowError(f"cannot be stored: {error}") from None
    copy: dict[str, Any] = orjson.loads(text)
    if b"\\u0000" in text and has_null_character(copy):
        raise RowError("holds a NUL character")
    return copy


def uuid_or_none(value: object) -> UUID | None:
    """The UUID that `value` is, None for everything else."""
    try:
        return None if is_blank(value) else _UUID.validate_python(value)
    except ValidationError:
        return None


def _blank_as_none(value: Any) -> Any:
    return None if is_blank(value) else value


def _null_as_empty(value: Any) -> Any:
    return "" if value is None else value


def _empty_as_none(value: str) -> str | None:
    return value or None


def _ascii(value: str) -> str:
    if not value.isascii():  # databases disagree on the upper case of other letters
        raise PydanticCustomError("not_ascii", "not ASCII")
    return value


def _moment(value: Any) -> datetime:
    # Not pydantic's own parser, which reads 20240513 as seconds since 1970.
    try:
        moment = _parsed(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, AttributeError, TypeError, OverflowError):
        raise PydanticCustomError("not_a_date", "not a date") from None


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        text = " ".join(text.split())  # also the narrow blank that some systems put before AM and PM
    for form in _WRITTEN_DATES:
        with suppress(ValueError):
            return datetime.strptime(text, form)  # noqa: DTZ007 - `_moment` adds the zone
    raise ValueError("no date")


def _boolean(value: Any) -> bool:
    boolean = value if isinstance(value, bool) else _BOOLEANS.get(str(value).strip().lower())
    if boolean is None:
        raise PydanticCustomError("not_a_boolean", "not a boolean")
    return boolean


def _flag(value: Any) -> bool:
    """A boolean that is false where nothing is said."""
    return not is_blank(value) and _boolean(value)


def _platform(value: str) -> str:
    platform = _PLATFORMS.get(value.lower().replace(" ", ""))
    if platform is None:
        raise PydanticCustomError("unknown_platform", "unknown platform")
    return platform.value


def _secret(value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise PydanticCustomError("secret_type", "not a text")
    return value or None


NULL_AS_EMPTY = BeforeValidator(_null_as_empty)
EMPTY_AS_NONE = AfterValidator(_empty_as_none)
ASCII = AfterValidator(_ascii)

type Blankable[T] = Annotated[T | None, BeforeValidator(_blank_as_none)]
# Any of the API's and of the reports' ways to write a moment; one without a zone is UTC.
type Moment = Annotated[datetime, PlainValidator(_moment)]
# In JSON or in a word of a report.
type Boolean = Annotated[bool, PlainValidator(_boolean)]
# In any case and with Apple's newer names, too.
type PlatformName = Annotated[str, _text(255, required=True), AfterValidator(_platform)]
type Flag = Annotated[bool, PlainValidator(_flag)]
type Secret = Annotated[Annotated[str, StringConstraints(max_length=1000)] | None, BeforeValidator(_secret)]

_UUID = TypeAdapter(UUID)
