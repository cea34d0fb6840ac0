"""Forms for the branches of an assignment map and their conditions."""

from typing import Any

from django import forms

from access.models import Tenant
from access.pages.forms.asking import Form
from devices.conditions.attributes import Attribute, Kind
from devices.conditions.conditions import LONGEST_VALUE, Condition
from devices.models import AssignmentNode

OFFERED_TAGS = 500


class BranchForm(Form):
    """The name of a branch."""

    name = forms.CharField(max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"}))

    def __init__(self, data: Any = None, *, branch: AssignmentNode | None = None) -> None:
        super().__init__(data, initial={"name": branch.name} if branch else None)


class ConditionForm(Form):
    """A condition about one attribute. The fields are those that the attribute declares."""

    operator = forms.ChoiceField(widget=forms.RadioSelect, error_messages={"required": "Choose how to compare."})

    def __init__(
        self, data: Any = None, *, tenant: Tenant, attribute: Attribute, condition: Condition | None = None
    ) -> None:
        super().__init__(data)
        self.attribute = attribute
        operator = self.fields["operator"]
        operator.label = attribute.label
        operator.choices = [(each.id, each.label) for each in attribute.operators]  # type: ignore[attr-defined]
        operator.initial = condition.operator if condition else attribute.operators[0].id
        stored = list(condition.values) if condition else []
        if field := _values_field(tenant, attribute, stored):
            field.label, field.help_text = attribute.values_label, attribute.help
            self.fields["values"] = field

    @property
    def has_no_choice(self) -> bool:
        """Whether there is nothing to choose from: the tenant has no tags."""
        field = self.fields.get("values")
        return isinstance(field, forms.MultipleChoiceField) and not field.choices

    @property
    def values(self) -> list[str]:
        given = self.cleaned_data.get("values", [])
        return given.splitlines() if isinstance(given, str) else given


def _values_field(tenant: Tenant, attribute: Attribute, stored: list[str]) -> forms.Field | None:
    match attribute.kind:
        case Kind.VERSION:
            return forms.CharField(max_length=30, initial="".join(stored), widget=forms.TextInput(attrs=_PLAIN))
        case Kind.LINES:
            longest = (LONGEST_VALUE + 2) * attribute.most
            widget = forms.Textarea(attrs={"rows": 4, **_PLAIN})
            return forms.CharField(max_length=longest, initial="\n".join(stored), widget=widget)
        case Kind.CHOICES:
            choices = list(attribute.choices.items())
        case Kind.TAGS:
            offered = {
                str(uuid): name
                for uuid, name in tenant.tags.order_by("name").values_list("uuid", "name")[:OFFERED_TAGS]
            }
            offered |= {
                str(uuid): name for uuid, name in tenant.tags.filter(uuid__in=stored).values_list("uuid", "name")
            }
            choices = sorted(offered.items(), key=lambda choice: choice[1].casefold())
        case Kind.NOTHING:
            return None
    return forms.MultipleChoiceField(choices=choices, initial=stored, widget=forms.CheckboxSelectMultiple)


_PLAIN = {"autocomplete": "off", "autocapitalize": "off"}
