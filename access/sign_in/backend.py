"""Sign-in with e-mail address and password, and the person of a session."""

from functools import partial
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.http import HttpRequest

from access.addresses import client_address
from access.models import Administrator
from access.sign_in.attempts import Attempt, Purpose
from access.sign_in.throttle import throttled


class AdministratorBackend(AuthenticationBackend):
    """E-mail and password, counted before they are looked at. Unknown accounts cost the same time as known ones."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> Administrator | None:
        account = credentials.get("email") or credentials.get("username")
        if not account or not credentials.get("password"):
            return None
        check = partial(super().authenticate, request, **{**credentials, "email": account, "username": None})
        administrator = throttled(check, Attempt(Purpose.SIGN_IN, account, client_address(request) if request else ""))
        return administrator if isinstance(administrator, Administrator) else None

    def get_user(self, user_id: Any) -> Administrator | None:
        """The person of a session with their tenant, or None where the person or the tenant has been suspended."""
        administrator = Administrator.objects.select_related("tenant").filter(pk=user_id).first()
        return administrator if administrator and self.user_can_authenticate(administrator) else None

    def user_can_authenticate(self, user: Any) -> bool:
        return may_sign_in(user)


def may_sign_in(person: Any) -> bool:
    """Whether neither the person nor their tenant is suspended."""
    return bool(person.is_active and (person.tenant is None or person.tenant.active))
