"""What goes in and comes out of the API, as pydantic models. Each is also its own entry in the OpenAPI document."""

from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema, field_validator
from pydantic_core import PydanticUseDefault

from devices.text import has_null_character

MAX_OFFSET = 2**31
LONGEST_TEXT = 1000  # characters of a filter; no column that a filter compares with has more
PAGE_SIZE = 300
LONGEST_FILTER = 50_000  # bytes; a filter may have hundreds of values
MOST_PAGES = 10_000_000
CURSOR_PAGE_SIZE = 25  # of users and administrators, where the caller asks for no other size


class Body(BaseModel):
    """Fields of a request body. Unknown ones are ignored; texts are trimmed."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True, coerce_numbers_to_str=True)

    @field_validator("*", mode="before")
    @classmethod
    def _without_null_characters(cls, value: Any) -> Any:
        try:
            if has_null_character(value):
                raise ValueError("Null characters are not allowed.")
        except RecursionError:
            raise ValueError("This value is nested too deeply.") from None
        return value

    def given(self) -> dict[str, Any]:
        """The fields that the caller sent. The service functions use the same names."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class Query(Body):
    """Query parameters. No text may be longer than LONGEST_TEXT; SQLite compares with no pattern of 50,000 bytes."""

    @field_validator("*", mode="after")
    @classmethod
    def _not_too_long(cls, value: Any) -> Any:
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and len(text) > LONGEST_TEXT for text in texts):
            raise ValueError(f"Ensure this field has no more than {LONGEST_TEXT} characters.")
        return value

    @classmethod
    @cache
    def parameter_names(cls) -> tuple[str, ...]:
        return tuple(field.alias or name for name, field in cls.model_fields.items())


def _integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def page_size(maximum: int) -> BeforeValidator:
    """A page size as the public API's framework reads it: the default if it is no size, the maximum if larger."""

    def read(value: Any) -> int:
        size = _integer(value)
        if size is None or size < 1:
            raise PydanticUseDefault
        return min(size, maximum)

    return BeforeValidator(read)


def _offset(value: Any) -> int:
    offset = _integer(value)
    if offset is None or offset < 0:
        raise PydanticUseDefault
    return offset


def page_number(value: Any) -> int:
    """The number of a page. An invalid value becomes a number so large that every list ends before it."""
    number = _integer(value)
    return number if number is not None and 1 <= number < MAX_OFFSET else MAX_OFFSET


# What `page_size` does, for people.
ROWS = "The number of rows in the answer; a larger number means the maximum, and any other text the default."
CURSOR = "The cursor in the `next` or `previous` of another page; left out, the first page."

type Limit = Annotated[int, page_size(PAGE_SIZE), Field(ge=1, le=PAGE_SIZE, description=ROWS)]
type Offset = Annotated[
    int,
    BeforeValidator(_offset),
    Field(
        ge=0, le=MAX_OFFSET, description="The number of rows to leave out before the first; any other text means none."
    ),
]


def _page_number(value: Any) -> int:
    number = _integer(value)
    if number is None or number < 1:
        raise PydanticUseDefault
    return min(number, MOST_PAGES)


def _encoded(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


type PageNumber = Annotated[
    int,
    BeforeValidator(_page_number),
    Field(ge=1, le=MOST_PAGES, description="The number of the page; any other text means the first page."),
]
# For `devices.filters.read_filter`. Bytes, because a filter may be longer than the limit for a text.
type FilterText = Annotated[
    bytes,
    BeforeValidator(_encoded),
    Field(max_length=LONGEST_FILTER),
    WithJsonSchema({"type": "string", "description": "JSON: columns with what each must be."}),
]


type Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]


def split(value: Any) -> Any:
    """A comma-separated text as a list of its parts, without blanks."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


type Listed[T] = Annotated[list[T], BeforeValidator(split)]
