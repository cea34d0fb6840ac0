"""The forms of team members: the filter of their list, a new one, edits, and the password of an invited person."""

from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.db.models import Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Lower, NullIf

from access.http.jump import every
from access.models import Administrator, IdentityProvider, Role
from access.pages.forms.asking import Form
from access.pages.forms.filters import ListFilter
from access.pages.forms.password import LENGTH_ADVICE, ReauthenticationForm
from access.pages.sorting import by_column, by_last_time
from access.sign_in.authenticators import SECOND_STEPS

# What each level may do, as the person who chooses one reads it.
LEVELS = [
    (Role.ADMIN, "Admin: everything, Access included"),
    (Role.STANDARD, "Standard: everything but Access"),
    (Role.HELP_DESK, "Help Desk: device actions; Blueprints and Library to read"),
    (Role.AUDITOR, "Auditor: everything to read, without secrets"),
    (Role.SECRETS_AUDITOR, "Secrets Auditor: everything to read, and the secrets of devices"),
]


_SHOWN = Lower(Coalesce(NullIf("first_name", Value("")), "email"))  # people without a name are listed by e-mail
# An organization has few people: their sorts need no index.
SORTS = {
    "name": by_column("Name", _SHOWN),
    "role": by_column("Role", "role"),
    "seen": by_last_time("Last sign-in", "last_login", "Longest away", "Signed in last"),
}


class PeopleFilter(ListFilter):
    role = forms.ChoiceField(required=False, choices=[("", "Any role"), *Role.choices], label="Role")
    status = forms.ChoiceField(
        required=False,
        choices=[("", "Any status"), ("pending", "Pending"), ("active", "Active"), ("suspended", "Suspended")],
        label="Status",
    )
    two_steps = forms.ChoiceField(
        required=False, choices=[("", "Any"), ("on", "On"), ("off", "Off")], label="Two-step verification"
    )

    sorts = SORTS
    default_sort = "name"
    ties = ("last_name", "email")

    def matching(self) -> QuerySet[Administrator]:
        second_steps = Authenticator.objects.filter(user=OuterRef("pk"), type__in=SECOND_STEPS)
        people: QuerySet[Administrator] = self.tenant.administrators.annotate(two_steps=Exists(second_steps))
        if role := self.chosen.get("role"):
            people = people.filter(role=role)
        match self.chosen.get("status"):
            case "suspended":
                people = people.filter(is_active=False)
            case "pending" | "active" as status:
                people = people.filter(is_active=True, joined_at__isnull=status == "pending")
        if two_steps := self.chosen.get("two_steps"):
            people = people.filter(Q(Exists(second_steps)) if two_steps == "on" else ~Q(Exists(second_steps)))
        return people.filter(every(self.search_words, "first_name", "last_name", "email"))


class NewPersonForm(ReauthenticationForm):
    first_name = forms.CharField(max_length=150, error_messages={"required": "Enter the first name."})
    last_name = forms.CharField(max_length=150, error_messages={"required": "Enter the last name."})
    email = forms.EmailField(
        label="E-mail",
        error_messages={"required": "Enter the e-mail address.", "invalid": "This is no e-mail address."},
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(label="Access level", choices=LEVELS, initial=Role.STANDARD, widget=forms.RadioSelect)

    field_order = ["first_name", "last_name", "email", "role", "password"]


class EditPersonForm(ReauthenticationForm):
    """Name and access level. The Account Owner has no level to choose: it changes by a transfer."""

    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    role = forms.ChoiceField(label="Access level", choices=LEVELS, widget=forms.RadioSelect)

    field_order = ["first_name", "last_name", "role", "password"]

    def __init__(self, data: Any, *, person: Administrator, **kwargs: Any) -> None:
        initial = {"first_name": person.first_name, "last_name": person.last_name, "role": person.role}
        super().__init__(data, initial=initial, **kwargs)
        self.person = person
        if person.role == Role.OWNER:
            del self.fields["role"]

    @property
    def values(self) -> dict[str, Any]:
        """The valid input, as the room takes it."""
        names = ("first_name", "last_name", "role")
        return {"role": self.person.role, **{name: self.cleaned_data[name] for name in names if name in self.fields}}


class SecondStepRuleForm(ReauthenticationForm):
    required = forms.ChoiceField(
        label="For administrators of this organization",
        choices=[("0", "Optional"), ("1", "Required for everyone")],
        widget=forms.RadioSelect,
    )

    field_order = ["required", "password"]


class ProviderForm(ReauthenticationForm):
    """The OpenID Connect provider of an organization. The secret is never shown; left empty, it stays."""

    name = forms.CharField(
        max_length=100,
        help_text="People read it on the sign-in page, such as “Okta”.",
        error_messages={"required": "Enter a name."},
    )
    issuer = forms.CharField(
        max_length=500,
        help_text="The provider's address for itself, as in https://login.example.com/realms/acme.",
        error_messages={"required": "Enter the issuer."},
    )
    client_id = forms.CharField(label="Client ID", max_length=255, error_messages={"required": "Enter the client ID."})
    client_secret = forms.CharField(
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Enter the client secret that the provider gave you."},
    )
    required = forms.BooleanField(
        label="Everybody signs in with it",
        required=False,
        help_text="Passwords and passkeys are then refused, except for the Account Owner, for when the provider fails.",
    )

    field_order = ["name", "issuer", "client_id", "client_secret", "required", "password"]

    def __init__(self, data: Any, *, provider: IdentityProvider | None, **kwargs: Any) -> None:
        names = ("name", "issuer", "client_id", "required")
        super().__init__(
            data, initial={name: getattr(provider, name) for name in names} if provider else None, **kwargs
        )
        if provider:
            self.fields["client_secret"].required = False
            self.fields["client_secret"].help_text = "Leave it empty to keep the one that is stored."

    @property
    def values(self) -> dict[str, Any]:
        """The valid input, as the room takes it."""
        names = ("name", "issuer", "client_id", "client_secret", "required")
        return {name: self.cleaned_data[name] for name in names}


class InvitationForm(Form):
    """The first password of an invited person."""

    password = forms.CharField(
        label="Password",
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "autofocus": True}),
        help_text=LENGTH_ADVICE,
        error_messages={"required": "Choose a password."},
    )
    again = forms.CharField(
        label="Password, once more",
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        error_messages={"required": "Enter it once more."},
    )

    def __init__(self, data: Any, *, person: Administrator) -> None:
        super().__init__(data)
        self.person = person

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self.person)
        return password

    def clean(self) -> None:
        super().clean()
        password, again = self.cleaned_data.get("password"), self.cleaned_data.get("again")
        if password and again and password != again:
            self.add_error("again", "The two passwords are not the same.")
