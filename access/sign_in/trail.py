"""Sign-ins and sign-outs, in the trail of the person's tenant, or in that of the installation for an operator."""

from typing import Any

from allauth.account.authentication import get_authentication_records
from django.contrib.auth import signals
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from access.addresses import client_address
from access.audit.events import Actor, Target, log_event
from access.models import Administrator, AuditEvent
from access.sign_in.sessions import ADDRESS, AUTHENTICATED_AT, BROWSER, LONGEST_BROWSER, SECOND_STEP, STARTED_AT


def connect() -> None:
    """Start writing sign-ins to the audit trail."""
    signals.user_logged_in.connect(_signed_in, dispatch_uid="audit-sign-in")
    signals.user_logged_out.connect(_signed_out, dispatch_uid="audit-sign-out")


def _signed_in(sender: Any, request: HttpRequest, user: Administrator, **kwargs: Any) -> None:
    request.session[AUTHENTICATED_AT] = request.session[STARTED_AT] = int(timezone.now().timestamp())
    request.session[ADDRESS] = client_address(request)
    request.session[BROWSER] = request.headers.get("User-Agent", "")[:LONGEST_BROWSER]
    steps = [record["method"] for record in get_authentication_records(request, user)]
    # A provider asks for as many steps as its organization wants.
    request.session[SECOND_STEP] = "mfa" in steps or "socialaccount" in steps
    request.session.set_expiry(None)  # a sign-in without a name began with a short one
    log_session(request, user, "Signed in")


def _signed_out(sender: Any, request: HttpRequest, user: Administrator | None, **kwargs: Any) -> None:
    if user is not None:
        log_session(request, user, "Signed out")


@transaction.atomic
def log_session(request: HttpRequest, administrator: Administrator, summary: str) -> None:
    """Write what became of sessions of the person to their trail, with the address of the request."""
    log_event(
        target=Target(administrator.tenant, "user", administrator.id, administrator.name, "session"),
        actor=Actor.of(administrator),
        action=AuditEvent.Action.UPDATE,
        summary=summary,
        metadata={"address": client_address(request)},
    )
