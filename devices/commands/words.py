"""The parameters of a sent command as people read them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from devices.text import as_words

# Keys that say how a request is written, and not what the person asked for.
_PROTOCOL = {"Item", "LocURI", "Queries"}
_DATA = "Data"  # the only value of a request to a node of Windows


def titles_of(body: Any) -> dict[str, str]:
    """The labels of the fields of a pydantic model or None, also of nested ones, under their names in a request."""
    titles: dict[str, str] = {}
    for attribute, parameter in body.model_fields.items() if body else ():
        titles[parameter.alias or attribute] = parameter.title or as_words(attribute)
        for kind in (parameter.annotation, *get_args(parameter.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                titles |= titles_of(kind)
    if len(titles) == 1:
        titles[_DATA] = next(iter(titles.values()))
    return titles


def in_words(parameters: Any, titles: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The label and the value of each parameter of a request. Objects inside it are not named themselves."""
    if isinstance(parameters, list):
        for each in parameters:
            yield from in_words(each, titles)
    elif isinstance(parameters, dict):
        for name, value in parameters.items():
            if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value)):
                yield from in_words(value, titles)
            elif name not in _PROTOCOL:
                yield titles.get(name) or _spaced(name), _value(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _spaced(name: str) -> str:
    """`WipeDataFlags` and `wipeDataFlags` as `Wipe data flags`."""
    return as_words(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name))
