"""The page that asks before an action changes anything. It names the objects and says what the action does to them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from access.pages.forms.password import ReauthenticationForm


@dataclass(frozen=True, slots=True)
class Question:
    """`objects` are the lines of the list: each says one object, and what becomes of it."""

    title: str
    about: str
    button: str
    objects: Iterable[str] = field(default_factory=list)
    danger: bool = True


class ConfirmedForm(ReauthenticationForm):
    """Nothing but the operator's own password, where it was not given within the last ten minutes."""


def answered(request: HttpRequest, form_class: type[forms.Form] = forms.Form) -> forms.Form | None:
    """The valid form of a confirmed question; None where it still has to be asked."""
    form = _form(request, form_class)
    return form if form.is_bound and form.is_valid() else None


def ask(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    queryset: QuerySet[Any],
    question: Question,
    form_class: type[forms.Form] = forms.Form,
) -> TemplateResponse:
    """The page with the question. Its form sends the same action again, confirmed."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": question.title,
        "opts": model_admin.opts,
        "model_admin": model_admin,
        "question": question,
        "form": _form(request, form_class),
        "action": request.POST["action"],
        "checkbox": ACTION_CHECKBOX_NAME,
        "selected": [str(pk) for pk in queryset.order_by().values_list("pk", flat=True)],
        "next": request.POST.get("next", ""),
    }
    return TemplateResponse(request, "admin/question.html", context)


def _form(request: HttpRequest, form_class: type[forms.Form]) -> Any:
    # It is made and checked once in a request: a wrong password counts as one attempt.
    if not hasattr(request, "question_form"):
        data = request.POST if "confirmed" in request.POST else None
        more: dict[str, Any] = {"request": request} if issubclass(form_class, ReauthenticationForm) else {}
        request.question_form = form_class(data, **more)  # type: ignore[attr-defined]
    return request.question_form  # type: ignore[attr-defined]
