"""The first page after signing in, and the choice of the theme."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from access.http.context_processors import THEMES
from access.http.navigation import allowed, navigation
from access.pages.guards import PageRequest, signed_in


@signed_in
def home(request: PageRequest) -> HttpResponse:
    """Redirect to the first page of the navigation. An operator has none, and goes to Django's administration."""
    if request.user.is_staff:
        return redirect("admin:index")
    return redirect(allowed(navigation, request.user)[0].url_name)


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Remember the theme on this device for a year, for people who have signed in and others."""
    theme = request.POST.get("theme")
    back = request.POST.get("next", "")
    if not back.startswith("/") or not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    response = HttpResponseRedirect(back)  # redirect() would look for a view of this name
    if theme in THEMES:
        response.set_cookie(
            "theme", theme, max_age=365 * 24 * 3600, samesite="Lax", secure=settings.HTTPS, httponly=True
        )
    return response
