"""What every page in the browser is made of: who may see it, and whether the whole page or a piece is asked for."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, cast
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from access.models import Administrator, Tenant
from access.roles import Capability, may


class PageRequest(HttpRequest):
    """The request of a signed-in administrator, as the decorators below hand it to a view."""

    user: Administrator
    tenant: Tenant
    htmx: HtmxDetails


type PageView[**P] = Callable[Concatenate[PageRequest, P], HttpResponse]
type ViewFunc[**P] = Callable[Concatenate[HttpRequest, P], HttpResponse]


def signed_in[**P](view: PageView[P]) -> ViewFunc[P]:
    """Give the page to whoever has signed in; take anybody else to the sign-in page and back here afterwards."""

    @wraps(view)
    @never_cache
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        page_request = cast("PageRequest", request)
        if request.user.is_authenticated:
            return view(page_request, *args, **kwargs)
        if page_request.htmx:  # a redirect would end up inside the page; this one replaces it
            here = page_request.htmx.current_url_abs_path or request.get_full_path()
            return HttpResponseClientRedirect(redirect_to_login(here).url)
        return redirect_to_login(request.get_full_path())

    return guarded


def requires[**P](capability: Capability) -> Callable[[PageView[P]], ViewFunc[P]]:
    """Give the page to those whose role has the capability; anybody else who has signed in gets a 403 page.

    The view keeps it as its `capability`, by which the matrix of roles and pages is tested.
    """

    def decorate(view: PageView[P]) -> ViewFunc[P]:
        @wraps(view)
        def guarded(request: PageRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if not may(request.user, capability):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.capability = capability  # type: ignore[attr-defined]
        return signed_in(guarded)

    return decorate


def manages_access[**P](view: PageView[P]) -> ViewFunc[P]:
    """Give the page to the Account Owner and Admins of a tenant."""
    return requires(Capability.MANAGE_ACCESS)(view)


def fragment(
    request: HttpRequest, template: str, partial: str, context: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    """One piece of the page for htmx, the whole page for a browser."""
    htmx = cast("PageRequest", request).htmx
    piece = htmx and not htmx.boosted and not htmx.history_restore_request
    response = render(request, f"{template}#{partial}" if piece else template, context, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def push_url(response: HttpResponse, request: PageRequest, chosen: dict[str, str], page: int = 1) -> HttpResponse:
    """A list's answer to a search: the address follows, so that reload, Back and a copied link show the same rows."""
    if request.htmx.target == "rows":
        parameters = urlencode({**chosen, **({"page": page} if page > 1 else {})})
        response["HX-Push-Url"] = f"{request.path}?{parameters}" if parameters else request.path
    return response


def close_dialog(*events: str, notice: str = "", refresh: bool = False) -> HttpResponse:
    """Tell an open page what has changed: its dialog closes, lists that listen load again, `notice` is shown.

    `refresh` loads the whole page again, for a change that shows in several places of it.
    """
    triggers: dict[str, Any] = dict.fromkeys(("dialog-done", *events), True)
    if notice:
        triggers["notice"] = {"text": notice}
    response = HttpResponse(status=204, headers={"HX-Trigger": json.dumps(triggers)})
    if refresh:
        response["HX-Refresh"] = "true"
    return response
