"""Dialogs with one form. One template renders them all; without JavaScript each is a page."""

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
    """The texts around the form. `back` is the target of Cancel without JavaScript, `about` says what will happen.

    `disabled`: the form cannot be sent, for a reason in `about`. `warning` is what the person must know before, and
    `warning_link` leads to where something can be done about it. `links` stand beside the buttons. `preview` is a
    template that shows what the fields will look like elsewhere. `keep` is the label of Cancel where that word would
    have two meanings.

    `upload`: the file is uploaded to the storage before the form is sent. `waiting` says what the form waits for: the
    form is sent repeatedly until the answer is a different one.
    """

    title: str
    submit: str
    back: str
    about: str = ""
    danger: bool = False
    disabled: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    warning: str = ""
    warning_link: "DialogLink | None" = None
    links: tuple["DialogLink", ...] = ()
    preview: str = ""
    keep: str = ""
    upload: "Upload | None" = None
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class DialogLink:
    """A link to a page; with `dialog` to another dialog, which replaces this one."""

    label: str
    url: str
    dialog: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """Values for `static/js/uploads.js`: the URL that reserves an upload, and the maximum size of a file in bytes."""

    url: str
    maximum: int
    too_large: str


def show(request: PageRequest, dialog: Dialog, form: forms.Form) -> HttpResponse:
    """Render the dialog, with 422 for a form that was refused. The first field with an error gets the focus."""
    status = 422 if form.is_bound and not dialog.waiting else 200
    visible = [form[name] for name in form.fields if not form[name].is_hidden]
    invalid = [bound for bound in visible if bound.errors]
    if invalid or (visible and not dialog.about):
        (invalid or visible)[0].field.widget.attrs["autofocus"] = True
    return fragment(request, "dialog.html", "form", {"dialog": dialog, "form": form}, status=status)


def refuse(form: forms.Form, error: ValidationError) -> None:
    """Add the messages of a room's ValidationError to the fields that it names, or to the form."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, errors in error.error_dict.items():
        for each in errors:
            form.add_error(name if name in form.fields else None, each)


def opened_on(request: PageRequest) -> str:
    """The path of the page that the dialog was opened on; empty without JavaScript."""
    return (request.htmx.current_url_abs_path or "").split("?")[0]


def saved(
    request: PageRequest,
    url: str,
    event: str,
    notice: str,
    *,
    tabs: bool = False,
    in_place: bool = False,
    level: int = messages.SUCCESS,
) -> HttpResponse:
    """The answer to a change: show `notice` on the page `url`. With `tabs` the pages below `url` may show it too.

    `in_place`: the page `url` loads what has changed on the event, so that it keeps its place and the focus. `level`:
    messages.INFO for something that has been accepted and not happened yet.
    """
    here = opened_on(request)
    if in_place and here == url:
        return close_dialog(event, notice=notice)
    messages.add_message(request, level, notice)
    if not request.htmx:
        return redirect(url)
    if here == url or (tabs and here.startswith(url)):
        return close_dialog(event, refresh=True)
    return HttpResponseClientRedirect(url)
