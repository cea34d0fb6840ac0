"""Sign-ins and sign-outs, in the trail of the person's tenant, or in that of the installation for an operator."""

from typing import Any

from django.contrib.auth import signals
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from access.addresses import client_address
from access.audit.events import Actor, Target, log_event
from access.models import Administrator, AuditEvent
from access.sign_in.reauthentication import AUTHENTICATED_AT, STARTED_AT


def connect() -> None:
    """Start writing sign-ins to the audit trail."""
    signals.user_logged_in.connect(_signed_in, dispatch_uid="audit-sign-in")
    signals.user_logged_out.connect(_signed_out, dispatch_uid="audit-sign-out")


def _signed_in(sender: Any, request: HttpRequest, user: Administrator, **kwargs: Any) -> None:
    request.session[AUTHENTICATED_AT] = request.session[STARTED_AT] = int(timezone.now().timestamp())
    _log(request, user, "Signed in")


def _signed_out(sender: Any, request: HttpRequest, user: Administrator | None, **kwargs: Any) -> None:
    if user is not None:
        _log(request, user, "Signed out")


@transaction.atomic
def _log(request: HttpRequest, administrator: Administrator, summary: str) -> None:
    log_event(
        target=Target(administrator.tenant, "user", administrator.id, administrator.name, "session"),
        actor=Actor.of(administrator),
        action=AuditEvent.Action.UPDATE,
        summary=summary,
        metadata={"address": client_address(request)},
    )
