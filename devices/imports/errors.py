"""Why a row cannot be used, as a sentence for the person who runs the import."""

from typing import Any

from pydantic import BaseModel, ValidationError

# The sentence for each error of pydantic and of our own validators. `{value}` quotes what stands in the document, so no
# type of a secret may have it. It comes last, after a colon: what is before it is the same for every such row.
_SENTENCES = {
    "missing": "{path} is missing",
    "string_type": "{path} is not a text",
    "string_unicode": "{path} is not valid Unicode text",
    "string_too_short": "{path} is missing",
    "string_too_long": "{path} is longer than {max_length} characters",
    "string_pattern_mismatch": "{path} holds a NUL character",  # the only pattern that there is
    "not_ascii": "{path} has characters outside ASCII",
    "secret_type": "{path} is neither a text nor null",
    "uuid_type": "{path} is not a UUID: {value}",
    "uuid_parsing": "{path} is not a UUID: {value}",
    "not_a_date": "{path} is not a date: {value}",
    "not_a_boolean": "{path} is neither true nor false: {value}",
    "float_type": "{path} is not a number: {value}",
    "float_parsing": "{path} is not a number: {value}",
    "not_a_number": "{path} is out of range: {value}",
    "unknown_severity": "unknown severity: {value}",
    "int_type": "{path} is not a whole number: {value}",
    "greater_than_equal": "{path} is out of range: {value}",
    "less_than_equal": "{path} is out of range: {value}",
    "enum": "{path} is not {expected}: {value}",
    "literal_error": "{path} is not {expected}: {value}",
    "unknown_platform": "unknown platform: {value}",
    "frozen_set_type": "{path} is not a list",
    "list_type": "{path} is not a list of objects",
    "dict_type": "{path} is not an object",
    "model_type": "{path} is not an object",
    "user_type": "{path} is neither an object nor empty",
}
_OBJECT = {"dict_type", "model_type"}


class RowError(Exception):
    """A row that cannot be used; the message is the reason."""


class UnknownDevice(RowError):
    """The row is about a device that does not exist, or not yet."""

    def __init__(self) -> None:
        super().__init__("device_id is of no known device")


class UnreadableRow:
    """Stands among the rows in the place of one that the reader of the file could not decode."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def validated[M: BaseModel](model: type[M], document: object) -> M:
    """The document as the model. Raises RowError."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        reason = _reason(error)
    raise RowError(reason)  # outside the handler: the traceback of pydantic's error would show the document


def _reason(error: ValidationError) -> str:
    """The first error as one sentence: the path of the field, without the numbers of list elements, and the reason."""
    first = error.errors(include_url=False)[0]
    kind, location = first["type"], first["loc"]
    if kind in _OBJECT and location and isinstance(location[-1], int):
        kind = "list_type"
    path = ".".join(part for part in location if isinstance(part, str))
    # An error without a sentence is not quoted: the value may be a secret.
    sentence = _SENTENCES.get(kind, "{path} cannot be used")
    return sentence.format(path=path, value=_quoted(first["input"]), **first.get("ctx", {}))


def _quoted(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
