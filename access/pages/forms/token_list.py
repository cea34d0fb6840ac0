"""The forms of the list of tokens: its filters, and the confirmation for selected tokens."""

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import F
from django.db.models.functions import Lower
from django.http import QueryDict
from django.utils import timezone

from access.models import AuditEvent
from access.models.tokens import ApiTokenQuerySet, PermissionCount, expiring_soon
from access.pages.forms.asking import Form
from access.pages.forms.filters import ListFilter
from access.pages.sorting import Sort, by_last_time, by_number

SORTS = {
    "name": Sort("Name", "Name", "Name, from Z", (Lower("name"), Lower("name").desc())),
    "permissions": Sort(
        "Permissions",
        "Fewest permissions",
        "Most permissions",
        (PermissionCount().asc(), PermissionCount().desc()),
        descending_first=True,
    ),
    "creator": Sort(
        "Created by",
        "Creator",
        "Creator, from Z",
        (Lower("created_by_name"), Lower("created_by_name").desc()),
    ),
    "created": by_number("Created", "created_at", "Oldest", "Newest"),
    # A token that was never used comes before those that were used long ago.
    "used": by_last_time("Last used", "last_used_at", "Longest unused", "Used last"),
    "expires": Sort(
        "Expires",
        "Expires first",
        "Expires last",
        (F("expires_at").asc(nulls_last=True), F("expires_at").desc(nulls_first=True)),
    ),
}


class TokenFilter(ListFilter):
    state = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Not revoked"),
            ("active", "Active"),
            ("disabled", "Disabled"),
            ("overlap", "With two secrets"),
            ("revoked", "Revoked"),
        ],
        widget=forms.RadioSelect,
    )
    permissions = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Any"),
            ("some", "With permissions"),
            ("none", "No permissions"),
            ("sensitive", "Sensitive permissions"),
        ],
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
    removed = forms.BooleanField(required=False, label="Creator removed")
    sorts = SORTS
    default_sort, default_label = "-created", "As listed"
    ties = ("-created_at", "-id")

    def set_choices(self) -> None:
        self.tokens = self.tenant.api_tokens.listed()
        creators = self.tokens.order_by("created_by_name").values_list("created_by_name", flat=True).distinct()
        self.fields["creator"].choices = [("", "Anyone"), *((name, name) for name in creators)]  # type: ignore[attr-defined]

    @property
    def listed_by(self) -> str:
        return "" if self.chosen.get("state") == "revoked" else "-created"

    def matching(self) -> ApiTokenQuerySet:
        tokens: ApiTokenQuerySet = self.tokens
        match self.chosen.get("state"):
            case "active" | "disabled" as state:
                tokens = tokens.in_state(state)
            case "overlap":
                tokens = tokens.overlapping()
            case "revoked":
                tokens = self.tenant.api_tokens.revoked()
        match self.chosen.get("permissions"):
            case "some":
                tokens = tokens.exclude(permissions=[])
            case "none":
                tokens = tokens.filter(permissions=[])
            case "sensitive":
                tokens = tokens.sensitive()
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
        if self.chosen.get("removed"):
            tokens = tokens.filter(created_by=None, created_by_type=AuditEvent.ActorType.USER)
        return tokens.search(self.chosen.get("q", ""))


class SelectedTokensForm(Form):
    """The confirmation for selected tokens. `count` is the number that the person was shown.

    If one of them was used lately, and `typed`, the person types that number.
    """

    count = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    number = forms.IntegerField(
        label="Type the number of tokens to confirm",
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
        error_messages={"required": "Type the number of tokens.", "invalid": "Type the number of tokens."},
    )

    def __init__(self, data: Any, *, count: int, typed: bool = False) -> None:
        super().__init__(data, auto_id="selected_%s", initial={"count": count})
        self.selected = count
        if not typed:
            del self.fields["number"]

    def clean_number(self) -> int:
        number = int(self.cleaned_data["number"])
        if number != self.selected:
            raise ValidationError(f"The number of tokens is {self.selected}.")
        return number

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("count") != self.selected:
            self.data = cast("QueryDict", self.data).copy()
            self.data["count"] = str(self.selected)
            raise ValidationError(f"The selection has changed: it has {self.selected} tokens now. Look at it again.")
