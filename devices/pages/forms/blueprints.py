"""Forms for Blueprints and their library items."""

from typing import Any
from uuid import UUID

from django import forms

from access.http.jump import every
from access.models import Tenant
from access.pages.forms.asking import Form
from access.pages.forms.filters import ListFilter
from access.pages.sorting import by_column, by_number
from devices.blueprints.templates import CATEGORIES
from devices.models import AssignmentNode, Blueprint, LibraryItem
from devices.models.blueprints import BlueprintQuerySet

COLORS = ["blue-500", "green-500", "orange-500", "purple-500", "red-500", "teal-500", "yellow-500"]
# By their names in the API.
ICONS = {
    "ss-layers": "Layers",
    "ss-desktop": "Computer",
    "ss-brush": "Brush",
    "ss-code": "Code",
    "ss-flag": "Flag",
    "ss-lock": "Lock",
    "ss-phone": "Phone",
    "ss-tv": "Display",
    "ss-users": "People",
}


SORTS = {
    "name": by_column("Name", "name"),
    "type": by_column("Type", "type"),
    "devices": by_number("Devices", "computers_count", "Fewest devices", "Most devices"),
}


class BlueprintFilter(ListFilter):
    sorts = SORTS
    default_sort = "name"

    def counted(self) -> BlueprintQuerySet:
        """All Blueprints with `computers_count`."""
        blueprints: BlueprintQuerySet = self.tenant.blueprints.with_devices()
        return blueprints

    def matching(self) -> BlueprintQuerySet:
        by_count = self.chosen.get("sort", "").endswith("devices")
        blueprints = self.counted() if by_count else self.tenant.blueprints.all()
        return blueprints.filter(every(self.search_words, "name"))


class CodeForm(Form):
    """An enrollment code, and whether devices can enroll with it."""

    enrollment_code = forms.CharField(
        required=False,
        max_length=20,
        label="Enrollment code",
        help_text="People type this code to enroll a device into this Blueprint.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    enrollment_code_active = forms.BooleanField(required=False, label="Devices can enroll with this code")


class BlueprintForm(CodeForm):
    """The fields of a Blueprint that can be changed."""

    name = forms.CharField(max_length=255, error_messages={"required": "Give the Blueprint a name."})
    description = forms.CharField(required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 2}))
    color = forms.ChoiceField(required=False, label="Color")
    icon = forms.ChoiceField(required=False)

    field_order = ["name", "description", "color", "icon"]

    def __init__(self, data: Any = None, *, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, initial=initial)
        color, icon = self["color"].initial or "", self["icon"].initial or ""
        colors, icons = {name: name.split("-")[0].title() for name in COLORS}, dict(ICONS)
        self.fields["color"].choices = list(({color: color} | colors if color else colors).items())  # type: ignore[attr-defined]
        self.fields["icon"].choices = list(({icon: icon} | icons if icon else icons).items())  # type: ignore[attr-defined]

    @classmethod
    def of(cls, blueprint: Blueprint, data: Any = None) -> "BlueprintForm":
        form = cls(data, initial={name: getattr(blueprint, name) for name in cls.base_fields})
        if blueprint.type == Blueprint.Type.MAP:  # a map has a fixed color and icon
            del form.fields["color"], form.fields["icon"]
        return form


class NewBlueprintForm(BlueprintForm):
    """A new Blueprint. `source` is `template:<number>` or `blueprint:<id>`."""

    type = forms.ChoiceField(
        choices=Blueprint.Type.choices,
        help_text="An Assignment Map decides by rules which library items a device gets.",
    )
    source = forms.ChoiceField(required=False, label="Start from")

    field_order = ["name", "description", "type", "source", "color", "icon"]

    def __init__(self, data: Any = None, *, tenant: Tenant) -> None:
        super().__init__(data, initial={"enrollment_code_active": True})
        for name in ("color", "icon"):
            field = self.fields[name]
            field.choices = [("", "Default"), *field.choices]  # type: ignore[attr-defined]
        self.fields["enrollment_code"].help_text = "Leave it empty for six random digits."
        templates = [(f"template:{one.id}", one.name) for category in CATEGORIES for one in category.templates]
        blueprints = [
            (f"blueprint:{uuid}", name) for uuid, name in tenant.blueprints.order_by("name").values_list("uuid", "name")
        ]
        choices: list[Any] = [("", "Nothing"), ("Templates", templates)]
        if blueprints:
            choices.append(("A copy of", blueprints))
        self.fields["source"].choices = choices  # type: ignore[attr-defined]


class LibraryItemForm(Form):
    """A library item for a Blueprint; for a map with nodes, also the node."""

    library_item: "forms.ModelChoiceField[LibraryItem]" = forms.ModelChoiceField(
        None, to_field_name="uuid", empty_label="Choose…", label="Library item"
    )
    node: "forms.ModelChoiceField[AssignmentNode]" = forms.ModelChoiceField(
        None, to_field_name="uuid", empty_label="Choose…", label="Branch of the map"
    )

    def __init__(self, data: Any = None, *, blueprint: Blueprint, branch: str = "") -> None:
        """`branch` is the id of the one that is chosen at first."""
        super().__init__(data, initial={"node": branch})
        items, nodes = blueprint.tenant.library_items.order_by("name", "pk"), blueprint.nodes.order_by("position", "pk")
        self.fields["library_item"].queryset = items  # type: ignore[attr-defined]
        self.fields["node"].queryset = nodes  # type: ignore[attr-defined]
        if not nodes.exists():
            del self.fields["node"]

    @property
    def library_item_id(self) -> UUID:
        item: LibraryItem = self.cleaned_data["library_item"]
        return item.uuid

    @property
    def node_id(self) -> UUID | None:
        node: AssignmentNode | None = self.cleaned_data.get("node")
        return node.uuid if node else None
