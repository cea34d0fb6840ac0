"""The form of a command, made from the fields of its body. A new command needs no line here."""

from collections.abc import Iterator, Sequence, Set
from typing import Any, get_args

import pydantic
from django import forms
from django.http import HttpRequest
from pydantic import BaseModel
from pydantic.alias_generators import to_snake
from pydantic.fields import FieldInfo

from access.pages.forms.password import ReauthenticationForm
from devices.commands import Command
from devices.commands.base import FormHint
from devices.models import Platform
from devices.pages.forms.devices import TypeToConfirmForm
from devices.text import as_words

LONG_TEXT = 1000  # characters from which a text gets several lines
OTHER = "/other"  # no name of an account has a slash
OTHER_ACCOUNT = "other_account"
SEPARATOR = "__"  # between the name of a nested object and the name of its field


class CommandForm(TypeToConfirmForm, ReauthenticationForm):
    """The parameters of a command to devices of these families, and the confirmations that the command requires.

    `accounts` are those that the device reported. `direction` is "on" or "off" if the person has chosen it in the menu.
    Some commands require that `expected` is typed, a recently entered password, or both. A command that reveals a PIN
    requires the password.
    """

    def __init__(
        self,
        data: Any = None,
        *,
        command: Command[Any],
        platforms: Set[str],
        expected: str,
        request: HttpRequest,
        accounts: Sequence[str] = (),
        direction: str = "",
        **options: Any,
    ) -> None:
        super().__init__(data, request=request, expected=expected if command.confirm_by_name else "", **options)
        self.command = command
        if not (command.confirm_by_password or (command.reveals_pin and Platform.MAC in platforms)):
            self.fields.pop("password", None)
        parameters = dict(_fields(command.body, platforms, accounts=accounts)) if command.body else {}
        for field in parameters.values():
            if direction and isinstance(field, OnOff):
                field.initial, field.widget = str(direction == "on"), forms.HiddenInput()
        if first := next((parameters[name] for name in command.form_needs_one_of if name in parameters), None):
            first.help_text = command.form_needs_one_of_help
        self.fields = parameters | self.fields  # the confirmations come last
        self.parameter_names = tuple(parameters)

    def clean(self) -> None:
        super().clean()
        self.body = None
        for name in self.parameter_names:
            if isinstance(self.fields[name], AccountField) and self.cleaned_data.get(name) == OTHER:
                self.cleaned_data[name] = self.cleaned_data.get(OTHER_ACCOUNT, "")
                if not self.cleaned_data[name].strip():
                    self.add_error(OTHER_ACCOUNT, "Write the name of the account.")
        one_of = [name for name in self.command.form_needs_one_of if name in self.parameter_names]
        if one_of and not any(self.cleaned_data.get(name, "").strip() for name in one_of) and not self.errors:
            self.add_error(one_of[0], self.command.form_needs_one_of_error)
        if self.command.body is not None and not self.errors:
            try:
                self.body = self.command.body.model_validate(self._values(self.cleaned_data))
            except pydantic.ValidationError as error:
                for each in error.errors():
                    name = SEPARATOR.join(str(part) for part in each["loc"])
                    message = str(each["msg"]).removeprefix("Value error, ")
                    self.add_error(name if name in self.fields else None, message)

    def _values(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name in self.parameter_names:
            value = cleaned.get(name)
            if value in ("", [], None) or name == OTHER_ACCOUNT:
                continue  # left out, as an integration leaves it out
            *outer, inner = name.split(SEPARATOR)
            target = values.setdefault(outer[0], {}) if outer else values
            target[inner] = value == "True" if isinstance(self.fields[name], OnOff) else value
        return values


class OnOff(forms.ChoiceField):
    """A switch that must be set to On or Off."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("True", "On"), ("False", "Off")], widget=forms.RadioSelect, **kwargs)


class AccountField(forms.ChoiceField):
    """A choice among the accounts that a device reported, or another one that is written into a second field."""

    def __init__(self, accounts: Sequence[str], **kwargs: Any) -> None:
        choices = [("", "Choose…"), *((name, name) for name in accounts), (OTHER, "Other…")]
        super().__init__(choices=choices, widget=forms.Select(attrs={"data-other": True}), **kwargs)
        self.error_messages["required"] = "Choose an account."


def _fields(
    body: type[BaseModel], platforms: Set[str], outer: str = "", *, accounts: Sequence[str] = ()
) -> Iterator[tuple[str, forms.Field]]:
    """A form field for each field of the body that one of these families uses.

    Fields of a nested object replace the object.
    """
    schema = body.model_json_schema()
    for attribute, parameter in body.model_fields.items():
        hint = FormHint.of(parameter)
        if hint.platforms is not None and not platforms & hint.platforms:
            continue
        name = parameter.alias or attribute
        if nested := _nested(parameter):
            yield from _fields(nested, platforms, f"{outer}{name}{SEPARATOR}")
            continue
        # A nested object is left out as a whole, so none of its fields is required.
        required = not outer and (parameter.is_required() or bool(platforms & hint.required_on))
        if hint.accounts and accounts:
            yield name, AccountField(accounts, required=required, label=parameter.title)
            other = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
            yield OTHER_ACCOUNT, forms.CharField(required=False, max_length=255, label="Other account", widget=other)
            continue
        field = _field(_without_null(schema["properties"][name], schema.get("$defs", {})), hint, required=required)
        field.label = parameter.title or as_words(to_snake(name))
        field.help_text, field.initial = parameter.description or "", hint.initial
        yield outer + name, field


def _nested(parameter: FieldInfo) -> type[BaseModel] | None:
    kinds = (parameter.annotation, *get_args(parameter.annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _without_null(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value that is not null, with the definitions that it refers to in their places."""
    kinds = [_resolved(kind, definitions) for kind in schema.get("anyOf", [schema])]
    (kind,) = [kind for kind in kinds if kind.get("type") != "null"]
    return kind | {"items": _resolved(kind["items"], definitions)} if "items" in kind else kind


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    definition: dict[str, Any] = definitions[schema["$ref"].rsplit("/", 1)[1]]
    return definition


def _field(schema: dict[str, Any], hint: FormHint, *, required: bool) -> forms.Field:
    match schema:
        case {"type": "boolean"}:
            return OnOff() if required else forms.BooleanField(required=False)
        case {"type": "array", "items": items}:
            return forms.MultipleChoiceField(
                required=required, choices=_choices(items, hint), widget=forms.CheckboxSelectMultiple
            )
        case {"enum": _} | {"const": _}:
            return forms.ChoiceField(required=required, choices=_choices(schema, hint))
    longest = schema.get("maxLength")
    widget: forms.Widget = forms.TextInput(attrs={"autocomplete": "off"})
    if longest == LONG_TEXT:
        widget = forms.Textarea(attrs={"rows": 2})
    # The body removes spaces at both ends, or needs them.
    return forms.CharField(required=required, max_length=longest, strip=False, widget=widget)


def _choices(schema: dict[str, Any], hint: FormHint) -> list[tuple[str, str]]:
    values = schema.get("enum", [schema.get("const")])
    return [(value, hint.choices.get(value, value)) for value in values]
