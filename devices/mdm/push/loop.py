"""Wakes the devices that are due: a part of every worker, beside its tasks."""

import asyncio
import logging
import random
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import Error, close_old_connections, connection, transaction
from django.db.models import Q
from django.utils import timezone

from access import metrics
from access.outgoing import proxy_for
from access.sealing import SecretUnreadable
from devices.enrollment.push_certificates import PushKey, push_key
from devices.mdm.push.client import PushClient
from devices.mdm.push.results import CertificateRefused, Delivered, Push, Rejected, Result, TokenDead, TryAgain
from devices.mdm.push.tls import push_context
from devices.models import Enrollment, PushCertificate

BATCH = 500
LEASE = timedelta(seconds=75)  # longer than a client takes for a batch
POLL = 0.5  # seconds between two looks
# Until a device that was told so, and did not come, is told again.
AGAIN = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 360, 1440))
JITTER = 0.1
WITHOUT_CERTIFICATE = timedelta(minutes=10)
SLOWEST = 600.0  # seconds between two attempts at a push that Apple did not take
NO_CERTIFICATE = "NoCertificate"
APPLE = ".push.apple.com"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """A push that this worker has taken. `at` is the moment that it was due at: a connect since then changes it."""

    pk: int
    at: datetime
    attempts: int
    push: Push


class PushLoop:
    """Sends the pushes that are due, until it is stopped. Any number of workers may run one each."""

    def __init__(self) -> None:
        self._clients: dict[int, tuple[str, PushClient]] = {}
        self._failures: dict[int, int] = {}  # attempts in a row that Apple did not take, by enrollment

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set. Survives a database that is away."""
        with asyncio.Runner() as runner:
            lost = False
            while not stop.is_set():
                close_old_connections()
                try:
                    sent = self.run_once(runner)
                    lost = False
                except Error as error:
                    metrics.database_failures.inc("worker")
                    logger.log(logging.DEBUG if lost else logging.WARNING, "No push is sent: %s", error)
                    lost, sent = True, 0
                    connection.close()
                if not sent:
                    stop.wait(POLL)
            runner.run(self._close())
        connection.close()

    def run_once(self, runner: asyncio.Runner) -> int:
        """Send a batch of the pushes that are due. Returns their number."""
        taken = _take()
        for tenant_id, dues in taken.items():
            if self._reaches_nobody(tenant_id):
                pks = [due.pk for due in dues]
                Enrollment.objects.filter(pk__in=pks).update(push_due_at=None, lease_until=None)
                continue
            key, sent_at = self._key(tenant_id), timezone.now()
            results: list[Result] = (
                [key] * len(dues)
                if isinstance(key, CertificateRefused)
                else runner.run(self._send(tenant_id, key, dues))
            )
            self._store(tenant_id, dues, results, sent_at)
        return sum(map(len, taken.values()))

    def _reaches_nobody(self, tenant_id: int) -> bool:
        """Whether the tenant's devices are simulated ones, of which Apple knows nothing. They come by themselves."""
        apple = settings.IRU_APNS_URL.endswith(APPLE)
        return apple and PushCertificate.objects.filter(tenant=tenant_id, simulated=True).exists()

    async def _send(self, tenant_id: int, key: PushKey, dues: list[Due]) -> list[Result]:
        return await (await self._client(tenant_id, key)).send([due.push for due in dues])

    def _key(self, tenant_id: int) -> PushKey | CertificateRefused:
        row = PushCertificate.objects.filter(tenant=tenant_id).exclude(certificate="").first()
        if row is None:
            return CertificateRefused(NO_CERTIFICATE)
        if row.not_after is None or row.not_after < timezone.now():
            return CertificateRefused("The push certificate has expired.")
        try:
            return push_key(row)
        except SecretUnreadable as error:
            return CertificateRefused(str(error))

    async def _client(self, tenant_id: int, key: PushKey) -> PushClient:
        version, client = self._clients.get(tenant_id, ("", None))
        if client is None or version != key.version:
            if client is not None:
                await client.close()
            address = urlsplit(settings.IRU_APNS_URL)
            host, port = address.hostname or "", address.port or 443
            client = PushClient(
                host=host,
                port=port,
                topic=key.topic,
                context=push_context(key.certificate, key.key),
                proxy=proxy_for(host),
            )
            self._clients[tenant_id] = key.version, client
        return client

    async def _close(self) -> None:
        for _, client in self._clients.values():
            await client.close()

    @transaction.atomic
    def _store(self, tenant_id: int, dues: list[Due], results: Iterable[Result], sent_at: datetime) -> None:
        now, refused, accepted = timezone.now(), "", False
        for due, result in zip(dues, results, strict=True):
            always: dict[str, object] = {"lease_until": None}
            fields: dict[str, object] = {}
            match result:
                case Delivered():
                    pause = AGAIN[min(due.attempts, len(AGAIN) - 1)]
                    always["push_sent_at"] = sent_at
                    fields |= {
                        "push_attempts": min(due.attempts + 1, 1000),
                        "push_due_at": now + pause * random.uniform(1 - JITTER, 1 + JITTER),  # noqa: S311
                    }
                    accepted = True
                    self._failures.pop(due.pk, None)
                case TokenDead(reason):
                    fields |= {"push_error": reason[:100], "push_due_at": None}
                case CertificateRefused(reason):
                    refused = reason
                    fields["push_due_at"] = now + WITHOUT_CERTIFICATE
                case TryAgain(_, after):
                    self._failures[due.pk] = failures = self._failures.get(due.pk, 0) + 1
                    seconds = min(5.0 * 2 ** min(failures, 10), SLOWEST)
                    fields["push_due_at"] = now + timedelta(
                        seconds=max(after or 0, random.uniform(seconds / 2, seconds))  # noqa: S311
                    )
                case Rejected(status, reason):
                    logger.critical("Apple finds a fault in a push: %s %s", status, reason)
                    fields["push_due_at"] = now + WITHOUT_CERTIFICATE
            metrics.pushes.inc(type(result).__name__)
            mine = Enrollment.objects.filter(pk=due.pk)
            # A device that came meanwhile, or was told of something new, is due at another moment now.
            if not mine.filter(push_due_at=due.at).update(**always, **fields):
                mine.update(**always)
        self._note_certificate(tenant_id, refused, accepted, now)

    def _note_certificate(self, tenant_id: int, refused: str, accepted: bool, now: datetime) -> None:
        rows = PushCertificate.objects.filter(tenant=tenant_id)
        if refused:
            if rows.exclude(error=refused).update(error=refused[:500], error_at=now) and refused != NO_CERTIFICATE:
                logger.critical("No device of tenant %s can be woken: %s", tenant_id, refused)
        elif accepted:
            rows.exclude(error="").update(error="", error_at=None)


def _take() -> dict[int, list[Due]]:
    """Take up to BATCH pushes that are due, by tenant. No other worker takes them before the lease is over."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    states = [Enrollment.State.ENROLLED, Enrollment.State.EVICTING]
    due = Enrollment.objects.filter(free, push_due_at__lte=now, state__in=states, push_error="", tenant__active=True)
    due = due.exclude(token=None).order_by("push_due_at")
    if not due.exists():  # most of the time: no write lock is taken for that
        return {}
    taken: dict[int, list[Due]] = defaultdict(list)
    with transaction.atomic():
        rows = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked, of=("self",))
        found = rows.values_list("pk", "tenant_id", "push_due_at", "push_attempts", "token", "push_magic")[:BATCH]
        for pk, tenant_id, at, attempts, token, magic in found:
            if at is not None and token is not None:
                taken[tenant_id].append(Due(pk, at, attempts, Push(bytes(token), magic)))
        pks = [one.pk for dues in taken.values() for one in dues]
        Enrollment.objects.filter(pk__in=pks).update(lease_until=now + LEASE)
    return taken
