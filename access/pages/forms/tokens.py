"""Forms for one token: create, edit, rotate, revoke; and the rule for all."""

import json
import uuid
from datetime import date, datetime, time, timedelta
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, QueryDict
from django.template.defaultfilters import date as date_text
from django.utils import timezone

from access.models import Administrator, ApiToken
from access.models.tokens import ApiTokenQuerySet
from access.pages.dialogs import refuse
from access.pages.forms.asking import Form
from access.pages.forms.password import ReauthenticationForm
from access.pages.guards import PageRequest
from access.permissions import catalogue
from access.tokens.rotation import UNTIL_USED

NAME = {"required": "Give the token a name.", "max_length": "Use at most 100 characters."}


DAYS = (30, 90, 365)
NEVER, ON_DATE, AS_NOW = "never", "date", "now"
MERGED = ("name", "description", "networks", "mcp", "mcp_sensitive")  # fields that two people may edit at once
DEFAULT_DAYS = 90  # where a rule of the organization asks for an expiry


class TokenForm(Form):
    """Name, description and expiry of a token. The cleaned data has `expires_at`, None for never."""

    name = forms.CharField(
        max_length=100,
        error_messages=NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autofocus": True}),
        help_text="Name it after the integration that will use it.",
    )
    description = forms.CharField(
        max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"})
    )
    expires = forms.ChoiceField(label="Expires", required=False)
    expires_on = forms.DateField(
        label="Last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"invalid": "Enter a date as year-month-day, such as 2027-01-31."},
    )

    networks = forms.CharField(
        label="Allowed networks",
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false"}),
        help_text="One address or network a line, such as 203.0.113.0/24. Left empty, calls may come from anywhere.",
    )

    # A name that another token has, and that the person was asked about. The form is accepted with it.
    same_name = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)

    def warn_of_name(self, others: ApiTokenQuerySet) -> None:
        """Refuse, once, a name that one of these tokens has: two of them are hard to tell apart later."""
        name, told = self.cleaned_data.get("name", ""), self.cleaned_data.pop("same_name", "")
        other = others.filter(name__iexact=name).first() if name and name != told else None
        if other is None:
            return
        self.data = cast("QueryDict", self.data).copy()
        self.data["same_name"] = name
        created = date_text(timezone.localtime(other.created_at), "M j, Y")
        self.add_error(
            "name",
            f"Another token has this name. {other.created_by_name} created it on {created}. "
            "Change the name, or send the form again to have two.",
        )

    def clean_networks(self) -> list[str]:
        return str(self.cleaned_data["networks"]).replace(",", "\n").split()

    def set_expiries(self, longest_days: int | None, *, present: tuple[str, datetime | None] | None = None) -> None:
        """Offer what the organization allows. `present` is the expiry that the token has, and how to call it."""
        days = [each for each in DAYS if longest_days is None or each <= longest_days]
        if longest_days is not None and longest_days not in days:
            days.append(longest_days)
        self._present = present[1] if present else None
        choices = [(AS_NOW, present[0])] if present else []
        choices += [(NEVER, "Never")] if longest_days is None else []
        choices += [
            *((str(each), f"After {each} day{'' if each == 1 else 's'}") for each in days),
            (ON_DATE, "On a date"),
        ]
        field = self.fields["expires"]
        field.choices = choices  # type: ignore[attr-defined]
        preferred = str(DEFAULT_DAYS) if DEFAULT_DAYS in days else str(days[-1])
        self.initial.setdefault("expires", AS_NOW if present else NEVER if longest_days is None else preferred)
        if longest_days is not None:
            field.help_text = f"Tokens of this organization expire within {longest_days} days at most."

    def clean(self) -> None:
        super().clean()
        day: date | None = self.cleaned_data.pop("expires_on", None)
        # A client that sends none means what the form would show.
        chosen = self.cleaned_data.pop("expires", "") or self.initial.get("expires", NEVER)
        expires_at = None
        if chosen == ON_DATE and day is None:
            if not self.has_error("expires_on"):
                self.add_error("expires_on", "Choose the last day on which the token works.")
        elif chosen == ON_DATE and day is not None:
            expires_at = timezone.make_aware(datetime.combine(day, time(23, 59, 59)))
        elif chosen == AS_NOW:
            expires_at = self._present
        elif chosen.isdecimal():
            expires_at = timezone.now() + timedelta(days=int(chosen))
        self.cleaned_data["expires_at"] = expires_at

    def refuse(self, error: ValidationError) -> None:
        """Add the messages of a room's ValidationError to the fields that they are about."""
        if hasattr(error, "error_dict"):
            fields = {"expires" if name == "expires_at" else name: each for name, each in error.error_dict.items()}
            error = ValidationError(fields)
        refuse(self, error)


class McpForm(Form):
    """Whether AI assistants may use a token. The second switch alone changes nothing."""

    mcp = forms.BooleanField(
        required=False,
        label="Enable MCP",
        help_text="AI assistants may use the token too. Its permissions decide which tools they see.",
    )
    mcp_sensitive = forms.BooleanField(
        required=False,
        label="Allow sensitive tools",
        help_text="Only with MCP. Assistants then also get the permissions that show a secret or cannot be undone.",
    )


class EditTokenForm(TokenForm, McpForm):
    """New details of a token, the switches of MCP, and the version of the token that the page showed."""

    version = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)
    # The saved values when the form was opened, as JSON. In a conflict they show the changes of this person.
    was = forms.CharField(required=False, max_length=20_000, widget=forms.HiddenInput)
    token: ApiToken

    field_order = ["name", "description", "expires", "expires_on", "networks", "mcp", "mcp_sensitive", "version"]

    @classmethod
    def of(cls, data: Any, token: ApiToken, *, longest_days: int | None, **fields: Any) -> "EditTokenForm":
        """The form of a token; `fields` are shown in place of those that are saved."""
        saved = {name: getattr(token, name) for name in MERGED}
        shown = {**saved, **fields, "version": token.version, "was": json.dumps(saved)}
        form = cls(data, initial=shown | {"networks": "\n".join(shown["networks"])})
        form.token = token
        moment = token.expires_at
        words = f"As now: {date_text(timezone.localtime(moment), 'M j, Y, H:i')}" if moment else "As now: never"
        form.set_expiries(longest_days, present=(words, moment))
        return form

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("name", "").casefold() == self.token.name.casefold():
            self.cleaned_data.pop("same_name", None)
        else:
            self.warn_of_name(self.token.tenant.api_tokens.listed().exclude(pk=self.token.pk))

    @property
    def details(self) -> dict[str, Any]:
        """The valid fields as `edit_token` takes them."""
        return {name: value for name, value in self.cleaned_data.items() if name not in {"was", "same_name"}}

    def merged(self, current: ApiToken) -> tuple[dict[str, Any], list[str]]:
        """The fields of both editors together, and the labels of those that both of them changed.

        Of a field that both changed, this form's value is taken.
        """
        try:
            was = json.loads(self.cleaned_data["was"])
        except ValueError:
            was = None
        chosen = {name: self.data.get(name, "") for name in ("expires", "expires_on")}
        fields: dict[str, Any] = chosen if chosen["expires"] not in {"", AS_NOW} else {}
        both = []
        for name in MERGED:
            mine, theirs = self.cleaned_data[name], getattr(current, name)
            before = was.get(name, theirs) if isinstance(was, dict) else None
            fields[name] = theirs if mine == before else mine
            if mine not in (before, theirs) and theirs != before:
                both.append(str(self.fields[name].label or name.capitalize()))
        return fields, both


class CreateTokenForm(TokenForm, McpForm, ReauthenticationForm):
    """A new token. `submission` identifies the opened form, so that posting it twice makes one token."""

    submission = forms.UUIDField(widget=forms.HiddenInput)
    # The codenames that a link of a vendor's guide asks for, with commas between them.
    asked = forms.CharField(required=False, max_length=20_000, widget=forms.HiddenInput)
    permissions = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    field_order = [
        "name",
        "description",
        "permissions",
        "expires",
        "expires_on",
        "networks",
        "mcp",
        "mcp_sensitive",
        "password",
        "submission",
        "asked",
    ]

    def __init__(self, data: Any = None, *, request: PageRequest, longest_days: int | None) -> None:
        linked = {name: request.GET.get(name, "")[:1000] for name in ("name", "description")}
        asked = (data or request.GET).get("asked" if data else "permissions", "")[:20_000]
        initial = {**linked, "submission": uuid.uuid4(), "asked": asked}
        super().__init__(data, request=request, initial=initial)
        self.set_expiries(longest_days)
        self._ask_for(asked.replace(",", " ").split())
        self.tenant = request.tenant

    def clean(self) -> None:
        super().clean()
        # The same form sent twice finds the token that it made.
        again = self.cleaned_data.get("submission")
        self.warn_of_name(self.tenant.api_tokens.listed().exclude(submission=again))

    def _ask_for(self, codenames: list[str]) -> None:
        """Offer the permissions of a link. A sensitive one is not ticked, because a link can come from anybody."""
        known = catalogue.known(codenames)
        if not codenames:
            del self.fields["permissions"], self.fields["asked"]
            return
        field = self.fields["permissions"]
        field.choices = [  # type: ignore[attr-defined]
            (each.codename, f"{each.label} (sensitive)" if each.sensitive else each.label) for each in known
        ]
        self.initial["permissions"] = [each.codename for each in known if not each.sensitive]
        unknown = [name for name in dict.fromkeys(codenames) if name not in catalogue]
        field.help_text = f"Ignored, because they do not exist here: {', '.join(unknown)}." if unknown else ""


class RotateTokenForm(ReauthenticationForm):
    """How long the former secret goes on working. `submission` as in CreateTokenForm."""

    overlap = forms.ChoiceField(
        label="The present secret works for",
        choices=[
            ("24h", "24 more hours"),
            ("none", "No longer: it ends at once"),
            ("1h", "1 more hour"),
            ("7d", "7 more days"),
            (UNTIL_USED, "As long as the new one is not used"),
        ],
        help_text="In this time both secrets work, so that the integration can be changed without a break.",
    )
    submission = forms.UUIDField(widget=forms.HiddenInput)

    field_order = ["overlap", "password", "submission"]

    def __init__(self, data: Any = None, *, request: HttpRequest) -> None:
        super().__init__(data, request=request, initial={"submission": uuid.uuid4()})


class RevokeTokenForm(Form):
    """The name of a token that was used lately, typed by the person who ends it."""

    name = forms.CharField(
        max_length=100,
        label="Type its name to confirm",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Type the name of the token."},
    )

    def __init__(self, data: Any, *, token: ApiToken) -> None:
        super().__init__(data)
        self.token = token
        if not token.used_lately:
            del self.fields["name"]

    def clean_name(self) -> str:
        if (name := str(self.cleaned_data["name"])) != self.token.name:
            raise ValidationError("This is not the name of the token.")
        return name


class TokenRuleForm(Form):
    """The rule of the organization for the expiry of tokens."""

    longest_token_days = forms.IntegerField(
        label="Most days",
        required=False,
        min_value=1,
        max_value=3650,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text="Leave it empty for no rule.",
    )


class ResponsibleForm(Form):
    """The person to ask about a token. An empty field removes the person."""

    person: Any = forms.ModelChoiceField(None, required=False, label="Responsible person", empty_label="Nobody")

    def __init__(self, data: Any, *, token: ApiToken) -> None:
        super().__init__(data, initial={"person": token.responsible_id})
        people = token.tenant.administrators.filter(is_active=True).order_by("first_name", "last_name", "email")
        cast("forms.ModelChoiceField[Administrator]", self.fields["person"]).queryset = people
