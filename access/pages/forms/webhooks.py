"""Forms for webhooks: add, edit, a new secret."""

import uuid
from typing import Any

from django import forms
from django.http import HttpRequest

from access.kinds import AUDIT_EVENT, SUBSCRIBABLE
from access.models import Webhook
from access.models.webhooks import LONGEST_URL
from access.pages.forms.asking import Form
from access.pages.forms.password import ReauthenticationForm


class WebhookForm(Form):
    """The URL, and the events that are sent to it. The room checks the URL."""

    url = forms.CharField(
        label="URL",
        max_length=LONGEST_URL,
        error_messages={"required": "Enter the URL that gets the messages."},
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autofocus": True,
                "inputmode": "url",
                "placeholder": "https://hooks.example.com/iru",
                "spellcheck": "false",
            }
        ),
        help_text="It begins with https:// and can be reached from the Internet.",
    )
    events = forms.MultipleChoiceField(
        choices=[*((kind.id, kind.label) for kind in SUBSCRIBABLE), (AUDIT_EVENT.id, "Every audit event")],
        error_messages={"required": "Choose at least one event."},
        widget=forms.CheckboxSelectMultiple,
        help_text="An audit event is any change in this organization. It is sent in the form that the API gives it.",
    )

    @classmethod
    def of(cls, data: Any, webhook: Webhook) -> "WebhookForm":
        events = [*webhook.kinds, *([AUDIT_EVENT.id] if webhook.audit else [])]
        return cls(data, initial={"url": webhook.url, "events": events})

    @property
    def values(self) -> dict[str, Any]:
        """The valid input, as the room takes it."""
        events = self.cleaned_data["events"]
        return {
            "url": self.cleaned_data["url"],
            "kinds": [event for event in events if event != AUDIT_EVENT.id],
            "audit": AUDIT_EVENT.id in events,
        }


class CreateWebhookForm(WebhookForm, ReauthenticationForm):
    """A new webhook. `submission` identifies the opened form, so that posting it twice makes one webhook."""

    submission = forms.UUIDField(widget=forms.HiddenInput)

    field_order = ["url", "events", "password", "submission"]

    def __init__(self, data: Any = None, *, request: HttpRequest) -> None:
        super().__init__(data, request=request, initial={"submission": uuid.uuid4()})


class ReplaceSecretForm(ReauthenticationForm):
    overlap = forms.BooleanField(
        label="Let the previous secret sign too, for 24 hours",
        required=False,
        initial=True,
        help_text="Messages then have two signatures, so that the receiver can change its secret at any time. "
        "Untick it if the secret became known to others.",
    )

    field_order = ["overlap", "password"]
