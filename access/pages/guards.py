"""Who may open a page: the decorators of every view, and the request that they pass to it."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from access.addresses import client_address
from access.audit.events import Actor
from access.models import Administrator, Tenant
from access.roles import Capability, may


class PageRequest(HttpRequest):
    """The request of a signed-in administrator, as the decorators below pass it to a view.

    `actor` is the same person as the author of changes. Operators have no tenant, and open no page that needs one.
    """

    user: Administrator
    actor: Actor
    tenant: Tenant
    htmx: HtmxDetails


type PageView[**P] = Callable[Concatenate[PageRequest, P], HttpResponseBase]
type ViewFunc[**P] = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def signed_in[**P](view: PageView[P]) -> ViewFunc[P]:
    """Show the page to people who have signed in; others are redirected to the sign-in page and back afterwards.

    An object that the view or a room does not find answers 404.
    """

    @wraps(view)
    @never_cache
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        page_request = cast("PageRequest", request)
        if isinstance(request.user, Administrator):
            page_request.actor = Actor.of(request.user, client_address(request))
            try:
                return view(page_request, *args, **kwargs)
            except ObjectDoesNotExist:
                raise Http404 from None
        if page_request.htmx:  # a redirect would end up inside the page; this one replaces it
            here = page_request.htmx.current_url_abs_path or request.get_full_path()
            return HttpResponseClientRedirect(redirect_to_login(here).url)
        return redirect_to_login(request.get_full_path())

    return guarded


def requires[**P](capability: Capability) -> Callable[[PageView[P]], ViewFunc[P]]:
    """Show the page to people whose role has the capability; others who have signed in get a 403 page."""

    def decorate(view: PageView[P]) -> ViewFunc[P]:
        @wraps(view)
        def guarded(request: PageRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not may(request.user, capability):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return signed_in(guarded)

    return decorate


def manages_access[**P](view: PageView[P]) -> ViewFunc[P]:
    """Show the page to the Account Owner and Admins of a tenant."""
    return requires(Capability.MANAGE_ACCESS)(view)
