"""The field for the user of a device."""

from typing import Any, Literal
from uuid import UUID

from django import forms
from django.urls import reverse_lazy

from access.models import Tenant


class PersonField(forms.CharField):
    """The e-mail address of a user, with suggestions during typing."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(
            attrs={
                "autocomplete": "off",
                "list": "people",
                "hx-get": reverse_lazy("user-options"),
                "hx-trigger": "input changed delay:200ms",
                "hx-target": "#people",
            }
        )
        super().__init__(
            required=False,
            max_length=254,
            label="Assigned user",
            help_text="E-mail address of a user. Leave it empty to unassign the device.",
            widget=widget,
            **options,
        )


def find_person(tenant: Tenant, typed: str, stored: str) -> UUID | Literal[""] | None:
    """The id of the typed address's user; None if it is the `stored` one, "" if empty. Raises ValidationError."""
    email = typed.strip()
    if email == stored:
        return None
    if not email:
        return ""
    people = tenant.users.filter(email__iexact=email)
    matches = list(people.filter(archived=False)[:2]) or list(people[:2])
    if not matches:
        raise forms.ValidationError("No user has this e-mail address.")
    if len(matches) > 1:
        raise forms.ValidationError("Several users have this e-mail address. Assign the device through the API.")
    return matches[0].uuid
