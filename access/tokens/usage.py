"""Use of tokens: the last one, and how many calls of which operation.

Requests store their use in memory, and one thread per server process writes the uses once a second, so that no request
waits for the database's write lock. A server process or a database that fails takes the uses of about its last second.
"""

import atexit
import logging
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from uuid import UUID

from django.db import Error, connection, transaction
from django.db.models import F, Q

from access import metrics
from access.addresses import parse
from access.database import Failure, commit_without_waiting, failure_of
from access.models import ApiToken, TokenUse
from access.retention import Kind, delete_old, register
from access.tasks.backend import task
from access.tokens import networks
from access.tokens.digests import Digest

RESOLUTION = timedelta(minutes=1)
INTERVAL = 1.0  # seconds between two writes
BATCH = 250  # tokens, or counts, in one transaction
LONGEST_AGENT = 200

DAYS_OF_USE = register(
    Kind(
        name="counts of calls by token, operation and day",
        setting="IRU_KEEP_USAGE",
        rows=lambda before: TokenUse.objects.filter(day__lt=before.date()),
        age="day",
        indexed=True,
    )
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """What a request with a token asks for. `operation` is empty if its path has no operation of this method."""

    address: str = ""
    agent: str = ""
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Rekeying:
    """The digest of a secret under the newest key, which replaces one that an older key made.

    `former`: it is the secret before the last rotation.
    """

    old: str
    new: Digest
    former: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    at: datetime
    call: Call
    rekeying: Rekeying | None


type Counted = tuple[UUID, str, bool]  # token, operation, whether it was denied

_uses: dict[UUID, Use] = {}
_calls: deque[Counted] = deque()
_counts: Counter[Counted] = Counter()  # the calls that could not be written yet; only the thread below uses it
_stop = threading.Event()


def track_use(
    token_id: UUID,
    call: Call,
    at: datetime,
    *,
    last_used_at: datetime | None,
    rekeying: Rekeying | None = None,
) -> None:
    """Remember one use, unless one of the last minute is stored already and there is nothing to rekey."""
    networks.track_network(token_id, call.address, at)
    if rekeying is None and last_used_at is not None and at - last_used_at < RESOLUTION:
        return
    _uses[token_id] = Use(at, call, rekeying)


def count_call(token_id: UUID, operation: str, *, denied: bool) -> None:
    """Count one call of an operation. `denied`: the token lacks the permission."""
    _calls.append((token_id, operation, denied))


def flush() -> None:
    """Write all uses and counts. Raises django.db.Error on failure; they then stay for the next attempt."""
    networks.flush()  # first: it asks whether the token was used before
    while _uses:
        batch: dict[UUID, Use] = {}
        while _uses and len(batch) < BATCH:
            token_id, use = _uses.popitem()
            batch[token_id] = use
        try:
            with transaction.atomic():
                commit_without_waiting()
                for token_id in sorted(batch):  # always in this order, so that two processes cannot deadlock
                    _write(token_id, batch[token_id])
        except Error:
            for token_id, use in batch.items():
                _uses.setdefault(token_id, use)
            raise
    for _ in range(len(_calls)):
        _counts[_calls.popleft()] += 1
    for some in batched(sorted(_counts), BATCH, strict=False):
        with transaction.atomic():
            commit_without_waiting()
            _write_counts(some)
        for counted in some:
            del _counts[counted]


def start() -> None:
    """Start writing in the background. Uses that are left when the process ends are written then."""
    thread = threading.Thread(target=_run, name="token-usage", daemon=True)
    thread.start()
    atexit.register(_finish, thread)


@task()
def forget_uses() -> None:
    """Delete the counts of days that are past their time. Harmless when it runs twice."""
    delete_old(DAYS_OF_USE)


def _write(token_id: UUID, use: Use) -> None:
    due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=use.at - RESOLUTION)
    # The database would refuse an invalid address, and with it the whole batch.
    address = parse(use.call.address)
    ApiToken.objects.filter(due, id=token_id).update(
        last_used_at=use.at,
        last_used_from=str(address) if address else None,
        last_used_by=use.call.agent[:LONGEST_AGENT].replace("\0", ""),
        last_used_for=use.call.operation,
    )
    if use.rekeying:
        # Only if the digest is still the same: the token may have a new secret by now.
        digest, key = ("previous_digest", "previous_key_number") if use.rekeying.former else ("digest", "key_number")
        ApiToken.objects.filter(id=token_id, **{digest: use.rekeying.old}).update(
            **{digest: use.rekeying.new.value, key: use.rekeying.new.key_number}
        )


def _write_counts(some: Sequence[Counted]) -> None:
    # A count for a token that is gone would have the database refuse the whole batch, again and again.
    alive = set(ApiToken.objects.filter(id__in={counted[0] for counted in some}).values_list("id", flat=True))
    some = [counted for counted in some if counted[0] in alive]
    now = datetime.now(UTC)
    rows = {(token_id, operation) for token_id, operation, _ in some}
    TokenUse.objects.bulk_create(
        [TokenUse(token_id=token_id, day=now.date(), operation=operation) for token_id, operation in sorted(rows)],
        ignore_conflicts=True,
    )
    for counted in some:
        token_id, operation, denied = counted
        number = _counts[counted]
        changes = {"denied": F("denied") + number, "denied_at": now} if denied else {"calls": F("calls") + number}
        TokenUse.objects.filter(token_id=token_id, day=now.date(), operation=operation).update(**changes)


def _run() -> None:
    while not _stop.wait(INTERVAL):
        metrics.uses_waiting.set(len(_uses) + len(_calls) + len(_counts))
        try:
            flush()
        except Exception as error:  # the thread has to survive any error, or no later use would be written
            if failure_of(error) is Failure.AWAY:
                metrics.database_failures.inc("token_use")
            logger.warning("Token usage could not be written. It will be tried again.", exc_info=True)
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
