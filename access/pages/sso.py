"""Sign-in with the OpenID Connect provider of an organization, and the dialogs that set it up."""

import logging
from typing import Any

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth import logout
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from access.addresses import client_address
from access.audit.security import SecurityEvent, report
from access.models import Administrator, IdentityProvider
from access.pages.dialogs import Dialog, refuse, saved, show
from access.pages.forms.password import ReauthenticationForm
from access.pages.forms.people import ProviderForm
from access.pages.forms.session import OrganizationForm
from access.pages.guards import PageRequest, manages_access
from access.pages.responses import form_data
from access.people.providers import remove_provider, save_provider
from access.sign_in import visits
from access.sign_in.attempts import Purpose
from access.sign_in.providers import (
    NotLetIn,
    ProviderAway,
    begin,
    callback_path,
    finish,
    is_fresh,
    person_of,
)
from access.sign_in.reauthentication import authenticated_now

logger = logging.getLogger(__name__)


@never_cache
@require_http_methods(["GET", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """Ask for the organization, whose name in the API's address everybody there knows."""
    form = OrganizationForm(form_data(request))
    next_url = (request.POST or request.GET).get("next", "")
    if form.is_valid():
        # No provider is said to be missing before its page: the answer is the same for every organization.
        query = {"next": next_url} if next_url else None
        return redirect(reverse("sso-start", args=[form.cleaned_data["organization"]], query=query))
    status = 422 if form.is_bound else 200
    return render(request, "registration/sso.html", {"form": form, "next": next_url}, status=status)


@never_cache
@require_GET
def start(request: HttpRequest, subdomain: str) -> HttpResponse:
    """Redirect to the provider. With `?confirm` a signed-in person is asked by it who they are, once more."""
    provider = _provider(subdomain)
    confirm = "confirm" in request.GET and request.user.is_authenticated
    if provider is None:
        return _failed(request, NotLetIn("This organization has no provider to sign in with."))
    visits.begin(request, Purpose.SSO)
    next_url = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(next_url, {request.get_host()}, require_https=request.is_secure()):
        next_url = ""
    try:
        return begin(request, provider, next_url=next_url, confirm=confirm)
    except ProviderAway as error:
        return _failed(request, error)


@never_cache
@require_GET
def callback(request: HttpRequest, subdomain: str) -> HttpResponse:
    """The provider sent the person back. Only people of its own organization come in."""
    provider = _provider(subdomain)
    if provider is None:
        raise Http404
    try:
        claims, next_url, confirm = finish(request, provider)
        person = person_of(provider, claims, client_address(request))
        return _confirmed(request, person, claims) if confirm else _sign_in(request, person, next_url)
    except (NotLetIn, ProviderAway) as error:
        return _failed(request, error)


def _sign_in(request: HttpRequest, person: Administrator, next_url: str) -> HttpResponse:
    visits.succeed(request)
    if request.user.is_authenticated:
        logout(request)
    record_authentication(request, person, "socialaccount")
    try:
        answer: HttpResponse = perform_login(request, Login(user=person, redirect_url=next_url or None))
    except ImmediateHttpResponse as instead:
        answer = instead.response
    return answer


def _confirmed(request: HttpRequest, person: Administrator, claims: dict[str, Any]) -> HttpResponse:
    if request.user != person:
        raise NotLetIn("The provider signed in somebody else. Choose your own account there.")
    if not is_fresh(claims):
        raise NotLetIn("The provider did not ask who you are. Sign out there, and try again.")
    visits.succeed(request)
    authenticated_now(request)
    return render(request, "registration/sso_confirmed.html")


def _failed(request: HttpRequest, error: Exception) -> HttpResponse:
    report(SecurityEvent.SSO_FAILED, client_address(request))
    if isinstance(error, NotLetIn):
        return render(request, "registration/sso_failed.html", {"message": str(error)}, status=403)
    # A stranger can cause this, and the reason may quote the provider: it is for the operator.
    logger.warning("Single sign-on failed: %s", str(error)[:500])
    message = "The provider of your organization could not be used. Try again, or ask an administrator."
    return render(request, "registration/sso_failed.html", {"message": message}, status=502)


def _provider(subdomain: str) -> IdentityProvider | None:
    found: IdentityProvider | None = (
        IdentityProvider.objects.select_related("tenant")
        .filter(tenant__subdomain=subdomain, tenant__active=True)
        .first()
    )
    return found


@manages_access
@require_http_methods(["GET", "POST"])
def provider(request: PageRequest) -> HttpResponse:
    """Set up the provider of the organization, or change it."""
    row = IdentityProvider.objects.filter(tenant=request.tenant).first()
    form = ProviderForm(form_data(request), request=request, provider=row)
    if form.is_valid():
        try:
            save_provider(tenant=request.tenant, actor=request.actor, **form.values)
        except ValidationError as error:
            refuse(form, error)
        else:
            return saved(request, reverse("people"), "people-changed", "Single sign-on is saved.", in_place=True)
    example = row or IdentityProvider(tenant=request.tenant)
    dialog = Dialog(
        "Single sign-on",
        "Save",
        reverse("people"),
        about="People whose address is invited sign in with your OpenID Connect provider.",
        facts={"Redirect URI, for the provider": request.build_absolute_uri(callback_path(example))},
    )
    return show(request, dialog, form)


@manages_access
@require_http_methods(["GET", "POST"])
def provider_remove(request: PageRequest) -> HttpResponse:
    row = get_object_or_404(IdentityProvider, tenant=request.tenant)
    form = ReauthenticationForm(form_data(request), request=request)
    if form.is_valid():
        remove_provider(tenant=request.tenant, actor=request.actor)
        return saved(request, reverse("people"), "people-changed", "Single sign-on is removed.", in_place=True)
    about = "People sign in with their passwords again. Those who have none get one by “Forgot your password?”."
    dialog = Dialog(f"Remove {row.name}?", "Remove", reverse("people"), about=about, danger=True)
    return show(request, dialog, form)
