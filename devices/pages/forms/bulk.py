"""Forms of bulk actions: the action for the selected rows, and the number of rows that the person was shown."""

from collections.abc import Set
from typing import Any, cast
from uuid import UUID, uuid4

from django import forms
from django.http import HttpRequest, QueryDict

from access.models import Tenant
from access.pages.forms.asking import Form
from devices.bulk.changes import AddTag, AssignBlueprint, AssignUser, Change, RemoveTag, SendCommand
from devices.bulk.item_changes import AssignItem, RemoveItem
from devices.commands import Command
from devices.models import AssignmentNode, Blueprint, Tag
from devices.pages.forms.device_commands import CommandForm
from devices.pages.forms.people import PersonField, find_person

NO_TAG = "Choose a tag."
STALE = "This form is out of date. Close it and open it again."


class BulkForm(Form):
    """The base form. `id` is the id of the action to start, `count` the number of rows that the person was shown."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    count = forms.IntegerField(min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, tenant: Tenant, count: int, **options: Any) -> None:
        # The list below the dialog has filters with the same names.
        super().__init__(data, auto_id="bulk_%s", **options)
        self.tenant = tenant
        self.fields["id"].initial, self.fields["count"].initial = uuid4(), count

    def clean(self) -> None:
        super().clean()
        if self.has_error("id") or self.has_error("count"):
            self.add_error(None, STALE)

    def change(self) -> Change[Any]:
        """The change that a valid form describes."""
        raise NotImplementedError

    @property
    def needs_confirmation(self) -> bool:
        """Whether the valid form is the first of two steps, and the second must follow."""
        return False

    def confirmation(self, count: int) -> "BulkForm":
        """The form of the second step."""
        raise NotImplementedError

    def refuse_once(self, count: int) -> None:
        """Prepare the form to be sent again, with an error and the current number of rows."""
        data = cast("QueryDict", self.data).copy()
        data["count"] = str(count)
        self.data = data


class ChoiceForm(BulkForm):
    """A form in two steps: a choice, and then a confirmation with the numbers of affected rows."""

    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    @property
    def needs_confirmation(self) -> bool:
        return not self.cleaned_data["confirmed"]

    def confirmation(self, count: int) -> BulkForm:
        chosen = {name: self.data.get(name, "") for name in self.fields if name not in {"id", "count"}}
        form = type(self)(tenant=self.tenant, count=count, initial=chosen | {"confirmed": "1"})
        form.hide_choice()
        return form

    def refuse_once(self, count: int) -> None:
        super().refuse_once(count)
        self.hide_choice()

    def hide_choice(self) -> None:
        for field in self.fields.values():
            field.widget = field.hidden_widget()


class AddTagForm(ChoiceForm):
    tag: "forms.ModelChoiceField[Tag]" = forms.ModelChoiceField(
        None, to_field_name="uuid", empty_label="Choose…", required=False
    )
    new_tag = forms.CharField(required=False, max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["tag"].queryset = self.tenant.tags.order_by("name")  # type: ignore[attr-defined]

    def clean(self) -> None:
        super().clean()
        chosen = [name for name in ("tag", "new_tag") if self.cleaned_data.get(name)]
        if len(chosen) != 1 and not self.errors:
            self.add_error("new_tag" if chosen else "tag", "Choose a tag or write a new one." if chosen else NO_TAG)

    def change(self) -> AddTag:
        return AddTag(
            self.tenant, self.cleaned_data["tag"] or Tag(tenant=self.tenant, name=self.cleaned_data["new_tag"])
        )


class RemoveTagForm(ChoiceForm):
    tag: "forms.ModelChoiceField[Tag]" = forms.ModelChoiceField(
        None, to_field_name="uuid", empty_label="Choose…", error_messages={"required": NO_TAG}
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["tag"].queryset = self.tenant.tags.order_by("name")  # type: ignore[attr-defined]

    def change(self) -> RemoveTag:
        return RemoveTag(self.tenant, self.cleaned_data["tag"])


class AssignBlueprintForm(ChoiceForm):
    blueprint: "forms.ModelChoiceField[Blueprint]" = forms.ModelChoiceField(
        None, to_field_name="uuid", empty_label="Choose…", error_messages={"required": "Choose a Blueprint."}
    )

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["blueprint"].queryset = self.tenant.blueprints.order_by("name")  # type: ignore[attr-defined]

    def change(self) -> AssignBlueprint:
        return AssignBlueprint(self.tenant, self.cleaned_data["blueprint"])


class AssignUserForm(ChoiceForm):
    user = PersonField()
    unassign = forms.BooleanField(required=False, label="Remove the user from these devices instead")

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.fields["user"].help_text = "E-mail address of a user."

    def clean_user(self) -> UUID | None:
        return find_person(self.tenant, self.cleaned_data["user"], "") or None

    def clean(self) -> None:
        super().clean()
        if bool(self.cleaned_data.get("user")) == self.cleaned_data.get("unassign", False) and not self.errors:
            self.add_error("user", "Write the e-mail address of a user, or tick the box below; not both.")

    def change(self) -> AssignUser:
        id = self.cleaned_data["user"]
        return AssignUser(self.tenant, self.tenant.users.get(uuid=id) if id else None)


class PlaceForm(ChoiceForm):
    """The Blueprint, or the branch of a map, to assign library items to or to remove them from."""

    place = forms.ChoiceField(label="Blueprint", error_messages={"required": "Choose a Blueprint."})
    kind: type[AssignItem | RemoveItem]

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, **options)
        self._places = dict(_places(self.tenant))
        labels = [
            (value, f"{found.name}, {node.name}" if node else found.name)
            for value, (found, node) in self._places.items()
        ]
        self.fields["place"].choices = [("", "Choose…"), *labels]  # type: ignore[attr-defined]

    def change(self) -> AssignItem | RemoveItem:
        return self.kind(self.tenant, *self._places[self.cleaned_data["place"]])


class AssignItemForm(PlaceForm):
    kind = AssignItem


class RemoveItemForm(PlaceForm):
    kind = RemoveItem


class BulkCommandForm(BulkForm, CommandForm):
    """The parameters of a command to devices of several families, and the confirmations that it requires."""

    expected_is = "the number of devices"

    def __init__(
        self,
        data: Any = None,
        *,
        tenant: Tenant,
        count: int,
        platforms: Set[str],
        command: Command[Any],
        request: HttpRequest,
    ) -> None:
        super().__init__(
            data,
            tenant=tenant,
            count=count,
            command=command,
            platforms=platforms,
            request=request,
            expected=devices_in_words(count) if command.confirm_by_name else "",
        )

    def change(self) -> SendCommand:
        return SendCommand(self.tenant, self.command, self.body)


def devices_in_words(count: int) -> str:
    return f"{count:,} device{'' if count == 1 else 's'}"


def _places(tenant: Tenant) -> Any:
    """(value of the field, Blueprint and branch) of each place to which items can be assigned."""
    branches: dict[int, list[AssignmentNode | None]] = {}
    for node in AssignmentNode.objects.filter(blueprint__tenant=tenant).order_by("position", "pk"):
        branches.setdefault(node.blueprint_id, []).append(node)
    for blueprint in tenant.blueprints.order_by("name", "pk"):
        for branch in branches.get(blueprint.pk, [None]):
            yield str(branch.uuid if branch else blueprint.uuid), (blueprint, branch)
