"""The Usage tab of a token: its calls, its refused calls, its unused permissions, and learn mode."""

import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from django import forms
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from access.pages.bars import Bar, drawn
from access.pages.dialogs import Dialog, saved, show
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data
from access.pages.token_life import revoked_by
from access.permissions import Permission, catalogue
from access.tokens import learning

DAYS = 30
MOST_OPERATIONS = 10
LOWEST = 2  # percent, so that one call beside thousands is visible


@dataclass(frozen=True, slots=True)
class Column:
    """A day of the chart. `height` is a percentage of the highest day, `x` the left edge in percent."""

    day: date
    count: int
    height: float
    x: float

    @property
    def top(self) -> float:
        return round(100 - self.height, 1)


@dataclass(frozen=True, slots=True)
class Denied:
    """Refused calls of one operation. `url` opens the editor with the missing permission ticked."""

    permission: Permission
    count: int
    last: object
    url: str


@manages_access
@require_GET
def usage(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.with_people(), id=token_id)
    recent = token.uses.of_last(DAYS)
    columns = _columns(recent.by_day())
    editor = reverse("token-permissions", args=[token.id])
    denied = [
        Denied(permission, count, last, f"{editor}?{urlencode({'grant': operation})}")
        for operation, count, last in recent.by_denied()
        if (permission := catalogue.get(operation)) and operation not in token.permissions
    ]
    operations = [
        Bar(label=permission.label if (permission := catalogue.get(operation)) else operation, count=count)
        for operation, count in recent.by_operation()[:MOST_OPERATIONS]
    ]
    unused, known_from = learning.unused_permissions(token)
    context = {
        "token": token,
        "tab": "usage",
        "revoked_by": revoked_by(request, token),
        "columns": columns,
        "total": sum(column.count for column in columns),
        "busiest": max(columns, key=lambda column: column.count),
        "operations": drawn(operations),
        "denied": denied,
        "unused": unused,
        "unused_url": f"{editor}?{urlencode({'remove': [each.codename for each in unused]}, doseq=True)}",
        "known_from": known_from,
        "learning": token.learning_until if token.learning_until and token.learning_until > timezone.now() else None,
        "suggestions": learning.suggestions(token),
    }
    return render(request, "access/tokens/usage.html", context)


@manages_access
@require_http_methods(["GET", "POST"])
def learn(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    form = forms.Form(form_data(request))
    back = reverse("token-usage", args=[token.id])
    if form.is_valid():
        learning.start_learning(tenant=request.tenant, token_id=token_id, actor=request.actor)
        notice = "Learn mode is on for an hour. Run the integration now, and then edit the permissions."
        return saved(request, back, "tokens-changed", notice)
    dialog = Dialog(
        "Learn which permissions are missing?",
        "Start",
        back,
        about="For an hour, each call that is refused for its permission is suggested in the editor. It stays refused.",
    )
    return show(request, dialog, form)


@manages_access
@require_http_methods(["GET", "POST"])
def stop_learning(request: PageRequest, token_id: uuid.UUID) -> HttpResponse:
    token = get_object_or_404(request.tenant.api_tokens.listed(), id=token_id)
    form = forms.Form(form_data(request))
    back = reverse("token-usage", args=[token.id])
    if form.is_valid():
        learning.stop_learning(tenant=request.tenant, token_id=token_id, actor=request.actor)
        return saved(request, back, "tokens-changed", "Learn mode is off, and its suggestions are gone.")
    dialog = Dialog("End learn mode?", "End", back, about="The suggestions that were not saved are forgotten.")
    return show(request, dialog, form)


def _columns(counts: dict[date, int]) -> list[Column]:
    today = timezone.now().date()
    days = [today - timedelta(days=DAYS - 1 - number) for number in range(DAYS)]
    most = max((counts.get(day, 0) for day in days), default=0) or 1
    width = 100 / DAYS
    return [
        Column(
            day,
            count := counts.get(day, 0),
            round(max(count / most * 100, LOWEST), 1) if count else 0,
            round(number * width, 2),
        )
        for number, day in enumerate(days)
    ]
