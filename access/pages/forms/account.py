"""The forms of two-step verification: the second step of a sign-in, and what a person sets up for it."""

import base64
from binascii import Error as NotBase64
from collections.abc import Callable
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.core.validators import MaxLengthValidator
from django.db import DatabaseError
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from access.addresses import client_address
from access.models import Administrator
from access.pages.forms.asking import Asking
from access.pages.forms.password import ReauthenticationForm
from access.sealing import SecretUnreadable, seal, unseal
from access.sign_in.attempts import Attempt, Purpose
from access.sign_in.authenticators import LONGEST_NAME, app_uri, check_app_code, label_of, new_app_secret, use_code
from access.sign_in.throttle import counted

SETUP = 60 * 60  # seconds within which an authenticator app can be set up with the picture that was shown
CODE = {"autocomplete": "one-time-code", "autocapitalize": "off", "spellcheck": "false"}


class SecondStepForm(Asking, AuthenticateForm):
    """A code of the app, or a recovery code. Counted like a password."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        field = self.fields["code"]
        field.label, field.max_length = "Code", 50
        field.widget.attrs.pop("placeholder", None)
        field.widget.attrs.update(CODE, autofocus=True)
        field.error_messages["required"] = "Enter a code to go on."
        has_app = Authenticator.objects.filter(user=self.user, type=Authenticator.Type.TOTP).exists()
        app = "The six digits that your authenticator app shows, or a recovery code."
        field.help_text = app if has_app else "One of your recovery codes."

    def clean_code(self) -> str:
        """Raises TooManyAttempts like a sign-in."""
        code, address = self.cleaned_data["code"], client_address(self.request)
        attempt = Attempt(Purpose.SECOND_STEP, self.user.email, address)
        used = counted(lambda: use_code(person=self.user, code=code, address=address), attempt)
        if used is None:
            raise forms.ValidationError("This code is wrong, or it was used before. Enter the one that is shown now.")
        used.user = self.user
        self.authenticator = used
        return str(code)


class AppForm(ReauthenticationForm):
    """A code of an app that is being set up. `setup` is its secret, encrypted: it is stored once the code is right."""

    setup = forms.CharField(widget=forms.HiddenInput)
    code = forms.CharField(
        label="Code",
        max_length=20,
        widget=forms.TextInput(attrs={**CODE, "inputmode": "numeric"}),
        help_text="The six digits that the app shows now.",
        error_messages={"required": "Enter the code that the app shows."},
    )

    field_order = ["code", "password", "setup"]

    def __init__(self, data: QueryDict | None, *, request: HttpRequest, person: Administrator) -> None:
        super().__init__(data, request=request)
        self.person = person
        self.secret = self._opened(data.get("setup", "")) if data else None
        if self.secret is None:
            # Of an opened form that lasted too long, as well: the person takes the new picture.
            self.secret = new_app_secret()
            self.initial["setup"] = self._closed()
            self.renewed = bool(data)
            if data:
                self.data = {**data.dict(), "setup": self.initial["setup"]}
        else:
            self.renewed = False

    @property
    def uri(self) -> str:
        return app_uri(self.person, self.secret or b"")

    @property
    def key(self) -> str:
        """The secret as people type it, in groups of four."""
        text = base64.b32encode(self.secret or b"").decode()
        return " ".join(text[at : at + 4] for at in range(0, len(text), 4))

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if self.renewed:
            raise forms.ValidationError("This took too long. Scan the new picture, and enter its code.")
        if not check_app_code(self.secret or b"", code):
            raise forms.ValidationError("This is not the code that the app shows. Is the clock of the phone right?")
        return code

    def _closed(self) -> str:
        moment = int(timezone.now().timestamp())
        number, sealed = seal((self.secret or b""), *self._place(moment))
        return f"{moment}.{number}.{base64.urlsafe_b64encode(sealed).decode()}"

    def _opened(self, setup: str) -> bytes | None:
        try:
            moment, number, sealed = setup.split(".")
            if timezone.now().timestamp() - int(moment) > SETUP:
                return None
            return unseal(int(number), base64.urlsafe_b64decode(sealed), *self._place(int(moment)))
        except (ValueError, NotBase64, SecretUnreadable):
            return None

    def _place(self, moment: int) -> tuple[object, ...]:
        return ("authenticator app", self.person.pk, moment)


def read[Result](check: Callable[[], Result]) -> Result:
    """The result of a check of allauth's. A credential that was made up ends in many kinds of errors below it."""
    try:
        return check()
    except (forms.ValidationError, DatabaseError):
        raise
    except Exception as error:
        raise get_adapter().validation_error("incorrect_code") from error


class SecondStepPasskeyForm(Asking, AuthenticateWebAuthnForm):
    def clean_credential(self) -> Any:
        return read(super().clean_credential)


class PasskeySignInForm(Asking, LoginWebAuthnForm):
    def clean_credential(self) -> Any:
        return read(super().clean_credential)


class ConfirmingPasskeyForm(Asking, ReauthenticateWebAuthnForm):
    def clean_credential(self) -> Any:
        return read(super().clean_credential)


class PasskeyForm(Asking, AddWebAuthnForm):
    """A passkey that the browser made. `static/js/passkeys.js` fills `credential`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["passwordless"]  # it is no choice: see clean()
        field = self.fields["name"]
        field.label, field.max_length, field.required = "Name", LONGEST_NAME, False
        field.validators.append(MaxLengthValidator(LONGEST_NAME))
        field.help_text = "To tell it from others, such as “MacBook” or “Security key”."
        field.widget.attrs["maxlength"] = LONGEST_NAME
        self.fields["credential"].error_messages["required"] = "The browser made no passkey. Try again."

    def clean(self) -> dict[str, Any]:
        # A passkey that did not ask for a finger, a face or a PIN would be the device alone.
        self.cleaned_data["passwordless"] = True
        cleaned: dict[str, Any] = read(super().clean)
        return cleaned


class TakeAwayForm(ReauthenticationForm):
    """The authenticators of another person to remove."""

    authenticators = forms.MultipleChoiceField(
        label="Remove",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose what to remove."},
    )

    field_order = ["authenticators", "password"]

    def __init__(self, data: Any, *, request: HttpRequest, rows: list[Authenticator]) -> None:
        super().__init__(data, request=request)
        self.fields["authenticators"].choices = [(str(row.pk), named(row)) for row in rows]  # type: ignore[attr-defined]


def named(row: Authenticator) -> str:
    """The authenticator in words, with the name of a passkey."""
    return f"{label_of(row)} “{row.data['name']}”" if row.type == Authenticator.Type.WEBAUTHN else label_of(row)
