"""The form of a note."""

from django import forms

from access.pages.forms.asking import Form


class NoteForm(Form):
    content = forms.CharField(
        max_length=20_000,
        label="Note",
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Write something first."},
    )
