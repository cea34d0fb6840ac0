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

from django.db import DatabaseError, connection
from django.db.models import Q

from access.digests import Digest
from access.models import ApiToken

RESOLUTION = timedelta(minutes=1)
INTERVAL = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Note:
    at: datetime
    address: str
    digest: Digest | None


_notes: dict[UUID, Note] = {}
_stop = threading.Event()


def note(
    token_id: UUID,
    address: str,
    at: datetime,
    *,
    last_used_at: datetime | None,
    digest: Digest | None = None,
) -> None:
    """Remember one use, unless one within the last minute is on record already.

    `digest`, where given, replaces the stored one, which an older key made.
    """
    if digest is None and last_used_at is not None and at - last_used_at < RESOLUTION:
        return
    _notes[token_id] = Note(at, address, digest)


def flush() -> None:
    """Write what was noted. Notes that cannot be written now are kept for the next time."""
    while _notes:
        token_id, seen = _notes.popitem()
        due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=seen.at - RESOLUTION)
        try:
            ApiToken.objects.filter(due, id=token_id).update(
                last_used_at=seen.at, last_used_from=seen.address or None
            )
            if seen.digest:
                ApiToken.objects.filter(id=token_id).update(
                    digest=seen.digest.value, key_number=seen.digest.key_number
                )
        except DatabaseError:
            _notes.setdefault(token_id, seen)
            raise


def start() -> None:
    """Begin writing in the background; what is noted when the process ends is written then."""
    threading.Thread(target=_run, name="token-usage", daemon=True).start()
    atexit.register(_finish)


def _run() -> None:
    while not _stop.wait(INTERVAL):
        try:
            flush()
        except DatabaseError:
            logger.warning(
                "Token usage could not be written; it is kept and tried again.",
                exc_info=True,
            )
            connection.close()


def _finish() -> None:
    _stop.set()
    try:
        flush()
    except DatabaseError:
        logger.warning(
            "The last second of token usage could not be written.", exc_info=True
        )
