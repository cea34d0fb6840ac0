"""The language in which the contract writes what a response looks like, and where a response differs from it.

A shape is an object (a key ending in `?` need not be there; `$or` names the shapes that may replace the object, and
`$array` means that it is a list), a list of one shape, null, or a text such as `string|""`, `datetime:T..Z|null`,
`string: classic|map`, `string "True"|"False"`.
What its authors only ever saw empty (`[]`, `{}`) may hold anything.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID

T, SPACE, DIGITS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", r"\+00:00"
FORMS = {
    "datetime:T..Z": rf"{T}Z",
    "datetime:T..+00:00": T + DIGITS,
    "datetime:seconds..Z": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "datetime:space..+00:00": SPACE + DIGITS,
    "datetime:space..": SPACE,
    "datetime:T..": T,
    "date": r"\d{4}-\d\d-\d\d",
    "url": r"https?://[^/\s]+\S*",
}
# Free text that the contract puts behind a type.
REMARKS = re.compile(r"\s*\([^()]*\)|\s+e\.g\. .*|, see .*|:? \{.*", re.DOTALL)


class Mismatch(NamedTuple):
    """`path` names the place with dots, `[]` for every row of a list; `problem` says what is there instead."""

    path: str
    value: Any
    problem: str

    def __str__(self) -> str:
        return f"{self.path or 'the whole'}: {self.problem}"


def mismatches(value: Any, shape: Any, path: str = "") -> Iterator[Mismatch]:
    """Where `value` is not what `shape` says."""
    match shape:
        case dict():
            yield from _object(value, shape, path)
        case list():
            if not isinstance(value, list):
                yield Mismatch(path, value, f"{value!r} is no list")
            elif shape:
                for row in value:
                    yield from mismatches(row, shape[0], f"{path}[]")
        case None:
            if value is not None:
                yield Mismatch(path, value, f"{value!r} is not null")
        case str():
            if not any(fits(value) for fits in alternatives(shape)):
                yield Mismatch(path, value, f"{value!r} is not {shape}")
        case _:
            raise ValueError(f"{shape!r} is no shape")


def _object(value: Any, shape: dict[str, Any], path: str) -> Iterator[Mismatch]:
    if "$or" in shape and any(fits(value) for fits in alternatives(shape["$or"])):
        return
    if "$array" in shape:
        yield from mismatches(value, shape["$array"], path)
        return
    if not isinstance(value, dict):
        yield Mismatch(path, value, f"{value!r} is no object")
        return
    parts = {name: part for name, part in shape.items() if not name.startswith("$")}
    if not parts and "$or" not in shape:
        return
    known = {name.removesuffix("?"): part for name, part in parts.items()}
    if not value and any(not name.endswith("?") for name in parts):
        yield Mismatch(path, value, "is empty")
        return
    for name in sorted(known.keys() - value.keys()):
        if f"{name}?" not in parts:
            yield Mismatch(_below(path, name), None, "is missing")
    for name in sorted(value.keys() - known.keys()):
        yield Mismatch(_below(path, name), value[name], "is not in the contract")
    for name in known.keys() & value.keys():
        yield from mismatches(value[name], known[name], _below(path, name))


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def alternatives(text: str) -> list[Callable[[Any], bool]]:
    """The tests of which a value must pass one, for a shape that is a text."""
    if text.startswith("string: "):  # one of these words
        words = REMARKS.sub("", text.removeprefix("string: ")).split("|")
        return [lambda value: value in words]
    if re.match(r'string "', text):  # one of these, in quotes
        quoted = re.findall(r'"([^"]*)"', text)
        return [lambda value: value in quoted]
    return [_type(name) for name in (part.strip() for part in REMARKS.sub("", text).split("|")) if name]


def _type(name: str) -> Callable[[Any], bool]:
    match name:
        case "string" | "JSON string":
            return lambda value: isinstance(value, str)
        case '""':
            return lambda value: value == "" and isinstance(value, str)
        case "null":
            return lambda value: value is None
        case "boolean":
            return lambda value: isinstance(value, bool)
        case "integer":
            return lambda value: isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return lambda value: isinstance(value, int | float) and not isinstance(value, bool)
        case "object":
            return lambda value: isinstance(value, dict)
        case "any":
            return lambda value: True
        case "uuid":
            return _is_uuid
        case _ if name in FORMS:
            return lambda value: isinstance(value, str) and re.fullmatch(FORMS[name], value) is not None
    raise ValueError(f"{name!r} is no type of the contract's language")


def _is_uuid(value: Any) -> bool:
    try:
        return isinstance(value, str) and str(UUID(value)) == value.lower()
    except ValueError:
        return False
