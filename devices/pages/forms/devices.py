"""Forms of the Devices pages: what of the list is asked for, what is changed on one device, and a name typed again."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.urls import reverse_lazy
from django.utils import timezone

from access.models import Tenant
from devices.fleet.devices import UNSET, Unset
from devices.models import Blueprint, Device, Platform, Tag
from devices.models.devices import DeviceQuerySet

OFFERED_TAGS = 200
# As people write them; the labels of the model's choices are made from its names.
PLATFORMS = {platform.value: platform.value for platform in Platform} | {Platform.APPLE_TV.value: "Apple TV"}
DAYS = {"day": 1, "week": 7, "month": 30}
ORDERS = {
    "": [F("name").asc()],
    "-name": [F("name").desc()],
    "-seen": [F("last_check_in").desc(nulls_last=True)],
    "seen": [F("last_check_in").asc(nulls_first=True)],
}


class DeviceFilter(forms.Form):
    """What of the list is asked for. Everything is optional, and what makes no sense is passed over."""

    q = forms.CharField(required=False, max_length=100)
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
            ("longer", "More than 30 days ago"),
            ("never", "Never"),
        ],
    )
    sort = forms.ChoiceField(
        required=False,
        label="Sort by",
        choices=[("", "Name"), ("-name", "Name, from Z"), ("-seen", "Newest check-in"), ("seen", "Oldest check-in")],
    )

    def __init__(self, data: Any, *, tenant: Tenant) -> None:
        super().__init__(data)
        self.tenant = tenant
        self.fields["blueprint"].queryset = tenant.blueprints.order_by("name")  # type: ignore[attr-defined]
        self.fields["tag"].queryset = tenant.tags.order_by("name")  # type: ignore[attr-defined]
        self.full_clean()

    @property
    def chosen(self) -> dict[str, str]:
        """As the address of the page writes it."""
        return {name: self.data[name] for name, value in self.cleaned_data.items() if value}

    @property
    def narrowed(self) -> dict[str, str]:
        """What leaves devices out: all that is chosen, but for their order."""
        return {name: value for name, value in self.chosen.items() if name != "sort"}

    @property
    def popover_count(self) -> int:
        """How many of the filters behind the button are set."""
        return len(self.narrowed.keys() - {"q"})

    def apply(self) -> DeviceQuerySet:
        """Found by one set of keys for each condition, so that each is answered by the index that suits it."""
        everything: DeviceQuerySet = self.tenant.devices.order_by()
        devices, wanted = everything, self.cleaned_data
        for name in ("platform", "blueprint"):
            if wanted.get(name):
                devices = devices.filter(pk__in=everything.filter(**{name: wanted[name]}).values("pk"))
        if wanted.get("tag"):
            devices = devices.filtered({"tag_id": wanted["tag"].uuid})
        if wanted.get("seen"):
            devices = devices.filter(pk__in=everything.filter(_seen(wanted["seen"])).values("pk"))
        if text := wanted.get("q", "").strip():
            devices = devices.filter(self._search(everything, text))
        return devices.order_by(*ORDERS[wanted.get("sort", "")], "pk")

    def _search(self, everything: DeviceQuerySet, text: str) -> Q:
        serials = everything.exclude(serial_number="").alias(upper=Upper("serial_number"))
        people = self.tenant.users.filter(Q(name__icontains=text) | Q(email__icontains=text), devices__isnull=False)
        return (
            Q(pk__in=everything.filter(name__icontains=text).values("pk"))
            | Q(pk__in=serials.filter(upper__contains=text.upper()).values("pk"))
            | Q(pk__in=people.order_by().values("devices__pk"))
        )


def _seen(span: str) -> Q:
    match span:
        case "never":
            return Q(last_check_in=None)
        case "longer":
            return Q(last_check_in__lt=timezone.now() - timedelta(days=DAYS["month"]))
    return Q(last_check_in__gte=timezone.now() - timedelta(days=DAYS[span]))


class DeviceForm(forms.Form):
    """What the API's `Update a device` changes."""

    user = forms.CharField(
        required=False,
        max_length=254,
        label="Assigned user",
        help_text="E-mail address of a user. Leave it empty to unassign the device.",
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "list": "people",
                "hx-get": reverse_lazy("user-options"),
                "hx-trigger": "input changed delay:200ms",
                "hx-target": "#people",
            }
        ),
    )
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
        carried = sorted(tag.name for tag in device.tags.all())
        super().__init__(
            data,
            initial={
                "user": device.user.email if device.user else "",
                "blueprint": device.blueprint.uuid,
                "asset_tag": device.asset_tag,
                "tags": carried,
            },
        )
        self.device = device
        offered = set(device.tenant.tags.order_by("name").values_list("name", flat=True)[:OFFERED_TAGS]) | set(carried)
        self.fields["tags"].choices = [(name, name) for name in sorted(offered, key=str.casefold)]  # type: ignore[attr-defined]
        if not offered:
            del self.fields["tags"]
        blueprint = self.fields["blueprint"]
        blueprint.queryset = device.tenant.blueprints.order_by("name")  # type: ignore[attr-defined]
        if device.blueprint.deleted_at:
            blueprint.required = False
            blueprint.empty_label = f"{device.blueprint.name} (deleted)"  # type: ignore[attr-defined]

    def clean_user(self) -> UUID | Unset | None:
        email = self.cleaned_data["user"].strip()
        if email == self.initial["user"]:
            return UNSET
        if not email:
            return None
        people = self.device.tenant.users.filter(email__iexact=email)
        found = list(people.filter(archived=False)[:2]) or list(people[:2])
        if not found:
            raise forms.ValidationError("No user has this e-mail address.")
        if len(found) > 1:
            raise forms.ValidationError("Several users have this e-mail address. Assign the device through the API.")
        return found[0].uuid

    def changes(self) -> dict[str, Any]:
        """For `update_device`: what it shall be given."""
        wanted = self.cleaned_data
        new = [name.strip()[:255] for name in wanted["new_tags"].split(",") if name.strip()]
        changes = {
            "user": wanted["user"],
            "asset_tag": wanted["asset_tag"],
            "tags": [*wanted.get("tags", []), *new],
        }
        if wanted["blueprint"]:
            changes["blueprint"] = wanted["blueprint"].uuid
        return changes


class TypeToConfirmForm(forms.Form):
    """A form that goes through only once the name of what it destroys has been typed."""

    typed_name = forms.CharField(
        max_length=300,
        strip=False,
        error_messages={"required": "Type the name to go on."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, expected: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = expected
        if expected:
            self.fields["typed_name"].label = f"Type “{expected}” to confirm"
        else:
            del self.fields["typed_name"]

    def clean_typed_name(self) -> str:
        typed: str = self.cleaned_data["typed_name"]
        if _plain(typed) != _plain(self.expected):
            raise forms.ValidationError("This is not the name. Nothing was sent.")
        return typed


def name_of(device: Device) -> str:
    """What to type for a device, also for one that reported no name."""
    return device.name.strip() or device.serial_number


def _plain(name: str) -> str:
    # Phones and Macs write a curved apostrophe into their names, which few keyboards have.
    return " ".join(name.replace("\u2019", "'").replace("\u2018", "'").split())
