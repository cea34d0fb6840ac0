"""The base of our forms: an empty field says what to do, by its label, where its declaration says nothing better."""

from typing import Any

from django import forms
from django.forms.utils import pretty_name

REQUIRED = str(forms.Field.default_error_messages["required"])
NO_ADDRESS = "This is no e-mail address."


class Asking:
    """For a form of our own, and in front of the base of one that extends a form of Django or allauth."""

    def full_clean(self) -> None:
        _ask(self)
        super().full_clean()  # type: ignore[misc] # of the form behind it


class Form(Asking, forms.Form):
    """A form of one of our pages."""


def request_for(field: forms.Field, label: str) -> str:
    """What to do about a required field that is empty."""
    match field:
        case forms.FileField():
            return "Choose a file."
        case forms.BooleanField():
            return f"Tick “{label}” to go on."
        case forms.MultipleChoiceField() | forms.ModelMultipleChoiceField():
            return "Choose at least one."
        case forms.ChoiceField() | forms.ModelChoiceField() if label == "Blueprint":
            return "Choose a Blueprint."
        case forms.ChoiceField() | forms.ModelChoiceField():
            return f"Choose the {_within(label)}."
    return f"Enter the {_within(label)}."


def _within(label: str) -> str:
    """The label within a sentence: `E-mail` becomes `e-mail address`; a proper name or an abbreviation stays."""
    if label.endswith("-mail"):
        label = f"{label} address"
    abbreviated = label[:2].isalpha() and label[:2].isupper()
    return label if abbreviated or label.startswith("Blueprint") else label[:1].lower() + label[1:]


def _ask(form: Any) -> None:
    for name, field in form.fields.items():
        messages = field.error_messages
        if str(messages.get("required")) == REQUIRED:
            messages["required"] = request_for(field, str(field.label or pretty_name(name)))
        if isinstance(field, forms.EmailField):
            messages.setdefault("invalid", NO_ADDRESS)
