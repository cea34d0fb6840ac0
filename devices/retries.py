"""Calls to other servers that are tried again."""

import logging
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

# httpx logs every request and stamina every retry: a line for each of the hundred thousand requests of an import.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("stamina").setLevel(logging.ERROR)


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the answer asks to wait: as a number, or as the moment when they are over."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())
