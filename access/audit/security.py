"""Security events: attempts that failed or were refused. Each is counted in this process and logged with its fields.

They change nothing, so they are in no trail. docs/security-events.md describes the log lines.
"""

import logging
import threading
import time
from collections import Counter
from enum import StrEnum

from access import metrics
from access.addresses import network

REPEATED = 60  # seconds in which an event of one network is logged once
REMEMBERED = 1000  # networks

logger = logging.getLogger("access.security")


class SecurityEvent(StrEnum):
    """The kinds. Log lines and counts name them, so they are permanent."""

    SIGN_IN_FAILED = "sign_in_failed"
    SIGN_IN_REFUSED = "sign_in_refused"
    CONFIRMATION_FAILED = "confirmation_failed"
    CONFIRMATION_REFUSED = "confirmation_refused"
    SECOND_STEP_FAILED = "second_step_failed"
    SECOND_STEP_REFUSED = "second_step_refused"
    PASSKEY_FAILED = "passkey_failed"
    PASSKEY_REFUSED = "passkey_refused"
    SSO_FAILED = "sso_failed"
    SSO_REFUSED = "sso_refused"
    NEW_PASSWORD_REFUSED = "new_password_refused"  # noqa: S105 - no password
    RESET_REFUSED = "reset_refused"
    RESET_LINK_REFUSED = "reset_link_refused"
    INVITATION_REFUSED = "invitation_refused"
    LEAK_REPORT_REFUSED = "leak_report_refused"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - no password
    CALLS_REFUSED = "calls_refused"
    DEVICE_REFUSED = "device_refused"
    ENROLLMENT_REFUSED = "enrollment_refused"


# A stranger can cause these as often as they like, so they fill no disk. The limit on attempts bounds the others.
FREQUENT = {event for event in SecurityEvent if event.endswith("_refused")}

_lock = threading.Lock()
_counts: Counter[SecurityEvent] = Counter()
_unlogged: dict[tuple[SecurityEvent, str], tuple[float, int]] = {}  # when it was logged last, and how often it was not


def report(event: SecurityEvent, address: str, **facts: str) -> None:
    """Count the event, and log it with its address and facts. Facts hold no secret, and nothing that a stranger typed.

    A refusal is logged once a minute for each network. `times` says how many the line stands for.
    """
    with _lock:
        _counts[event] += 1
        times = _times(event, network(address)) if event in FREQUENT else 1
    metrics.security_events.inc(event.value)
    if times:
        fields = {"security_event": event.value, "address": address, "times": times, **facts}
        logger.warning("Security event: %s", event.value, extra=fields)


def counts() -> dict[SecurityEvent, int]:
    """How often each kind happened in this process since it started."""
    with _lock:
        return {event: _counts[event] for event in SecurityEvent}


def _times(event: SecurityEvent, origin: str) -> int:
    """How many events a line stands for that is written now; 0 where none is due."""
    now = time.monotonic()
    logged_at, waiting = _unlogged.get((event, origin), (now - REPEATED, 0))
    if now - logged_at < REPEATED:
        _unlogged[event, origin] = (logged_at, waiting + 1)
        return 0
    if len(_unlogged) >= REMEMBERED:
        _unlogged.clear()
    _unlogged[event, origin] = (now, 0)
    return waiting + 1
