"""Forms for tokens: create, edit, and the filters of the list."""

import uuid
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils import timezone

from access.models import ApiToken
from access.models.tokens import ApiTokenQuerySet, expiring_soon
from access.pages.forms.filters import ListFilter
from access.pages.forms.password import ReauthenticationForm

NAME = {"required": "Give the token a name.", "max_length": "Use at most 100 characters."}


class TokenForm(forms.Form):
    """Name and description of a token."""

    name = forms.CharField(
        max_length=100,
        error_messages=NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
        help_text="Name it after the integration that will use it.",
    )
    description = forms.CharField(
        max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"})
    )


class EditTokenForm(TokenForm):
    """A new name and description, and the version of the token that the page showed."""

    version = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)

    @classmethod
    def of(cls, data: Any, token: ApiToken, **fields: Any) -> "EditTokenForm":
        """The form of a token; `fields` are shown in place of those that are saved."""
        shown = {"name": token.name, "description": token.description, "version": token.version}
        return cls(data, initial=shown | fields)


class CreateTokenForm(TokenForm, ReauthenticationForm):
    """A new token. `submission` identifies the opened form, so that posting it twice makes one token."""

    submission = forms.UUIDField(widget=forms.HiddenInput)

    field_order = ["name", "description", "password", "submission"]

    def __init__(self, data: Any = None, *, request: HttpRequest) -> None:
        super().__init__(data, request=request, initial={"submission": uuid.uuid4()})


class TokenFilter(ListFilter):
    permissions = forms.ChoiceField(
        required=False,
        choices=[("", "Any"), ("some", "With permissions"), ("none", "No permissions")],
        widget=forms.RadioSelect,
    )
    use = forms.ChoiceField(
        required=False,
        choices=[("", "Any"), ("never", "Never used"), ("unused", "Unused for 90 days")],
        widget=forms.RadioSelect,
        label="Last use",
    )
    expiry = forms.ChoiceField(
        required=False,
        choices=[("", "Any"), ("soon", "Expire within 14 days"), ("expired", "Expired")],
        widget=forms.RadioSelect,
        label="Expiry",
    )
    creator = forms.ChoiceField(required=False, label="Created by")

    def set_choices(self) -> None:
        self.tokens = self.tenant.api_tokens.listed()
        creators = self.tokens.order_by("created_by_name").values_list("created_by_name", flat=True).distinct()
        self.fields["creator"].choices = [("", "Anyone"), *((name, name) for name in creators)]  # type: ignore[attr-defined]

    def apply(self) -> ApiTokenQuerySet:
        tokens: ApiTokenQuerySet = self.tokens
        match self.chosen.get("permissions"):
            case "some":
                tokens = tokens.exclude(permissions=[])
            case "none":
                tokens = tokens.filter(permissions=[])
        match self.chosen.get("use"):
            case "never":
                tokens = tokens.filter(last_used_at__isnull=True)
            case "unused":
                tokens = tokens.unused()
        match self.chosen.get("expiry"):
            case "soon":
                tokens = tokens.filter(expiring_soon())
            case "expired":
                tokens = tokens.filter(expires_at__lte=timezone.now())
        if creator := self.chosen.get("creator"):
            tokens = tokens.filter(created_by_name=creator)
        return tokens.search(self.chosen.get("q", ""))
