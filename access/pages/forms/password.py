"""The password that is asked for again before sensitive steps."""

from typing import Any, cast

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from access.models import Administrator, IdentityProvider
from access.pages.forms.asking import Form
from access.sign_in.authenticators import Authenticators, authenticators_of, is_app_code
from access.sign_in.reauthentication import authenticated_recently, confirm

LENGTH_ADVICE = "At least 15 characters. A few unrelated words are easy to remember and hard to guess."


class ReauthenticationForm(Form):
    """A form that also asks who it is, when that was last proved more than ten minutes ago."""

    password = forms.CharField(
        label="Confirm your password",
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text="You signed in a while ago. Your input stays in the form.",
        error_messages={"required": "Enter your password to go on."},
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        if authenticated_recently(request):
            del self.fields["password"]
        elif isinstance(request.user, Administrator):
            self._offer(authenticators_of(request.user))

    def _offer(self, own: Authenticators) -> None:
        """Offer what the person may prove who they are with, in place of the password."""
        field = self.fields["password"]
        if own.app:
            field.label = "Confirm your password, or a code of your authenticator app"
        person = cast("Administrator", self.request.user)
        provider = IdentityProvider.objects.filter(tenant=person.tenant).select_related("tenant").first()
        if provider and not person.has_usable_password():
            field.label = "Confirm who you are"
            # The form stays as it is in its tab: the server knows by the session once the provider has confirmed.
            field.help_text = format_html(
                '<a href="{}?confirm" target="_blank">Confirm with {}</a> in another tab, then send this again.',
                reverse("sso-start", args=[provider.tenant.subdomain]),
                provider.name,
            )
        if own.passkeys:
            field.widget.attrs["data-passkey"] = reverse("account-confirm")

    def clean_password(self) -> None:
        """Raises TooManyAttempts like a sign-in."""
        if not confirm(self.request, self.cleaned_data["password"]):
            code = is_app_code(self.cleaned_data["password"])
            raise forms.ValidationError("That is not the code of now." if code else "That is not your password.")

    def clean(self) -> None:
        super().clean()
        if "password" in self.fields and not self.has_error("password"):
            # It is correct, so it is not asked for again when another field needs correction.
            del self.fields["password"]
