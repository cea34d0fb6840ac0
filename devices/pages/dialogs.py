"""Dialogs that hold one form: drawn by one template, as a page of its own without JavaScript."""

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django_htmx.http import HttpResponseClientRedirect

from access.pages.guards import PageRequest
from access.pages.responses import close_dialog, fragment


@dataclass(frozen=True, slots=True)
class Dialog:
    """What stands around the form. `back` is where Cancel leads without JavaScript, `about` says what will happen."""

    title: str
    submit: str
    back: str
    about: str = ""
    danger: bool = False
    facts: dict[str, Any] = field(default_factory=dict)


def show(request: PageRequest, dialog: Dialog, form: forms.Form) -> HttpResponse:
    """The form; 422 once it has been sent and refused. The cursor goes to what is wrong first."""
    status = 422 if form.is_bound else 200
    visible = [form[name] for name in form.fields if not form[name].is_hidden]
    wrong = [bound for bound in visible if bound.errors]
    if wrong or (visible and not dialog.about):
        (wrong or visible)[0].field.widget.attrs["autofocus"] = True
    return fragment(request, "devices/dialog.html", "form", {"dialog": dialog, "form": form}, status=status)


def refuse(form: forms.Form, error: ValidationError) -> None:
    """Put what a service says against the input to the fields that it names, or above them all."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, errors in error.error_dict.items():
        for each in errors:
            form.add_error(name if name in form.fields else None, each)


def saved(request: PageRequest, url: str, event: str, notice: str, *, tabs: bool = False) -> HttpResponse:
    """After a change: `notice` on the page that it shows on. With `tabs`, the pages below `url` show it as well."""
    messages.success(request, notice)
    if not request.htmx:
        return redirect(url)
    here = (request.htmx.current_url_abs_path or "").split("?")[0]
    if here == url or (tabs and here.startswith(url)):
        return close_dialog(event, refresh=True)
    return HttpResponseClientRedirect(url)
