"""The password that an operator may choose for a new person, and the operator's own that it requires."""

from typing import Any, Self

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from access.models import Administrator
from access.pages.forms.asking import Form
from access.pages.forms.password import LENGTH_ADVICE
from access.sign_in.reauthentication import authenticated_recently, confirm_password

SENSITIVE = ("password", "own_password")


class ChosenPassword(Form):
    """Fields of a form for a new person. Without a password the person gets an invitation by mail."""

    password = forms.CharField(
        required=False,
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=f"Leave it empty to mail the person an invitation, with a link to choose one. {LENGTH_ADVICE}",
    )
    own_password = forms.CharField(
        label="Your own password",
        required=False,
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="You signed in a while ago. It is required if you choose a password for the person.",
    )
    confirmed: bool = False  # whether the operator's own password was given recently

    @classmethod
    def for_request(cls, request: HttpRequest) -> type[Self]:
        """The form as this operator needs it."""

        class Confirmable(cls):  # type: ignore[misc, valid-type] # mypy knows no base that is a variable
            confirmed = authenticated_recently(request)

        return Confirmable

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()

    def clean(self) -> None:
        super().clean()
        if password := self.cleaned_data.get("password"):
            if not self.confirmed:
                given = self.cleaned_data.get("own_password")
                self.add_error("own_password", "That is not your password." if given else "Enter your password.")
            names = ("email", "first_name", "last_name")
            person = Administrator(**{name: self.cleaned_data.get(name) or "" for name in names})
            try:
                validate_password(password, person)  # the room checks it too: it must not resemble the name
            except ValidationError as error:
                self.add_error("password", error)


def confirm_own_password(request: HttpRequest) -> None:
    """Check the operator's own password, where the form needs it. Raises TooManyAttempts like a sign-in.

    Belongs before Django's transaction, which would hold the database while the password is hashed.
    """
    own: Any = request.POST.get("own_password")
    if own and request.POST.get("password") and not authenticated_recently(request):
        confirm_password(request, own)
