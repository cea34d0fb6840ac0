"""Reports of leaked secrets, by anybody who found one."""

from django.db import transaction

from access import attempts
from access.addresses import network
from access.attempts import BeyondLimit, key_of
from access.audit.events import Actor, log_event
from access.audit.security import SecurityEvent, report
from access.kinds import TOKEN_LEAKED
from access.models import ApiToken, AuditEvent
from access.tasks.backend import task
from access.tokens.digests import SHAPE, digests
from access.tokens.lifecycle import disable_locked, locked, target_of
from access.tokens.notices import notify
from access.tokens.rotation import forget_former

REPORTS = 30  # of one network, within the window of access.attempts


class TooManyReports(Exception):
    """Reports of this network are refused; worth another try after `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after


def report_leak(*, secret: str, address: str) -> None:
    """Have the token with this secret disabled by a worker. Does the same work whether or not there is one.

    Raises TooManyReports, counted by the network of `address`.
    """
    try:
        attempts.count([key_of("leak", network(address))], REPORTS)
    except BeyondLimit as beyond:
        report(SecurityEvent.LEAK_REPORT_REFUSED, address)
        raise TooManyReports(beyond.wait) from None
    if SHAPE.fullmatch(secret):
        # The rows of tasks stay for a month. A digest opens nothing.
        disable_leaked.enqueue(digests=[digest.value for digest in digests(secret)], address=address)


@task(retries=3)
def disable_leaked(digests: list[str], address: str) -> None:
    """Disable the token whose secret has one of these digests, and tell its owners.

    A former secret that still works is ended instead: the token goes on with its present one. A second run does
    nothing.
    """
    for column in ("digest", "previous_digest"):
        for token in ApiToken.objects.filter(revoked_at=None, **{f"{column}__in": digests}).select_related("tenant"):
            _end(token, column, digests, address)


@transaction.atomic
def _end(found: ApiToken, column: str, digests: list[str], address: str) -> None:
    token = locked(found.tenant, found.pk)
    if getattr(token, column) not in digests:
        return  # rotated since it was found
    actor = Actor.reporter(address)
    if column == "digest":
        result = {"Result": "The token is disabled."}
        disable_locked(token, actor, "Token reported as leaked and disabled", TOKEN_LEAKED, result)
    elif token.overlaps:
        forget_former(token)
        summary = "Former secret of token reported as leaked and ended"
        log_event(target=target_of(token), actor=actor, action=AuditEvent.Action.UPDATE, summary=summary)
        notify(kind=TOKEN_LEAKED, token=token, actor=actor, facts={"Result": "The leaked secret works no more."})
