"""The form above a list: a search and filters."""

from typing import Any

from django import forms

from access.models import Tenant
from access.pages.forms.asking import Form


class ListFilter(Form):
    """Search and filters of a list. Every field is optional, and invalid values are ignored."""

    q = forms.CharField(required=False, max_length=100)

    def __init__(self, data: Any, *, tenant: Tenant) -> None:
        super().__init__(data)
        self.tenant = tenant
        self.set_choices()
        self.full_clean()

    def set_choices(self) -> None:
        """Set the choices that are the tenant's own."""

    @property
    def chosen(self) -> dict[str, str]:
        """The active fields as the parameters of the page's address: a stripped text, or the id of an object."""
        return {
            name: value if isinstance(value, str) else self.data[name]
            for name, value in self.cleaned_data.items()
            if value
        }

    @property
    def narrowing(self) -> dict[str, str]:
        """The active fields that exclude rows: all but the order."""
        return {name: value for name, value in self.chosen.items() if name != "sort"}

    @property
    def popover_count(self) -> int:
        """Number of active filters in the popover."""
        return len(self.narrowing.keys() - {"q"})
