from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from access.http.context_processors import THEMES
from access.http.navigation import allowed, navigation
from access.pages.guards import PageRequest, signed_in


@signed_in
def home(request: PageRequest) -> HttpResponse:
    """Where signing in leads: each person's own first page."""
    if request.user.is_staff:
        return redirect("admin:index")
    if request.user.manages_access:
        return redirect("tokens")
    return redirect(allowed(navigation, request.user)[0].url_name)


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Remember light, dark or the system's choice on this device for a year, signed in or not."""
    theme = request.POST.get("theme")
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = redirect(back)
    if theme in THEMES:
        response.set_cookie(
            "theme", theme, max_age=365 * 24 * 3600, samesite="Lax", secure=settings.HTTPS, httponly=True
        )
    return response
