"""What a condition can ask about a device: one declaration for each attribute.

It says what the attribute is called, how it is compared, which values a person may give, and which devices match. An
operator is for the devices that match or for all others, so that of an operator and its opposite exactly one holds for
each device.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from operator import or_

from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Upper
from django.db.models.lookups import In

from devices.models import Device, Enrollment, Platform
from devices.versions import at_least

type Values = Sequence[str]


class Kind(StrEnum):
    """How a person gives the values."""

    NOTHING = "nothing"
    CHOICES = "choices"
    TAGS = "tags"  # stored as ids
    LINES = "lines"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Operator:
    """`label` is for a menu. `one` and `many` are the words between the label of the attribute and its values."""

    id: str
    label: str
    one: str
    many: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """`matches` are the devices of the first operator, for valid values. `most` limits the number of values."""

    id: str
    label: str
    kind: Kind
    operators: tuple[Operator, Operator]
    matches: Callable[[Values], Q]
    help: str = ""
    most: int = 1
    choices: dict[str, str] = field(default_factory=dict)
    values_label: str = ""

    def operator(self, id: str) -> Operator | None:
        return next((operator for operator in self.operators if operator.id == id), None)

    def devices(self, operator: Operator, values: Values) -> Q:
        return ~self.matches(values) if operator.negated else self.matches(values)


def _among(others: str = "") -> tuple[Operator, Operator]:
    return (
        Operator("is", "Is one of these", "is", "is one of"),
        Operator("is_not", f"Is none of these{others}", "is not", "is none of", negated=True),
    )


def _any(**lookups: Values) -> Q:
    ((lookup, values),) = lookups.items()
    return reduce(or_, (Q(**{lookup: value}) for value in values))


def _tagged(values: Values) -> Q:
    # By the device: a tag may be on a hundred thousand others.
    rows = Device.tags.through.objects.filter(device=OuterRef("pk"), tag__uuid__in=values)
    return Q(Exists(rows))


def _by_ade(_: Values) -> Q:
    live = Enrollment.objects.filter(
        tenant=OuterRef("tenant"), device=OuterRef("pk"), state=Enrollment.State.ENROLLED, kind=Enrollment.Kind.ADE
    )
    return Q(Exists(live))


_OR_UNKNOWN = " (also when it is not known)"


def _of_user(column: str, label: str, values_label: str) -> Attribute:
    return Attribute(
        id=column,
        label=label,
        kind=Kind.LINES,
        values_label=values_label,
        help="One on each line, spelled as in the directory.",
        operators=_among(_OR_UNKNOWN),
        most=50,
        matches=lambda values: Q(**{f"user__{column}__in": values}),
    )


ATTRIBUTES = {
    attribute.id: attribute
    for attribute in (
        Attribute(
            id="family",
            label="Device family",
            kind=Kind.CHOICES,
            values_label="Families",
            operators=_among(),
            most=len(Platform),
            choices=dict(Platform.choices),
            matches=lambda values: Q(platform__in=values),
        ),
        Attribute(
            id="os_version",
            label="OS version",
            kind=Kind.VERSION,
            values_label="Version",
            help="Numbers with dots between them, such as 15.2. They are compared number by number.",
            operators=(
                Operator("at_least", "Is this one or later", "is at least"),
                Operator(
                    "earlier", f"Is earlier than this one{_OR_UNKNOWN}", "is not known or earlier than", negated=True
                ),
            ),
            matches=lambda values: Q(os_version__regex=at_least(values[0])),
        ),
        Attribute(
            id="tag",
            label="Tag",
            kind=Kind.TAGS,
            values_label="Tags",
            operators=(
                Operator("has", "Has at least one of these", "is", "is one of"),
                Operator("has_not", "Has none of these", "is not", "is none of", negated=True),
            ),
            most=50,
            matches=_tagged,
        ),
        Attribute(
            id="assigned_user",
            label="Assigned user",
            kind=Kind.NOTHING,
            operators=(
                Operator("present", "Somebody is assigned", "is present"),
                Operator("absent", "Nobody is assigned", "is absent", negated=True),
            ),
            matches=lambda _: Q(user__isnull=False),
        ),
        _of_user("department", "Department of the user", "Departments"),
        _of_user("job_title", "Job title of the user", "Job titles"),
        Attribute(
            id="model",
            label="Model",
            kind=Kind.LINES,
            values_label="Parts of the model name",
            help="One on each line, such as MacBook Air. Case makes no difference.",
            operators=(
                Operator("contains", "Contains one of these", "contains", "contains one of"),
                Operator(
                    "contains_not", "Contains none of these", "does not contain", "contains none of", negated=True
                ),
            ),
            most=20,
            matches=lambda values: _any(model__icontains=values),
        ),
        Attribute(
            id="serial_number",
            label="Serial number",
            kind=Kind.LINES,
            values_label="Serial numbers",
            help="One on each line. Case makes no difference.",
            operators=_among(),
            most=200,
            matches=lambda values: Q(In(Upper("serial_number"), [value.upper() for value in values])),
        ),
        Attribute(
            id="ade",
            label="Automated Device Enrollment",
            kind=Kind.NOTHING,
            operators=(
                Operator("used", "The device enrolled by it", "was used"),
                Operator("not_used", "The device enrolled in another way", "was not used", negated=True),
            ),
            matches=_by_ade,
        ),
    )
}
