"""The form for the version that a Blueprint requires."""

from typing import Any

from django import forms

from access.pages.forms.asking import Form


class RequiredVersionForm(Form):
    """Without a version, none is required, and the deadline has no meaning."""

    version = forms.CharField(
        required=False,
        max_length=20,
        help_text="For example 26.1. Leave it empty to require none.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "decimal"}),
    )
    date = forms.DateField(
        required=False, label="Deadline", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    time = forms.TimeField(
        required=False,
        help_text="By the clock of each device, wherever it is.",
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = self.cleaned_data
        data["version"] = data.get("version", "").strip()
        if data["version"]:
            for name, words in (
                ("date", "Choose the day of the deadline."),
                ("time", "Enter the time of the deadline."),
            ):
                if data.get(name) is None and name not in self.errors:
                    self.add_error(name, words)
        return data
