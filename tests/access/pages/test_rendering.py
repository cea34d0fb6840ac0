"""A select is the same HTML as Django's templates make, but for white space."""

from typing import Any

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates, get_default_renderer
from django.test.html import parse_html
from django.utils.safestring import mark_safe

from access.pages.forms.rendering import Renderer

CHOICES: list[Any] = [
    ("", "Any"),
    (1, "One"),
    ("it's", 'A "quote" & <b>bold</b>'),
    ("safe", mark_safe("<em>safe</em>")),
    ("Group <i>", [("in", "Inside"), ("also", "Also inside")]),
    (None, "Nothing"),
]
WIDGETS = [
    forms.Select(),
    forms.Select(attrs={"disabled": True, "required": False, "class": 'a"b', "data-number": 3}),
    forms.SelectMultiple(),
    forms.NullBooleanSelect(),
]


@pytest.mark.parametrize("value", [None, "", 1, "it's", ["in", "safe"], "<unknown>", True], ids=repr)
@pytest.mark.parametrize("kind", range(len(WIDGETS)))
def test_a_select_is_djangos(kind: int, value: Any) -> None:
    widget = WIDGETS[kind]
    if isinstance(widget, forms.NullBooleanSelect):
        value = str(value)
    else:
        widget.choices = CHOICES
    attributes = {"id": "id_choice"}
    ours = widget.render("choice", value, attributes, renderer=Renderer())
    assert parse_html(ours) == parse_html(widget.render("choice", value, attributes, renderer=DjangoTemplates()))


def test_every_form_is_rendered_with_it() -> None:
    assert isinstance(get_default_renderer(), Renderer)
