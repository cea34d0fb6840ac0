"""Signing in and out and choosing a new password: views of allauth with our templates and addresses."""

from typing import Any

from allauth.account import views
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from access.addresses import client_address
from access.audit.security import SecurityEvent, report
from access.pages.forms.people import InvitationForm
from access.pages.forms.session import NewPasswordForm, PasswordResetForm, SignInForm
from access.pages.responses import form_data
from access.people.invitations import InvitationOver, accept, invited


class RefusesWith422:
    """A form that needs correction answers 422."""

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        response.status_code = 422
        return response


class SignIn(RefusesWith422, views.LoginView):
    form_class = SignInForm
    template_name = "registration/sign_in.html"


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
