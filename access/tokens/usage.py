"""When and from where a token was last used, without making its callers wait for it.

Requests leave a note in memory; one thread per server process writes the notes once a second. So no request takes the
database's write lock only to say that it happened.
"""

import atexit
import logging
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import Q

from access.addresses import parse
from access.models import ApiToken
from access.tokens.digests import Digest

RESOLUTION = timedelta(minutes=1)
INTERVAL = 1.0  # seconds between two writes
BATCH = 250  # tokens in one transaction

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rekeying:
    """The newest key's digest of a secret, to be stored in the place of the one that an older key made."""

    old: str
    new: Digest


@dataclass(frozen=True, slots=True)
class Use:
    at: datetime
    address: str | None
    rekeying: Rekeying | None


_uses: dict[UUID, Use] = {}
_stop = threading.Event()


def track_use(
    token_id: UUID,
    address: str,
    at: datetime,
    *,
    last_used_at: datetime | None,
    rekeying: Rekeying | None = None,
) -> None:
    """Remember one use, unless one within the last minute is on record already and there is nothing to rekey."""
    if rekeying is None and last_used_at is not None and at - last_used_at < RESOLUTION:
        return
    # What is no address would be refused by the database, and with it all that is written beside it.
    parsed = parse(address)
    _uses[token_id] = Use(at, str(parsed) if parsed else None, rekeying)


def flush() -> None:
    """Write what was noted. Raises django.db.Error where that fails; the notes are then kept for the next time."""
    while _uses:
        batch: dict[UUID, Use] = {}
        while _uses and len(batch) < BATCH:
            token_id, seen = _uses.popitem()
            batch[token_id] = seen
        try:
            with transaction.atomic():
                for token_id in sorted(batch):  # in one order everywhere, so that two processes cannot deadlock
                    _write(token_id, batch[token_id])
        except Error:
            for token_id, seen in batch.items():
                _uses.setdefault(token_id, seen)
            raise


def start() -> None:
    """Begin writing in the background; what is noted when the process ends is written then."""
    thread = threading.Thread(target=_run, name="token-usage", daemon=True)
    thread.start()
    atexit.register(_finish, thread)


def _write(token_id: UUID, seen: Use) -> None:
    due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=seen.at - RESOLUTION)
    ApiToken.objects.filter(due, id=token_id).update(last_used_at=seen.at, last_used_from=seen.address)
    if seen.rekeying:
        # Only in the place of the digest that was seen: the token may have a new secret by now.
        ApiToken.objects.filter(id=token_id, digest=seen.rekeying.old).update(
            digest=seen.rekeying.new.value, key_number=seen.rekeying.new.key_number
        )


def _run() -> None:
    while not _stop.wait(INTERVAL):
        try:
            flush()
        except Exception:  # whatever it was, the next second's notes want writing too
            logger.warning("Token usage could not be written; it is kept and tried again.", exc_info=True)
            connection.close()
    connection.close()


def _finish(thread: threading.Thread) -> None:
    _stop.set()
    thread.join(timeout=5)  # it may be in the middle of a batch
    try:
        flush()
    except Error:
        logger.warning("The last second of token usage could not be written.", exc_info=True)
    finally:
        connection.close()
