"""The password that is asked for again before sensitive steps."""

from typing import Any

from django import forms
from django.http import HttpRequest

from access.sign_in.reauthentication import authenticated_recently, confirm_password

LENGTH_ADVICE = "At least 15 characters. A few unrelated words are easy to remember and hard to guess."


class ReauthenticationForm(forms.Form):
    """A form that also asks for the password when it was last entered more than ten minutes ago."""

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

    def clean_password(self) -> None:
        """Raises TooManyAttempts like a sign-in."""
        if not confirm_password(self.request, self.cleaned_data["password"]):
            raise forms.ValidationError("That is not your password.")

    def clean(self) -> None:
        super().clean()
        if "password" in self.fields and not self.has_error("password"):
            # It is correct, so it is not asked for again when another field needs correction.
            del self.fields["password"]
