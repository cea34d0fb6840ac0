"""allauth's adapter: our own words, and none of the ways in that this installation does not offer."""

from typing import Any, ClassVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from allauth.core import context as current
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from access.addresses import client_address
from access.audit.events import Actor
from access.labels import PRODUCT
from access.models import Administrator
from access.sign_in.backend import may_sign_in
from access.sign_in.passwords import change_password
from access.sign_in.providers import must_use_provider


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: Administrator, **options: Any) -> HttpResponse | None:
        """Refuse people of a suspended tenant before anything is written to the audit trail."""
        if user.tenant is not None and not user.tenant.active:
            request.session.flush()  # it holds only the unfinished sign-in
            refusal: HttpResponse = self.respond_user_inactive(request, user)
            return refusal
        answer: HttpResponse | None = super().pre_login(request, user, **options)
        methods = {record["method"] for record in get_authentication_records(request, user)}
        if answer is None and "socialaccount" not in methods and (provider := must_use_provider(user)):
            request.session.flush()
            return render(request, "registration/sso_required.html", {"provider": provider}, status=403)
        return answer

    def login(self, request: HttpRequest, user: Administrator) -> None:
        """Begin the session, after the last step. A person may have been suspended since the first one."""
        if not may_sign_in(user):
            request.session.flush()
            raise ImmediateHttpResponse(self.respond_user_inactive(request, user))
        super().login(request, user)

    def set_password(self, user: Administrator, password: str) -> None:
        """Called with the password that a person chose by a reset link, the only way of allauth's that we offer."""
        change_password(
            person=user,
            password=password,
            actor=Actor.of(user),
            summary="Password set by a reset link",
            address=client_address(current.request),
        )

    def is_safe_url(self, url: str) -> bool:
        """Whether `url` is on this host. allauth would also allow every API host, and other schemes."""
        request = current.request
        return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Show no message: the next page shows that signing in worked."""


class MfaAdapter(DefaultMFAAdapter):
    error_messages: ClassVar[dict[str, str]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This passkey was not accepted. Try again, or use another way.",
    }

    def encrypt(self, text: str) -> str:
        """Refuse: authenticators.py encrypts, and allauth's own functions would store a secret without its person."""
        raise NotImplementedError

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {**super().get_public_key_credential_rp_entity(), "name": PRODUCT}

    def generate_authenticator_name(self, user: Any, type: Authenticator.Type) -> str:
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return "Passkey" if number == 1 else f"Passkey {number}"
