"""Signing in and out and choosing a new password: views of allauth with our templates and addresses."""

from functools import partial
from typing import Any

from allauth.account import views
from allauth.account.internal.flows.login import perform_login
from allauth.account.internal.stagekit import clear_login
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.webauthn.internal import auth as passkeys
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from access.addresses import client_address
from access.audit.security import SecurityEvent, report
from access.models import IdentityProvider
from access.pages.forms.account import PasskeySignInForm, SecondStepForm, SecondStepPasskeyForm
from access.pages.forms.people import InvitationForm
from access.pages.forms.session import NewPasswordForm, PasswordResetForm, SignInForm
from access.pages.responses import ceremony, form_data
from access.people.invitations import InvitationOver, accept, invited
from access.sign_in import visits
from access.sign_in.attempts import Attempt, Purpose, report_failure
from access.sign_in.authenticators import authenticators_of
from access.sign_in.throttle import counted


class RefusesWith422:
    """A form that needs correction answers 422."""

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        response.status_code = 422
        return response


class SignIn(RefusesWith422, views.LoginView):
    form_class = SignInForm
    template_name = "registration/sign_in.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """allauth leads a person back to their second step; with `?again` they begin anew, perhaps as somebody else."""
        if "again" in request.GET and not request.user.is_authenticated:
            clear_login(request)
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "providers": providers()}


def providers() -> list[IdentityProvider]:
    """Up to two providers of this installation: where there is one, the sign-in page leads to it at once."""
    return list(IdentityProvider.objects.select_related("tenant").filter(tenant__active=True)[:2])


class SecondStep(AuthenticateView):
    """The second step of a sign-in: a code, or a passkey."""

    template_name = "registration/second_step.html"
    webauthn_form_class = SecondStepPasskeyForm

    def get_form_class(self) -> Any:
        return partial(SecondStepForm, request=self.request)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Raises TooManyAttempts like a sign-in."""
        if self.form is self.webauthn_form:
            attempt = Attempt(Purpose.SECOND_STEP, self.stage.login.user.email, client_address(request))
            counted(self.form.is_valid, attempt)
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 422
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        person = self.stage.login.user
        own = authenticators_of(person)
        return {
            **context,
            "authenticators": own,
            "email": person.email,
            "ceremony": ceremony(context["js_data"]["request_options"]) if own.passkeys else "",
        }


@never_cache
@require_http_methods(["GET", "POST"])
def passkey_sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in with a passkey alone: GET answers its options, POST takes what the browser made of them.

    Raises TooManyAttempts: each GET counts until its passkey has been accepted, because it stores a session.
    """
    address = client_address(request)
    if request.method == "GET":
        visits.begin(request, Purpose.PASSKEY)
        return JsonResponse(passkeys.begin_authentication())
    form = PasskeySignInForm(request.POST)
    if not form.is_valid():
        report_failure(Attempt(Purpose.PASSKEY, "", address))
        sign_in = SignInForm(request=request)
        error = "This passkey was not accepted. Try again, or sign in with your password."
        context = {"form": sign_in, "passkey_error": error, "providers": providers()}
        return render(request, "registration/sign_in.html", context, status=422)
    visits.succeed(request)
    authenticator = form.cleaned_data["credential"]
    post_authentication(request, authenticator, passwordless=True)
    login = Login(user=authenticator.user, redirect_url=get_next_redirect_url(request))
    response: HttpResponse = perform_login(request, login)
    return response


class SignOut(views.LogoutView):
    template_name = "registration/sign_out.html"


class PasswordReset(RefusesWith422, views.PasswordResetView):
    form_class = PasswordResetForm
    template_name = "registration/password_reset.html"


class PasswordResetSent(views.PasswordResetDoneView):
    template_name = "registration/password_reset_sent.html"


class NewPassword(RefusesWith422, views.PasswordResetFromKeyView):
    form_class = NewPasswordForm
    template_name = "registration/new_password.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if kwargs.get("token_fail"):
            report(SecurityEvent.RESET_LINK_REFUSED, client_address(self.request))
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context


class NewPasswordDone(views.PasswordResetFromKeyDoneView):
    template_name = "registration/new_password_done.html"


@never_cache
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, key: str) -> HttpResponse:
    """An invited person chooses a password, and signs in with it afterwards."""
    response = _invitation(request, key)
    # The browser names the page in its requests for styles and scripts, and proxies log that. `no-referrer` would also
    # take the origin from the form, by which CSRF protection knows it.
    response["Referrer-Policy"] = "strict-origin"
    return response


def _invitation(request: HttpRequest, key: str) -> HttpResponse:
    try:
        person = invited(key)
        form = InvitationForm(form_data(request), person=person)
        if form.is_valid():
            accept(key=key, password=form.cleaned_data["password"], address=client_address(request))
            return redirect("account_reset_password_from_key_done")
    except InvitationOver:
        report(SecurityEvent.INVITATION_REFUSED, client_address(request))
        return render(request, "registration/invitation.html", status=410)
    status = 422 if form.is_bound else 200
    context = {"form": form, "person": person}
    return render(request, "registration/invitation.html", context, status=status)


class Suspended(views.AccountInactiveView):
    template_name = "registration/suspended.html"


@never_cache
@require_GET
def session_state(request: HttpRequest) -> HttpResponse:
    """Whether the visitor is signed in, and a CSRF token: for a page that is about to send what a person entered."""
    return JsonResponse({"signed_in": request.user.is_authenticated, "csrf": get_token(request)})
