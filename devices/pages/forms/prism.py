"""The choices on a page of Prism: filter, family, Blueprint and order, as parameters of its URL."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson
from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from access.models import Tenant
from access.pages.forms.asking import Form
from devices.filters import OPERATORS as KIND_OPERATORS
from devices.filters import FilterError, Kind, comparisons_of, read_filter
from devices.models import Blueprint
from devices.models.prism.columns import Category, Column
from devices.prism.columns import KINDS, columns_of, filter_columns, sort_column
from devices.prism.search import FAMILIES, Search, find

type Tests = dict[str, dict[str, Any]]

# The operators of the form: the label, and the operator of the filter.
OPERATORS = {
    "is": ("is", "in"),
    "is_not": ("is not", "not_in"),
    "contains": ("contains", "like"),
    "lacks": ("does not contain", "not_like"),
    "after": ("is after, or more than", "gt"),
    "before": ("is before, or less than", "lt"),
    "empty": ("is empty", "is_null"),
    "given": ("is not empty", "is_null"),
}
WORDS = {
    "in": "is",
    "not_in": "is not",
    "eq": "is",
    "like": "contains",
    "not_like": "does not contain",
    "gt": "is after",
    "gte": "is from",
    "lt": "is before",
    "lte": "is until",
    "or": "is",
}
VALUES = {
    Kind.BOOLEAN: "yes or no",
    Kind.DATE: "a date, such as 2026-09-03",
    Kind.NUMBER: "a number",
    Kind.TEXT: "a text of up to 500 characters",
}
TRUTHS = {"yes": True, "true": True, "no": False, "false": False}


class AddForm(Form):
    """A condition to add. Its fields are removed from the URL once the condition is in the filter."""

    column = forms.ChoiceField()
    operator = forms.ChoiceField(choices=[(name, words) for name, (words, _) in OPERATORS.items()])
    value = forms.CharField(
        required=False, max_length=500, widget=forms.TextInput(attrs={"placeholder": "Value", "autocomplete": "off"})
    )

    def __init__(self, data: Any, *, category: Category) -> None:
        super().__init__(data, initial={"column": category.shown[0]})
        shown = [column for column in category.columns if column.filtered and column.place != "nowhere"]
        # The category's own columns come first. The common ones are the same in every category.
        own = [(column.key, column.label) for column in category.own if column in shown]
        common = [(column.key, column.label) for column in shown if column not in category.own]
        self.fields["column"].choices = [(category.label, own), ("Device and report", common)]  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Chip:
    """A condition in words, and the URL of the page without it."""

    text: str
    without: str


@dataclass
class PrismFilter:
    """The choices of a page. Invalid parameters are ignored. For an invalid filter, `error` has the reason."""

    tenant: Tenant
    category: Category
    tests: Tests = field(default_factory=dict)
    family: str = ""
    blueprint: Blueprint | None = None
    sort: str = ""
    error: str = ""

    @classmethod
    def of(cls, data: QueryDict, *, tenant: Tenant, category: Category) -> "PrismFilter":
        chosen = cls(tenant, category)
        family = data.get("family", "")
        chosen.family = family if family in FAMILIES else ""
        try:
            if id := data.get("blueprint"):
                chosen.blueprint = tenant.blueprints.filter(uuid=id).first()
        except ValidationError:
            chosen.blueprint = None
        try:
            if text := data.get("filter"):
                read_filter(text, filter_columns(category.name))
                chosen.tests = orjson.loads(text)
            if sort := data.get("sort"):
                sort_column(category.name, sort)
                chosen.sort = sort
        except FilterError as error:
            chosen.error = " ".join(error.messages)
        return chosen

    def add(self, form: AddForm) -> bool:
        """Add the form's condition. Returns False, with an error in the form, if the column does not support it."""
        if not form.is_valid():
            return False
        name, operator, value = (form.cleaned_data[key] for key in ("column", "operator", "value"))
        column = columns_of(self.category.name)[name]
        tests = {key: dict(each) for key, each in self.tests.items()}
        tests.setdefault(name, {})
        _put(tests[name], column, operator, value.strip())
        try:
            comparisons_of(tests, filter_columns(self.category.name))
        except FilterError:
            form.add_error("value", _refusal(column, operator))
            return False
        self.tests = tests
        return True

    @property
    def chosen(self) -> dict[str, str]:
        """The parameters of the page's URL."""
        return self._parameters(self.tests)

    @property
    def narrowing(self) -> bool:
        return bool(self.tests or self.family or self.blueprint)

    @property
    def query(self) -> str:
        return urlencode(self.chosen)

    def search(self) -> Search:
        return find(
            tenant=self.tenant,
            category=self.category,
            comparisons=comparisons_of(self.tests, filter_columns(self.category.name)),
            blueprint_ids=[self.blueprint.uuid] if self.blueprint else (),
            families=[self.family] if self.family else (),
        )

    def only(self, column: Column, value: Any) -> str:
        """The query of the page that shows the rows with this value; empty for a value that cannot be filtered."""
        if not column.filtered or column.place == "nowhere" or column.kind in {"json", "unseen", "date"}:
            return ""
        if value is None or (value == "" and column.blank_is_null):
            test: dict[str, Any] = {"is_null": True}
        elif column.kind == "boolean":
            test = {"eq": value}
        else:
            test = {"in": [value if column.kind in {"integer", "number"} else str(value)]}
        return urlencode(self._parameters({**self.tests, column.key: test}))

    def sorted_by(self, column: Column) -> str:
        """The query of the page sorted by this column; descending if it is already sorted by it."""
        sort = f"-{column.key}" if self.sort == column.key else column.key
        return urlencode({**self.chosen, "sort": sort})

    @property
    def words(self) -> str:
        """All choices except the order, in words."""
        family = [f"Family is {self.family}"] if self.family else []
        blueprint = [f"Blueprint is {self.blueprint.name}"] if self.blueprint else []
        return ", ".join([*(chip.text for chip in self.chips()), *family, *blueprint])

    def chips(self) -> list[Chip]:
        known = columns_of(self.category.name)
        return [
            Chip(f"{known[name].label} {_words(operator, value)}", urlencode(self._without(name, operator)))
            for name, operators in self.tests.items()
            for operator, value in operators.items()
        ]

    def _without(self, name: str, operator: str) -> dict[str, str]:
        rest = {key: value for key, value in self.tests[name].items() if key != operator}
        others = {key: each for key, each in self.tests.items() if key != name}
        return self._parameters({**others, name: rest} if rest else others)

    def _parameters(self, tests: Tests) -> dict[str, str]:
        parameters = {
            "filter": orjson.dumps(tests).decode() if tests else "",
            "family": self.family,
            "blueprint": str(self.blueprint.uuid) if self.blueprint else "",
            "sort": self.sort,
        }
        return {name: value for name, value in parameters.items() if value}


def _refusal(column: Column, operator: str) -> str:
    """The form's message about a condition that cannot be added."""
    kind = KINDS[column.kind]
    allowed = {*KIND_OPERATORS[kind], *(("in", "not_in") if kind is Kind.BOOLEAN else ())}
    if OPERATORS[operator][1] in allowed:
        return f"“{column.label}” is compared with {VALUES.get(kind, 'other values')}."
    words = [words for words, name in OPERATORS.values() if name in allowed]
    return f"“{column.label}” can be asked for with: {', '.join(words)}."


def _put(tests: dict[str, Any], column: Column, operator: str, value: str) -> None:
    if operator in {"empty", "given"}:
        tests["is_null"] = operator == "empty"
        return
    if column.kind == "boolean" and operator in {"is", "is_not"}:
        truth = TRUTHS.get(value.lower())
        tests["eq"] = value if truth is None else truth == (operator == "is")
        return
    name = OPERATORS[operator][1]
    if name in {"gt", "lt"}:
        tests[name] = value
    else:
        tests[name] = [*tests.get(name, []), value]


def _words(operator: str, value: Any) -> str:
    if operator == "is_null":
        return "is empty" if value else "is not empty"
    if operator == "or":
        return " or ".join(_words(name, each) for name, each in value.items())
    if isinstance(value, bool):
        return f"is {'yes' if value else 'no'}"
    values = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    return f"{WORDS[operator]} {' or '.join(values) or 'nothing'}"
