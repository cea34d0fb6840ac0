"""Conditions of the branches of an assignment map: their form in the database, as queries, and in words."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q

from access.models import Tenant
from devices.conditions.attributes import ATTRIBUTES, Attribute, Kind
from devices.text import is_storable
from devices.versions import VERSION

MOST_CONDITIONS = 10  # of a branch
MOST_VALUES = 1000  # of all of them together: a query about a map must fit into what SQLite accepts
LONGEST_VALUE = 255
NOBODY = Q(pk__in=[])  # holds for no device


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. An attribute or operator that this server does not know is kept, and holds for no device."""

    attribute: str
    operator: str
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, stored: Any) -> Self:
        """The condition of an object in the database."""
        return cls(stored["attribute"], stored["operator"], tuple(stored["values"]))

    @classmethod
    def checked(cls, *, tenant: Tenant, attribute: str, operator: str, values: Iterable[str]) -> Self:
        """A condition that a person gives. Raises ValidationError with the name of the field."""
        declared = ATTRIBUTES.get(attribute)
        if declared is None:
            raise ValidationError({"attribute": "There is no such attribute."})
        if declared.operator(operator) is None:
            raise ValidationError({"operator": "Choose how to compare."})
        cleaned = tuple(dict.fromkeys(value for text in values if (value := text.strip())))
        _check(declared, cleaned)
        if declared.kind == Kind.TAGS:
            cleaned = _known_tags(tenant, cleaned)
        return cls(attribute, operator, cleaned)

    @property
    def stored(self) -> dict[str, Any]:
        return {"attribute": self.attribute, "operator": self.operator, "values": list(self.values)}

    @property
    def key(self) -> str:
        """Names this condition among those of a branch. A changed condition has another one."""
        return sha256(json.dumps(self.stored).encode()).hexdigest()[:16]

    @property
    def declared(self) -> Attribute | None:
        return ATTRIBUTES.get(self.attribute)

    def devices(self) -> Q:
        """The devices that it holds for, of any tenant: filter those of one."""
        attribute = self.declared
        operator = attribute.operator(self.operator) if attribute else None
        return attribute.devices(operator, self.values) if attribute and operator else NOBODY

    def words(self, tags: Mapping[str, str], most: int = 0) -> str:
        """The condition as a sentence without a stop. `tags` are the names of the tenant's tags by their ids; `most`
        limits the number of values that are named."""
        attribute = self.declared
        operator = attribute.operator(self.operator) if attribute else None
        if attribute is None or operator is None:
            return "A condition that this server does not know. It holds for no device"
        named = self.values[: most or None]
        values = ", ".join(_shown(attribute, value, tags) for value in named)
        more = f" and {len(self.values) - len(named)} more" if len(named) < len(self.values) else ""
        verb = operator.many if len(self.values) > 1 and operator.many else operator.one
        return f"{attribute.label} {verb} {values}{more}".strip()


def of_branch(stored: Iterable[Any]) -> list[Condition]:
    """The conditions in the column of a branch."""
    return [Condition.of(each) for each in stored]


def hold(stored: Iterable[Any]) -> Q:
    """The devices for which all conditions in the column of a branch hold."""
    holding = Q()
    for condition in of_branch(stored):
        holding &= condition.devices()
    return holding


def tag_names(tenant: Tenant, conditions: Iterable[Condition]) -> dict[str, str]:
    """The names of the tags in these conditions by their ids. A deleted tag is not among them."""
    ids = {id for condition in conditions if condition.attribute == "tag" for id in condition.values}
    if not ids:
        return {}
    return {str(uuid): name for uuid, name in tenant.tags.filter(uuid__in=ids).values_list("uuid", "name")}


def _check(attribute: Attribute, values: tuple[str, ...]) -> None:
    if attribute.kind == Kind.NOTHING:
        if values:
            raise ValidationError({"values": "This condition has no value."})
        return
    if not values:
        raise ValidationError({"values": "Give a value."})
    if len(values) > attribute.most:
        raise ValidationError({"values": f"Give at most {attribute.most}: these are {len(values)}."})
    if long := next((value for value in values if len(value) > LONGEST_VALUE), None):
        raise ValidationError({"values": f"“{long[:30]}…” has more than {LONGEST_VALUE} characters."})
    if not all(is_storable(value) for value in values):
        raise ValidationError({"values": "Null characters are not allowed."})
    if attribute.kind == Kind.CHOICES and not attribute.choices.keys() >= set(values):
        raise ValidationError({"values": "Choose from the list."})
    if attribute.kind == Kind.VERSION and not VERSION.fullmatch(values[0]):
        raise ValidationError({"values": "Give numbers with dots between them, such as 15.2."})


def _known_tags(tenant: Tenant, values: tuple[str, ...]) -> tuple[str, ...]:
    try:
        ids = {UUID(value) for value in values}
    except ValueError:
        ids = set()
    if not ids or tenant.tags.filter(uuid__in=ids).count() != len(ids):
        raise ValidationError({"values": "Choose from the tags."})
    return tuple(sorted(str(id) for id in ids))


def _shown(attribute: Attribute, value: str, tags: Mapping[str, str]) -> str:
    if attribute.kind == Kind.TAGS:
        return f"“{tags[value]}”" if value in tags else "a deleted tag (no device has it)"
    if attribute.kind == Kind.LINES:
        return f"“{value}”"
    return attribute.choices.get(value, value)
