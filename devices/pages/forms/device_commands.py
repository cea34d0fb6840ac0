"""The form of a command, made from the fields that its body declares: a new command has one without a line here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pydantic
from django import forms
from django.http import HttpRequest
from pydantic.alias_generators import to_snake

from access.pages.forms.password import ReauthenticationForm
from devices.commands import Command
from devices.models import MACS, MOBILE, Device, Platform
from devices.pages.forms.devices import TypeToConfirmForm, name_of
from devices.text import as_words

ANDROID = frozenset({Platform.ANDROID})
WINDOWS = frozenset({Platform.WINDOWS})
LONG_TEXT = 1000  # characters from which a text gets several lines
SEPARATOR = "__"  # between the name of a nested object and the name of its field


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What people need to know of a field beside its name. `platforms` is who takes it, where not all do."""

    label: str = ""
    help: str = ""
    platforms: frozenset[Platform] | None = None
    required_on: frozenset[Platform] = frozenset()
    initial: Any = None
    choices: dict[str, str] | None = None


WORDS: dict[tuple[str, str], Words] = {
    ("delete_user_on_device", "UserName"): Words(label="Account name", required_on=MACS),
    ("delete_user_on_device", "ForceDeletion"): Words(
        label="Delete even if their data has not been synced", platforms=frozenset({Platform.IPAD})
    ),
    ("delete_user_on_device", "DeleteAllUsers"): Words(
        label="Delete all users of this iPad", platforms=frozenset({Platform.IPAD})
    ),
    ("enable_lost_mode", "PhoneNumber"): Words(help="Whoever finds the device can call it from the lock screen."),
    ("erase_device", "PIN"): Words(
        label="PIN", help="Six digits that Macs with an Intel processor ask for afterwards.", platforms=MACS
    ),
    ("erase_device", "PreserveDataPlan"): Words(label="Keep the eSIM", platforms=MOBILE, initial=True),
    ("erase_device", "DisallowProximitySetup"): Words(label="No set-up from a device nearby", platforms=MOBILE),
    ("erase_device", f"ReturnToService{SEPARATOR}Enabled"): Words(
        label="Return to Service", help="The device enrolls again by itself.", platforms=MOBILE
    ),
    ("erase_device", f"ReturnToService{SEPARATOR}ProfileId"): Words(
        label="Wi-Fi profile", help="Id of a profile of its Blueprint, for Return to Service.", platforms=MOBILE
    ),
    ("erase_device", "erase_mode"): Words(
        label="How to erase",
        platforms=WINDOWS,
        choices={"WIPE": "Wipe", "WIPE_CLOUD": "Wipe, and install Windows anew", "WIPE_PROTECTED": "Protected wipe"},
    ),
    ("erase_device", "erase_flags"): Words(
        label="Erase too",
        platforms=ANDROID,
        choices={"WIPE_EXTERNAL_STORAGE": "External storage", "WIPE_ESIMS": "eSIMs"},
    ),
    ("lock_device", "Message"): Words(platforms=MACS | MOBILE),
    ("lock_device", "PhoneNumber"): Words(platforms=MACS | MOBILE),
    ("refresh_cellular_plans", "eSIMServerURL"): Words(label="eSIM server URL", help="Your carrier names it."),
    ("remote_desktop", "EnableRemoteDesktop"): Words(label="Remote Management"),
    ("reset_work_profile_passcode", "newPassword"): Words(
        label="New passcode", help="Leave it empty to remove the passcode."
    ),
    ("reset_work_profile_passcode", "resetPasswordFlags"): Words(
        label="And then", choices={"LOCK_NOW": "Lock the device"}
    ),
    ("restart_device", "RebuildKernelCache"): Words(label="Rebuild the kernel cache", platforms=MACS),
    ("restart_device", "NotifyUser"): Words(label="Ask the person at the Mac first", platforms=MACS),
    ("set_device_name", "DeviceName"): Words(label="New name"),
    ("toggle_data_roaming", "Enabled"): Words(label="Data roaming"),
    ("toggle_personal_hotspot", "Enabled"): Words(label="Personal Hotspot"),
    ("unlock_account", "UserName"): Words(label="Account name"),
}
NO_WORDS = Words()


class ActionForm(TypeToConfirmForm, ReauthenticationForm):
    """What one device is asked for before it gets the command.

    A command that erases wants the device's name typed, and one that tells a PIN a password given lately.
    """

    def __init__(self, data: Any = None, *, command: Command[Any], device: Device, request: HttpRequest) -> None:
        expected = name_of(device) if command.id == "erase_device" else ""
        super().__init__(data, request=request, expected=expected)
        self.command = command
        if not (command.tells_pin and device.platform == Platform.MAC):
            self.fields.pop("password", None)
        own = dict(_fields(command, device.platform))
        self.fields = own | self.fields  # what confirms comes last
        self.own = tuple(own)

    def clean(self) -> None:
        super().clean()
        self.body = None
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
        for name in self.own:
            value = cleaned.get(name)
            if value in ("", [], None):
                continue  # left out, as an integration leaves it out
            *outer, inner = name.split(SEPARATOR)
            target = values.setdefault(outer[0], {}) if outer else values
            target[inner] = value == "True" if isinstance(self.fields[name], OnOff) else value
        return values


class OnOff(forms.ChoiceField):
    """A switch that has to be set one way or the other."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("True", "On"), ("False", "Off")], widget=forms.RadioSelect, **kwargs)


def _fields(command: Command[Any], platform: str) -> Iterator[tuple[str, forms.Field]]:
    if command.body is None:
        return
    schema = command.body.model_json_schema()
    for name, declared, required in _properties(schema, schema.get("$defs", {})):
        words = WORDS.get((command.id, name), NO_WORDS)
        if words.platforms is not None and platform not in words.platforms:
            continue
        wanted = required or platform in words.required_on
        field = _field(declared, words, required=wanted)
        field.label = words.label or as_words(to_snake(name))
        field.help_text, field.initial = words.help, words.initial
        yield name, field


def _properties(
    schema: dict[str, Any], definitions: dict[str, Any], outer: str = ""
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """(name, schema, required) of each field, with those of nested objects in their place."""
    for name, declared in schema["properties"].items():
        kinds = [_resolved(kind, definitions) for kind in declared.get("anyOf", [declared])]
        (kind,) = [kind for kind in kinds if kind.get("type") != "null"]
        if kind.get("type") == "object":
            yield from _properties(kind, definitions, f"{outer}{name}{SEPARATOR}")
        else:
            items = kind.get("items")
            resolved = kind if items is None else kind | {"items": _resolved(items, definitions)}
            # A nested object is left out whole, so nothing in it is needed.
            yield f"{outer}{name}", resolved, not outer and name in schema.get("required", ())


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = definitions[schema["$ref"].rsplit("/", 1)[1]]
    return found


def _field(declared: dict[str, Any], words: Words, *, required: bool) -> forms.Field:
    match declared:
        case {"type": "boolean"}:
            return OnOff() if required else forms.BooleanField(required=False)
        case {"type": "array", "items": items}:
            return forms.MultipleChoiceField(
                required=required, choices=_choices(items, words), widget=forms.CheckboxSelectMultiple
            )
        case {"enum": _} | {"const": _}:
            return forms.ChoiceField(required=required, choices=_choices(declared, words))
    longest = declared.get("maxLength")
    widget: forms.Widget = forms.TextInput(attrs={"autocomplete": "off"})
    if longest == LONG_TEXT:
        widget = forms.Textarea(attrs={"rows": 2})
    # Blanks at the ends are taken off by the body, or are part of what it wants.
    return forms.CharField(required=required, max_length=longest, strip=False, widget=widget)


def _choices(declared: dict[str, Any], words: Words) -> list[tuple[str, str]]:
    values = declared.get("enum", [declared.get("const")])
    return [(value, (words.choices or {}).get(value, value)) for value in values]
