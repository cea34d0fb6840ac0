"""Signing in: what is counted, what is refused before a password is hashed, and what is written down."""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.stagekit import clear_login
from allauth.core import context as current
from django.conf import settings
from django.contrib.auth import signals
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from access.addresses import client_address, network
from access.models import Administrator, AuditEvent, SignInAttempt
from access.services.audit import Actor, Target, record

ATTEMPTS = 10
WINDOW = timedelta(minutes=5)
HASH_WAIT = 0.5  # seconds that a sign-in waits for the one before it
# Keys in a session: the moment of its last password, and of its first.
AUTHENTICATED_AT = "authenticated_at"
STARTED_AT = "started_at"
# One password is hashed and one waits for it. More would hold so many of the server's few threads, and write so many
# attempts, that the API waited with them: ten attempts an address are no limit to whoever holds a thousand addresses.
places = threading.BoundedSemaphore(2)

logger = logging.getLogger(__name__)
outgoing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")  # what it still holds is sent before we exit


class TooManyAttempts(Exception):
    """Refused without looking at the password; worth another try after `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after


class OneAtATimeArgon2(Argon2PasswordHasher):
    """Argon2id at OWASP's floor, one at a time per process, so that guessing passwords cannot starve the API."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
    _turn = threading.Lock()

    def encode(self, password: str, salt: str) -> str:
        with self._waiting():
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        with self._waiting():
            return super().verify(password, encoded)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=HASH_WAIT):
            raise TooManyAttempts(retry_after=1)
        try:
            yield
        finally:
            self._turn.release()


def count_attempt(account: str, address: str) -> list[int]:
    """Count one attempt against the account name and against the client's network, before anything is hashed.

    Raises TooManyAttempts after ten within five minutes. Give the result to `forgive` once the attempt succeeded.
    """
    now = timezone.now()
    keys = [_key("account", account.strip().lower()), _key("address", network(address))]
    _refuse_beyond(ATTEMPTS - 1, keys, now)
    with transaction.atomic():
        SignInAttempt.objects.filter(at__lt=now - WINDOW).delete()
        attempts = [SignInAttempt.objects.create(key=key, at=now).pk for key in keys]
    # Counted again now that everybody sees this one: of many at the same moment, the last to get here sees all others.
    try:
        _refuse_beyond(ATTEMPTS, keys, now)
    except TooManyAttempts:
        forgive(attempts)
        raise
    return attempts


def forgive(attempts: list[int]) -> None:
    """Take a successful attempt out of the count."""
    SignInAttempt.objects.filter(pk__in=attempts).delete()


class AdministratorBackend(AuthenticationBackend):
    """E-mail and password, counted before they are looked at. Unknown accounts cost the same time as known ones."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> Administrator | None:
        account = credentials.get("email") or credentials.get("username")
        if not account or not credentials.get("password"):
            return None
        look = partial(super().authenticate, request, **{**credentials, "email": account, "username": None})
        administrator = _counted(look, account, client_address(request) if request else "")
        return administrator if isinstance(administrator, Administrator) else None

    def get_user(self, user_id: Any) -> Administrator | None:
        """The person of a session, with their tenant; nobody where the person or the tenant has been suspended."""
        administrator = Administrator.objects.select_related("tenant").filter(pk=user_id).first()
        return administrator if administrator and self.user_can_authenticate(administrator) else None

    def user_can_authenticate(self, user: Any) -> bool:
        return bool(user.is_active and (user.tenant is None or user.tenant.active))


def confirm_password(request: HttpRequest, password: str) -> bool:
    """Whether this is the signed-in person's password; if so, the session counts as freshly authenticated.

    Raises TooManyAttempts like a sign-in.
    """
    administrator = request.user
    if not isinstance(administrator, Administrator):
        return False
    check = partial(administrator.check_password, password)
    if not _counted(check, administrator.email, client_address(request)):
        return False
    request.session[AUTHENTICATED_AT] = int(timezone.now().timestamp())
    return True


def authenticated_recently(request: HttpRequest) -> bool:
    """Whether this session's password was given within the last ten minutes."""
    at: int = request.session.get(AUTHENTICATED_AT, 0)
    return timezone.now().timestamp() - at < settings.REAUTHENTICATION_TIMEOUT


class AccountAdapter(DefaultAccountAdapter):
    """allauth with our words, and without its ways in that this installation does not offer."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: Administrator, **options: Any) -> HttpResponse | None:
        """Nobody of a suspended tenant signs in, and the trail does not say that they did."""
        if user.tenant is not None and not user.tenant.active:
            clear_login(request)
            refusal: HttpResponse = self.respond_user_inactive(request, user)
            return refusal
        answer: HttpResponse | None = super().pre_login(request, user, **options)
        return answer

    def is_safe_url(self, url: str) -> bool:
        """This host's own pages. allauth would also lead to every API host, and to other schemes."""
        request = current.request
        return url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing: signing in is visible in what follows."""

    def send_password_reset_mail(self, user: Administrator, email: str, context: dict[str, Any]) -> None:
        if not user.is_active:
            return
        # The request's host is one of ours, but the port beside it is whatever the sender wrote.
        link = urlsplit(context["password_reset_url"])
        port = f":{settings.IRU_PORT}" if settings.IRU_PORT else ""
        host = f"{split_domain_port(link.netloc)[0]}{port}"
        context = {**context, "password_reset_url": f"{settings.IRU_SCHEME}://{host}{link.path}", "administrator": user}
        body = render_to_string("registration/password_reset_email.txt", context)
        # Not while the visitor waits: how long a mail server takes would tell that there is such an account.
        outgoing.submit(_send, "Choose a new password for Iru Endpoint", body, email)


def _send(subject: str, body: str, email: str) -> None:
    try:
        send_mail(subject, body, None, [email])
    except OSError:
        logger.exception("A mail could not be sent.")


def connect() -> None:
    """Start writing sign-ins to the audit trail."""
    signals.user_logged_in.connect(_signed_in, dispatch_uid="audit-sign-in")
    signals.user_logged_out.connect(_signed_out, dispatch_uid="audit-sign-out")


def _signed_in(sender: Any, request: HttpRequest, user: Administrator, **kwargs: Any) -> None:
    request.session[AUTHENTICATED_AT] = request.session[STARTED_AT] = int(timezone.now().timestamp())
    _record(request, user, "Signed in")


def _signed_out(sender: Any, request: HttpRequest, user: Administrator | None, **kwargs: Any) -> None:
    if user is not None:
        _record(request, user, "Signed out")


@transaction.atomic
def _record(request: HttpRequest, administrator: Administrator, summary: str) -> None:
    if administrator.tenant is None:  # an operator belongs to no tenant's trail
        return
    record(
        target=Target(administrator.tenant, "user", administrator.id, administrator.name, "session"),
        actor=Actor.of(administrator),
        action=AuditEvent.Action.UPDATE,
        summary=summary,
        metadata={"address": client_address(request)},
    )


def _counted[Found](look: Callable[[], Found], account: str, address: str) -> Found:
    if not places.acquire(blocking=False):
        raise TooManyAttempts(retry_after=1)
    try:
        attempts = count_attempt(account, address)
        try:
            found = look()
        except TooManyAttempts:  # the hasher was busy: this password was not even looked at
            forgive(attempts)
            raise
        if found:
            forgive(attempts)
        return found
    finally:
        places.release()


def _refuse_beyond(allowed: int, keys: list[str], now: datetime) -> None:
    for key in keys:
        recent = SignInAttempt.objects.filter(key=key, at__gt=now - WINDOW).order_by("-at").values_list("at", flat=True)
        if one_too_many := recent[allowed : allowed + 1]:
            raise TooManyAttempts(retry_after=int((one_too_many[0] + WINDOW - now).total_seconds()) + 1)


def _key(kind: str, value: str) -> str:
    # The table shall not be a list of addresses and account names; a digest counts just as well.
    return hashlib.sha256(f"{kind}:{value}".encode()).hexdigest()
