"""Forms of the Devices pages: the filters of the list, the edit form, and typing a name to confirm."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.utils import timezone

from access.pages.forms.asking import Form
from access.pages.forms.filters import ListFilter
from access.pages.sorting import by_column, by_last_time
from devices.fleet.devices import UNSET, Unset
from devices.fleet.statistics import FAILED_DAYS, failed_commands, in_span, waiting_commands
from devices.models import Blueprint, Device, Platform, Tag
from devices.models.devices import DeviceQuerySet
from devices.pages.forms.people import PersonField, find_person

OFFERED_TAGS = 200
# As people write them: Django makes the labels of the model's choices from their names.
PLATFORMS = {platform.value: platform.value for platform in Platform} | {Platform.APPLE_TV.value: "Apple TV"}
DAYS = {"week": 7, "month": 30}
ENCRYPTION: dict[str, bool | None] = {"on": True, "off": False, "unknown": None}
SORTS = {
    "name": by_column("Name", "name"),
    "model": by_column("Model", "model"),
    "blueprint": by_column("Blueprint", "blueprint_label"),
    "user": by_column("User", "user_label"),
    "seen": by_last_time("Last check-in", "last_check_in", "Oldest check-in", "Newest check-in"),
}


class DeviceFilter(ListFilter):
    platform = forms.ChoiceField(required=False, choices=[("", "Any"), *PLATFORMS.items()])
    blueprint: "forms.ModelChoiceField[Blueprint]" = forms.ModelChoiceField(
        None, required=False, empty_label="Any", to_field_name="uuid"
    )
    tag: "forms.ModelChoiceField[Tag]" = forms.ModelChoiceField(
        None, required=False, empty_label="Any", to_field_name="uuid"
    )
    seen = forms.ChoiceField(
        required=False,
        label="Last check-in",
        choices=[
            ("", "Any time"),
            ("day", "In the last 24 hours"),
            ("week", "In the last 7 days"),
            ("month", "In the last 30 days"),
            ("days", "1 to 7 days ago"),
            ("weeks", "8 to 30 days ago"),
            ("longer", "More than 30 days ago"),
            ("never", "Never"),
        ],
    )
    os = forms.CharField(
        required=False,
        max_length=50,
        label="OS version",
        widget=forms.TextInput(attrs={"placeholder": "Any", "autocomplete": "off"}),
    )
    encryption = forms.ChoiceField(
        required=False,
        label="FileVault",
        choices=[("", "Any"), ("on", "On"), ("off", "Off"), ("unknown", "Not reported")],
    )
    commands = forms.ChoiceField(
        required=False,
        choices=[("", "Any"), ("waiting", "Waiting"), ("failed", f"Failed in the last {FAILED_DAYS} days")],
    )
    sorts = SORTS
    default_sort = "name"

    def set_choices(self) -> None:
        self.fields["blueprint"].queryset = self.tenant.blueprints.order_by("name")  # type: ignore[attr-defined]
        self.fields["tag"].queryset = self.tenant.tags.order_by("name")  # type: ignore[attr-defined]

    def matching(self) -> DeviceQuerySet:
        """The matching devices. Of several conditions, each is a set of keys, so that each uses its own index.

        One alone is a condition: in the order of an index, the first page of many matches is found at once.
        """
        everything: DeviceQuerySet = self.tenant.devices.order_by()
        devices, fields = everything, self.cleaned_data
        alone = len(self.narrowing) == 1
        tests = [Q(**{name: fields[name]}) for name in ("platform", "blueprint") if fields.get(name)]
        if version := fields.get("os"):
            tests.append(Q(os_version=version))
        if fields.get("encryption"):
            tests.append(Q(platform=Platform.MAC, filevault_enabled=ENCRYPTION[fields["encryption"]]))
        if fields.get("seen"):
            tests.append(_seen(fields["seen"]))
        for test in tests:
            matches = everything.filter(test)
            devices = matches if alone else devices.filter(pk__in=matches.values("pk"))
        if fields.get("commands"):
            waits = fields["commands"] == "waiting"
            condition = waiting_commands() if waits else failed_commands(timezone.now())
            commands = self.tenant.device_commands.filter(condition).order_by()
            devices = devices.filter(pk__in=commands.values("device"))
        if fields.get("tag"):
            tagged = Device.tags.through.objects.filter(tag=fields["tag"])
            devices = devices.filter(pk__in=tagged.values("device"))
        if text := fields.get("q"):
            matches = everything.with_words(text)
            devices = matches if alone else devices.filter(pk__in=matches.values("pk"))
        return devices


def _seen(span: str) -> Q:
    now = timezone.now()
    return Q(last_check_in__gte=now - timedelta(days=DAYS[span])) if span in DAYS else in_span(span, now)


class DeviceForm(Form):
    """The fields that the API's `Update a device` changes."""

    user = PersonField()
    blueprint: "forms.ModelChoiceField[Blueprint]" = forms.ModelChoiceField(
        None, to_field_name="uuid", empty_label=None
    )
    asset_tag = forms.CharField(required=False, max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    tags = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    new_tags = forms.CharField(
        required=False,
        max_length=1000,
        help_text="Separate several by commas.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, data: Any = None, *, device: Device) -> None:
        current_tags = sorted(tag.name for tag in device.tags.all())
        super().__init__(
            data,
            initial={
                "user": device.user.email if device.user else "",
                "blueprint": device.blueprint.uuid,
                "asset_tag": device.asset_tag,
                "tags": current_tags,
            },
        )
        self.device = device
        tags = set(device.tenant.tags.order_by("name").values_list("name", flat=True)[:OFFERED_TAGS]) | set(
            current_tags
        )
        self.fields["tags"].choices = [(name, name) for name in sorted(tags, key=str.casefold)]  # type: ignore[attr-defined]
        if not tags:
            del self.fields["tags"]
        blueprint = self.fields["blueprint"]
        blueprint.queryset = device.tenant.blueprints.order_by("name")  # type: ignore[attr-defined]
        if device.blueprint.deleted_at:
            blueprint.required = False
            blueprint.empty_label = f"{device.blueprint.name} (deleted)"  # type: ignore[attr-defined]

    def clean_user(self) -> UUID | Unset | None:
        found = find_person(self.device.tenant, self.cleaned_data["user"], self.initial["user"])
        return UNSET if found is None else found or None

    def changes(self) -> dict[str, Any]:
        """The arguments for `update_device`."""
        fields = self.cleaned_data
        new_tags = [name.strip()[:255] for name in fields["new_tags"].split(",") if name.strip()]
        changes = {
            "user": fields["user"],
            "asset_tag": fields["asset_tag"],
            "tags": [*fields.get("tags", []), *new_tags],
        }
        if fields["blueprint"]:
            changes["blueprint"] = fields["blueprint"].uuid
        return changes


class TypeToConfirmForm(Form):
    """A form that is valid only after the person typed the name of the object to delete, or the number of objects."""

    expected_is = "the name"
    typed_name = forms.CharField(
        max_length=300,
        strip=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, expected: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        if expected:
            field = self.fields["typed_name"]
            field.label = f"Type “{expected}” to confirm"
            field.error_messages["required"] = f"Type {self.expected_is} to go on."
        else:
            del self.fields["typed_name"]

    def clean_typed_name(self) -> str:
        typed: str = self.cleaned_data["typed_name"]
        if _plain(typed) != _plain(self.expected):
            raise forms.ValidationError(f"This is not {self.expected_is}. Nothing was sent.")
        return typed


def name_of(device: Device) -> str:
    """The text to type for a device: its name, or the serial number of a device without one."""
    return device.name.strip() or device.serial_number


def _plain(name: str) -> str:
    # Apple devices have a curved apostrophe in their default names, and few keyboards have one.
    return " ".join(name.replace("\u2019", "'").replace("\u2018", "'").split())
