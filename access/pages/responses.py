"""The answers of page views: a whole page or a piece of it, and the headers that htmx acts on."""

import json
from typing import Any, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render

from access.pages.guards import PageRequest


def form_data(request: HttpRequest) -> QueryDict | None:
    """The data of a submitted form; None for a GET, which leaves the form unbound."""
    return request.POST if request.method == "POST" else None


def fragment(
    request: HttpRequest, template: str, partial: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """One piece of the page for htmx, the whole page for a browser, also for its Back button: see `shell.html`.

    No cache mixes them up, because pages are not stored.
    """
    piece = cast("PageRequest", request).htmx
    return render(request, f"{template}#{partial}" if piece else template, context, status=status)


def push_url(response: HttpResponse, request: PageRequest, chosen: dict[str, str], page: int = 1) -> HttpResponse:
    """Make the address bar follow a search, so that reload, Back and a copied link show the same rows."""
    if request.htmx.target == "rows":
        parameters = urlencode({**chosen, **({"page": page} if page > 1 else {})})
        response["HX-Push-Url"] = f"{request.path}?{parameters}" if parameters else request.path
    return response


def close_dialog(*events: str, notice: str = "", refresh: bool = False) -> HttpResponse:
    """Answer an open page after a change: its dialog closes, lists that listen load again, `notice` is shown.

    `refresh` loads the whole page again, for a change that shows in several places of it.
    """
    triggers: dict[str, Any] = dict.fromkeys(("dialog-done", *events), True)
    if notice:
        triggers["notice"] = {"text": notice}
    response = HttpResponse(status=204, headers={"HX-Trigger": json.dumps(triggers)})
    if refresh:
        response["HX-Refresh"] = "true"
    return response


def ceremony(options: dict[str, Any]) -> str:
    """The options of a passkey's ceremony, for an attribute that `static/js/passkeys.js` reads."""
    return json.dumps(options)


def no_store(response: HttpResponse, *, has_forms: bool = False) -> HttpResponse:
    """Mark a response that holds a secret: no cache stores it, and no other site learns its address.

    `has_forms`: a person sends forms from this page. Under `no-referrer` a browser would send them with `Origin: null`,
    which the protection against CSRF refuses.
    """
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "same-origin" if has_forms else "no-referrer"
    return response
