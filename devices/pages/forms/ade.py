"""Forms of Automated Device Enrollment: a server and its token, the defaults of its devices, and one device."""

from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.db.models.functions import Upper

from access.models import Tenant
from access.pages.forms.asking import Form
from access.pages.forms.filters import ListFilter
from access.pages.sorting import by_column, by_number
from devices.enrollment.ade import Defaults
from devices.enrollment.ade_devices import AdeDeviceChanges
from devices.models import AdeDevice, AdeIntegration
from devices.models.enrollment import AdeDeviceQuerySet
from devices.pages.forms.people import PersonField, find_person

ROUTING = "routing"


def destinations(tenant: Tenant, *, none: str = "") -> list[tuple[str, str]]:
    """The choices for enrollment: Blueprint Routing, or one of the Blueprints. `none` labels an empty choice."""
    blueprints = tenant.blueprints.order_by("name", "pk").values_list("uuid", "name")
    empty = [("", none)] if none else []
    return [*empty, (ROUTING, "Blueprint Routing"), *((str(uuid), name) for uuid, name in blueprints)]


class DefaultsForm(Form):
    """The defaults of devices that Apple assigns to a server later: Blueprint or routing, and the support contact."""

    destination = forms.ChoiceField(
        label="New devices enroll into", help_text="Devices that are assigned already keep theirs."
    )
    email = forms.EmailField(max_length=254, label="Support e-mail", help_text="Shown while a device is set up.")
    phone = forms.CharField(max_length=60, label="Support phone")

    def __init__(
        self, data: Any = None, files: Any = None, *, tenant: Tenant, integration: AdeIntegration | None = None
    ):
        initial = {}
        if integration:
            blueprint = integration.live_blueprint
            destination = ROUTING if integration.use_blueprint_routing else str(blueprint.uuid) if blueprint else ""
            initial = {"destination": destination, "email": integration.email, "phone": integration.phone}
        super().__init__(data, files, initial=initial)
        self.fields["destination"].choices = destinations(tenant)  # type: ignore[attr-defined]

    def defaults(self) -> Defaults:
        values = self.cleaned_data
        routed = values["destination"] == ROUTING
        return Defaults(
            blueprint_id=None if routed else UUID(values["destination"]),
            use_blueprint_routing=routed,
            email=values["email"],
            phone=values["phone"],
        )


class ServerTokenForm(DefaultsForm):
    """The same form, with the token of the server."""

    file = forms.FileField(
        label="Server token",
        help_text="The .p7m file from Apple Business Manager or Apple School Manager.",
        widget=forms.FileInput(attrs={"accept": ".p7m"}),
        error_messages={"required": "Choose the server token file.", "empty": "This file is empty."},
    )
    field_order = ["file", "destination", "email", "phone"]


SORTS = {
    "serial": by_column("Serial number", "serial_number"),
    "model": by_column("Model", "model"),
    "profile": by_column("Profile", "profile_status"),
    "assigned": by_number("Assigned by Apple", "device_assigned_date", "Assigned first", "Assigned last"),
}


class AdeDeviceFilter(ListFilter):
    server: "forms.ModelChoiceField[AdeIntegration]" = forms.ModelChoiceField(
        None, required=False, empty_label="Any", to_field_name="uuid"
    )
    family = forms.ChoiceField(required=False, label="Type", choices=[("", "Any"), *AdeDevice.Family.choices])
    status = forms.ChoiceField(required=False, label="Profile", choices=[("", "Any"), *AdeDevice.ProfileStatus.choices])

    def set_choices(self) -> None:
        self.fields["server"].queryset = self.tenant.ade_integrations.order_by("server_name")  # type: ignore[attr-defined]

    sorts = SORTS
    default_sort, default_label = "-assigned", "Assigned last"

    def matching(self) -> AdeDeviceQuerySet:
        fields = self.cleaned_data
        columns = {"server": "integration", "family": "device_family", "status": "profile_status"}
        devices: AdeDeviceQuerySet = self.tenant.ade_devices.filter(
            **{column: fields[name] for name, column in columns.items() if fields.get(name)}
        )
        for word in self.search_words:
            serials = devices.alias(upper=Upper("serial_number")).filter(upper__contains=word.upper())
            devices = devices.filter(Q(pk__in=serials.values("pk")) | Q(model__icontains=word))
        return devices.order_by("-device_assigned_date", "-pk")


class AdeDeviceForm(Form):
    """The values that a device gets when it enrolls."""

    destination = forms.ChoiceField(required=False, label="Enrolls into")
    user = PersonField()
    asset_tag = forms.CharField(required=False, max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    follow = forms.BooleanField(required=False, label="Give it the enrollment profile of its Blueprint again")

    def __init__(self, data: Any = None, *, device: AdeDevice) -> None:
        blueprint = device.live_blueprint
        destination = ROUTING if device.use_blueprint_routing else str(blueprint.uuid) if blueprint else ""
        initial = {
            "destination": destination,
            "user": device.user.email if device.user else "",
            "asset_tag": device.asset_tag or "",
        }
        super().__init__(data, initial=initial)
        self.device = device
        none = "" if destination else "Not decided"
        self.fields["destination"].choices = destinations(device.tenant, none=none)  # type: ignore[attr-defined]
        if device.override_dep_profile_id is None:
            del self.fields["follow"]

    def clean_user(self) -> Any:
        return find_person(self.device.tenant, self.cleaned_data["user"], self.initial["user"])

    def changes(self) -> AdeDeviceChanges:
        """The arguments for `update_ade_device`."""
        values, changes = self.cleaned_data, AdeDeviceChanges()
        changes["asset_tag"] = values["asset_tag"] or None
        if values["destination"] == ROUTING:
            changes["use_blueprint_routing"] = True
        elif values["destination"]:
            changes["blueprint_id"] = UUID(values["destination"])
        if values["user"] is not None:
            changes["user_id"] = values["user"] or None
        if values.get("follow"):
            changes["override_dep_profile_id"] = None
        return changes
