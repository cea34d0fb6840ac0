"""Signing in and out and choosing a new password: views of allauth with our templates and addresses."""

from typing import Any

from allauth.account import views
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from access.addresses import client_address
from access.audit.security import SecurityEvent, report
from access.pages.forms.session import NewPasswordForm, PasswordResetForm, SignInForm


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


class Suspended(views.AccountInactiveView):
    template_name = "registration/suspended.html"


@never_cache
@require_GET
def session_state(request: HttpRequest) -> HttpResponse:
    """Whether the visitor is signed in, and a CSRF token: for a page that is about to send what a person entered."""
    return JsonResponse({"signed_in": request.user.is_authenticated, "csrf": get_token(request)})
