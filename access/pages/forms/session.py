"""Forms for signing in and choosing a new password: those of allauth with our labels; resets count as attempts."""

from typing import Any

from allauth.account.forms import LoginForm, ResetPasswordForm, ResetPasswordKeyForm, UserTokenForm
from django import forms
from django.core.exceptions import ValidationError
from django.forms import Field
from django.http import HttpRequest

from access.addresses import client_address
from access.models import Administrator
from access.pages.forms.asking import Asking, Form
from access.pages.forms.password import LENGTH_ADVICE
from access.sign_in.attempts import Attempt, Purpose
from access.sign_in.backend import may_sign_in
from access.sign_in.mail import send_password_link
from access.sign_in.throttle import count_attempt


class SignInForm(Asking, LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _style_field(self.fields["login"], "E-mail", autocomplete="username", autofocus=True)
        _style_field(self.fields["password"], "Password", autocomplete="current-password")


class PasswordResetForm(Asking, ResetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _style_field(self.fields["email"], "E-mail", autocomplete="username", autofocus=True)

    def clean_email(self) -> str:
        """Look for no account here: the time this takes would tell whether there is one."""
        return str(self.cleaned_data["email"])

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Have a worker send the link if the account exists. Raises TooManyAttempts like a sign-in."""
        email: str = self.cleaned_data["email"]
        count_attempt(Attempt(Purpose.RESET, email, client_address(request)))
        send_password_link(email, request.get_host())
        return email


class ResetLinkForm(Asking, UserTokenForm):
    """The link to choose a new password, which is over for a person who cannot sign in any more."""

    def _get_user(self, uidb36: str) -> Administrator | None:
        person: Administrator | None = super()._get_user(uidb36)
        return person if person and may_sign_in(person) else None


class NewPasswordForm(Asking, ResetPasswordKeyForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _style_field(self.fields["password1"], "New password", autocomplete="new-password", autofocus=True)
        _style_field(self.fields["password2"], "New password, once more", autocomplete="new-password")
        self.fields["password1"].help_text = LENGTH_ADVICE

    def clean_password1(self) -> str:
        password: str = self.cleaned_data["password1"]
        if self.user is None:  # a used or expired link: the page is shown without this form
            raise ValidationError("This link is no longer valid.")
        return password


class OrganizationForm(Form):
    organization = forms.SlugField(
        max_length=63,
        help_text="As in the address of its API: acme of acme.api.…",
        error_messages={
            "required": "Enter your organization's name.",
            "invalid": "It has letters, digits and hyphens.",
        },
        widget=forms.TextInput(attrs={"autocomplete": "organization", "autocapitalize": "off", "autofocus": True}),
    )

    def clean_organization(self) -> str:
        return str(self.cleaned_data["organization"]).lower()


def _style_field(field: Field, label: str, **attrs: Any) -> None:
    field.label, field.help_text = label, ""
    field.widget.attrs.pop("placeholder", None)
    field.widget.attrs.update(attrs)
