"""An attempt to sign in, to confirm a password or to get a reset link, and what becomes of it as a security event."""

from dataclasses import dataclass
from enum import StrEnum

from access.audit.security import SecurityEvent, report
from access.models import Administrator


class Purpose(StrEnum):
    """The reason for which a password or a link was sent."""

    SIGN_IN = "sign_in"
    CONFIRMATION = "confirmation"  # the password is asked for again
    SECOND_STEP = "second_step"
    PASSKEY = "passkey"
    SSO = "sso"
    RESET = "reset"
    NEW_PASSWORD = "new_password"  # noqa: S105 - no password


class Limit(StrEnum):
    """The reason of a refusal: too many for this account or from this address, or other passwords being checked."""

    ACCOUNT = "account"
    ADDRESS = "address"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class Attempt:
    """`account` is the name that was typed: not to be logged before it is known to be an account's.

    A passkey and a provider come without a name; then only the address counts, apart from passwords.
    """

    purpose: Purpose
    account: str
    address: str


class TooManyAttempts(Exception):
    """Refused without looking at the password; worth another try after `retry_after` seconds.

    Without an `attempt` it was a new password that could not be hashed.
    """

    def __init__(self, retry_after: int, limit: Limit = Limit.BUSY, attempt: Attempt | None = None) -> None:
        self.retry_after = retry_after
        self.limit = limit
        self.attempt = attempt


def report_failure(attempt: Attempt) -> None:
    """Log and count a wrong password, for a known account and an unknown one in the same time."""
    report(SecurityEvent(f"{attempt.purpose}_failed"), attempt.address, account=_known(attempt.account))


def report_refusal(refusal: TooManyAttempts, address: str) -> None:
    """Log and count an attempt that was answered 429."""
    attempt = refusal.attempt
    purpose = attempt.purpose if attempt else Purpose.NEW_PASSWORD
    facts = {"account": _known(attempt.account)} if attempt and refusal.limit == Limit.ACCOUNT else {}
    report(SecurityEvent(f"{purpose}_refused"), address, limit=refusal.limit.value, **facts)


def _known(account: str) -> str:
    """The account's name, or "unknown": people also type their password into the wrong field."""
    email = account.strip().lower()
    return email if Administrator.objects.filter(email=email).exists() else "unknown"
