"""A push to a device, and what Apple's push service (APNs) answered to it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

# https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
DEAD_TOKEN = {"BadDeviceToken", "DeviceTokenNotForTopic", "MissingDeviceToken"}
REFUSED_CERTIFICATE = {"BadCertificate", "BadCertificateEnvironment", "BadTopic", "TopicDisallowed"}


@dataclass(frozen=True, slots=True)
class Push:
    """Wakes one device: `token` and `magic` are those of its last TokenUpdate."""

    token: bytes
    magic: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """APNs took the push. The device may still be off for days."""

    apns_id: str


@dataclass(frozen=True, slots=True)
class TokenDead:
    """No push reaches the device by this token. If APNs says `since` when, a token that came later may live."""

    reason: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class CertificateRefused:
    """APNs takes no push that is sent with this certificate."""

    reason: str


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The push may not have arrived. APNs asks for a pause of `after` seconds, if it names one."""

    reason: str
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """APNs finds a fault in the request itself, so another attempt would have the same answer: a defect of ours."""

    status: int
    reason: str


type Result = Delivered | TokenDead | CertificateRefused | TryAgain | Rejected


def result_of(apns_id: str, status: int, body: bytes, retry_after: str | None = None) -> Result:
    """Return the result that an answer of APNs means."""
    if status == 200:
        return Delivered(apns_id)
    content = _content(body)
    reason = content["reason"] if isinstance(content.get("reason"), str) else ""
    if status == 410:
        return TokenDead(reason or "Unregistered", _moment(content.get("timestamp")))
    if status == 400 and reason in DEAD_TOKEN:
        return TokenDead(reason)
    if status == 403 or (status == 400 and reason in REFUSED_CERTIFICATE):
        return CertificateRefused(reason or f"HTTP {status}")
    if status == 429 or status >= 500 or reason == "IdleTimeout":
        return TryAgain(reason or f"HTTP {status}", _seconds(retry_after))
    return Rejected(status, reason)


def refusal_of(body: bytes) -> CertificateRefused | None:
    """Return the refusal of the certificate that a GOAWAY gives as its reason; None for any other reason."""
    reason = _content(body).get("reason")
    return CertificateRefused(reason) if isinstance(reason, str) and reason in REFUSED_CERTIFICATE else None


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _moment(milliseconds: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if isinstance(milliseconds, int) else None
    except (ValueError, OverflowError, OSError):
        return None


def _seconds(text: str | None) -> int | None:
    # The header may also name a date, which APNs does not use.
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 7 else None
