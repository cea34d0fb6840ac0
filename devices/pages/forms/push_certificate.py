"""Forms of the Apple push certificate: Apple's answer, a certificate with its key, and the signature of a vendor."""

from typing import Any

from django import forms

from access.pages.forms.asking import Form
from access.pages.forms.password import ReauthenticationForm


def _file(label: str, accept: str, help_text: str = "") -> forms.FileField:
    return forms.FileField(
        label=label,
        help_text=help_text,
        widget=forms.FileInput(attrs={"accept": accept}),
        error_messages={"empty": "This file is empty."},
    )


def _password(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=False,
        strip=False,
        max_length=1000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


class UploadForm(ReauthenticationForm):
    """The certificate that Apple made of the request."""

    file = _file("Certificate", ".pem,.cer,.crt,.der", "The .pem file from identity.apple.com/pushcert.")
    apple_account = forms.EmailField(
        required=False,
        max_length=254,
        label="Apple account",
        help_text="Who signed in at Apple. The certificate can be renewed with this account alone.",
    )

    field_order = ["file", "file_password", "apple_account", "password"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "password" in self.fields and not str(self.fields["password"].label).startswith("Confirm who"):
            # A browser does not keep a chosen file in a form that is shown again.
            self.fields["password"].help_text = "You signed in a while ago."


class ImportForm(UploadForm):
    """A certificate with its private key, which another device management made."""

    file = _file("Certificate with its private key", ".p12,.pfx", "A .p12 or .pfx file.")
    file_password = _password("Password of the file", "Leave it empty if the file has none.")


class VendorForm(Form):
    """The certificate and the key of a vendor of device management, to sign the request with."""

    vendor = _file(
        "Vendor certificate",
        ".pem,.cer,.crt",
        "In PEM, with Apple's intermediate certificate and Apple's root certificate in the same file.",
    )
    vendor_key = _file("Private key of the vendor certificate", ".pem,.key,.der", "It is used once, and not stored.")
    key_password = _password("Password of the private key", "Leave it empty if the key has none.")
