"""The form that tries a GET of the API with the permissions of a token."""

from collections.abc import Mapping
from typing import Any

from django import forms

from access.models import ApiToken
from access.pages.forms.asking import Form
from devices.pages.reference_calls import page_size_of
from devices.pages.reference_entries import Entry

TOKEN = "with_token"  # noqa: S105 - the name of a field; no operation has such a parameter
FEW = "5"  # rows that a person reads at once


class TokenChoice(forms.ModelChoiceField[ApiToken]):
    def label_from_instance(self, obj: Any) -> str:
        return str(obj.name)


class TrialForm(Form):
    """The parameters of the operation, filled with ids of the tenant, and the live tokens of the tenant."""

    def __init__(self, data: Mapping[str, Any] | None, *, entry: Entry, tokens: Any, values: Mapping[str, str]) -> None:
        super().__init__(data, auto_id=f"{entry.id}-%s")
        self.fields[TOKEN] = TokenChoice(
            queryset=tokens, label="With the permissions of", empty_label="Choose a token", widget=forms.Select()
        )
        size = page_size_of([each.name for each in entry.parameters])
        self.path: list[str] = []
        self.query: list[str] = []
        for each in entry.parameters:
            if each.place.startswith("header"):
                continue
            in_path = each.place == "path"
            self.fields[each.name] = forms.CharField(
                label=each.name,
                required=each.required,
                initial=FEW if each.name == size else values.get(each.name, "") if each.required else "",
            )
            (self.path if in_path else self.query).append(each.name)

    @property
    def first(self) -> list[Any]:
        """The fields that most calls need."""
        return [
            self[name] for name in (*self.path, *self.query) if self.fields[name].required or self.fields[name].initial
        ]

    @property
    def others(self) -> list[Any]:
        shown = {field.name for field in self.first}
        return [self[name] for name in self.query if name not in shown]

    @property
    def shows_others(self) -> bool:
        """Whether one of the others was filled, or is wrong."""
        return any(field.errors or (self.is_bound and field.value()) for field in self.others)

    @property
    def token(self) -> ApiToken:
        token: ApiToken = self.cleaned_data[TOKEN]
        return token

    def given(self, names: list[str]) -> dict[str, str]:
        return {name: value for name in names if (value := self.cleaned_data[name])}
