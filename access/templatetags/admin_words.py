"""Django admin's lists and navigation, in the shape that the product's templates need."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

CELL = re.compile(r"<(?P<tag>t[dh])(?:\sclass=\"(?P<classes>[^\"]*)\")?>(?P<content>.*)</t[dh]>\s*", re.DOTALL)

# Django's icon for a boolean; its alternative text is the value.
ICON = re.compile(r"<img src=\"[^\"]*\" alt=\"(True|False|None)\"[^>]*>")
ANSWERS = {"True": "Yes", "False": "No", "None": "Unknown"}


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a row. `label` is the head of its column, which a card shows beside the value."""

    content: SafeString
    label: str
    look: str


@register.filter
def cells(results: Iterable[Iterable[str]], headers: list[dict[str, Any]]) -> Iterator[list[Cell]]:
    """The rows of a list, whose cells Django has rendered and escaped."""
    for row in results:
        yield [_cell(str(item), header["text"]) for item, header in zip(row, headers, strict=True)]


@register.filter
def groups(apps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tables of the navigation under the headings of their classes, in the order in which they were registered."""
    found: dict[str, list[dict[str, Any]]] = {}
    for model in sorted((model for app in apps for model in app["models"]), key=lambda model: model["place"]):
        found.setdefault(model["group"], []).append(model)
    return [{"name": name, "models": models} for name, models in found.items()]


@register.filter
def in_words(contents: str) -> str:
    """A value of an object's page as Django renders it, with `Yes` and `No` in place of its icons."""
    icon = ICON.fullmatch(contents)
    return ANSWERS[icon[1]] if icon else contents


def _cell(item: str, label: str) -> Cell:
    match = CELL.fullmatch(item)
    if match is None:
        raise ValueError(f"This is no cell of a list: {item[:80]}")
    name, pick = match["tag"] == "th", "action-checkbox" in (match["classes"] or "")
    look = "row-pick" if pick else "row-name" if name else ""
    return Cell(mark_safe(match["content"]), "" if name or pick else label, look)  # noqa: S308 - Django escaped it
