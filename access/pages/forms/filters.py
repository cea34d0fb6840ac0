"""The form above a list: a search, filters and the order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.db.models import QuerySet

from access.models import Tenant
from access.pages.forms.asking import Form
from access.pages.sorting import Heading, Sort, headings, order_of, sort_choices


@dataclass(frozen=True, slots=True)
class Chip:
    """An active filter in words, and the query of the page without it. `unknown`: its value is none of the filter."""

    label: str
    text: str
    query: str
    unknown: bool = False


class ListFilter(Form):
    """Search, filters and order of a list. Every field is optional.

    With a value that is unknown, of a filter or in a search, no row matches, and the page says why. A subclass with
    `sorts` has a field for the order. `default_sort` is the sort that the list has by itself; with `default_label`
    the rows come from `matching` in that order, and without it they are sorted like any other.
    """

    q = forms.CharField(required=False, max_length=100)
    sorts: ClassVar[Mapping[str, Sort]] = {}
    default_sort: ClassVar[str] = ""
    default_label: ClassVar[str] = ""
    # The order of rows that a sort finds equal. With `pk`, which an index ends with, it has the direction of the sort.
    ties: ClassVar[tuple[str, ...]] = ("pk",)

    def __init__(self, data: Any, *, tenant: Tenant) -> None:
        super().__init__(data)
        self.tenant = tenant
        if self.sorts:
            choices = sort_choices(self.sorts, self.default_sort, self.default_label)
            self.fields["sort"] = forms.ChoiceField(required=False, label="Sort by", choices=choices)
        self.set_choices()
        self.full_clean()

    def set_choices(self) -> None:
        """Set the choices that are the tenant's own."""

    def matching(self) -> QuerySet[Any]:
        """The rows that the search and the known filters find."""
        raise NotImplementedError

    def apply(self) -> Any:
        """The matching rows, in order."""
        rows = self.matching()
        if any(chip.unknown and name != "sort" for name, chip in self._chips.items()):
            rows = rows.none()
        sort = self.chosen.get("sort") or ("" if self.default_label else self.default_sort)
        ties = ("-pk",) if sort.startswith("-") and self.ties == ("pk",) else self.ties
        return rows.order_by(order_of(self.sorts, sort), *ties) if sort else rows

    @property
    def chosen(self) -> dict[str, str]:
        """The active fields as the parameters of the page's address: a stripped text, or the id of an object."""
        return {
            name: value if isinstance(value, str) else self.data[name]
            for name, value in self.cleaned_data.items()
            if value
        }

    @property
    def search_words(self) -> list[str]:
        """The words of the search. A row matches if each of them is found in it."""
        return self.chosen.get("q", "").split()

    @property
    def narrowing(self) -> dict[str, str]:
        """The active fields that exclude rows: all but the order."""
        return {name: value for name, value in self.chosen.items() if name != "sort"}

    @property
    def found(self) -> bool:
        """Whether the list may have more rows than the page says."""
        return bool(self.narrowing or self.errors.keys() - {"sort"})

    @property
    def popover_count(self) -> int:
        """Number of active filters in the popover."""
        return len(self.narrowing.keys() - {"q"})

    @property
    def chips(self) -> list[Chip]:
        """The active filters without the search, and the unknown values."""
        return [chip for name, chip in self._chips.items() if name != "q" or chip.unknown]

    @property
    def words(self) -> str:
        """The search and the active filters in words."""
        return ", ".join(f"{chip.label}: {chip.text}" if chip.text else chip.label for chip in self._chips.values())

    @property
    def headings(self) -> dict[str, Heading]:
        """The heads of the columns that sort."""
        return headings(self.sorts, self.chosen, self.listed_by)

    @property
    def listed_by(self) -> str:
        """The sort that the list has by itself, if there is one."""
        return self.default_sort

    @property
    def _chips(self) -> dict[str, Chip]:
        return {
            name: Chip(*self._in_words(name), self._query_without(name), unknown=name in self.errors)
            for name in self.fields
            if name in self.errors or name in self.narrowing
        }

    def _in_words(self, name: str) -> tuple[str, str]:
        field, label = self.fields[name], "Search" if name == "q" else str(self[name].label)
        if name in self.errors:
            return label, str(self.data.get(name, ""))[:100]
        value = self.cleaned_data[name]
        if isinstance(field, forms.BooleanField):
            return label, ""
        if isinstance(field, forms.ChoiceField) and not isinstance(field, forms.ModelChoiceField):
            return label, str(dict(field.choices).get(value, value))  # type: ignore[arg-type]
        return label, str(value)

    def _query_without(self, name: str) -> str:
        return urlencode({key: value for key, value in self.chosen.items() if key != name})
