"""The state of the installation in numbers, read from the database for Prometheus. docs/metrics.md describes them."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Min, Q
from django.tasks import TaskResultStatus
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from access import sql
from access.database import limited_waits
from access.maintenance.checks.database import is_synchronous
from access.maintenance.expiries import SOON, Expiring, expiring
from access.metrics import Series
from access.models import ApiToken, Backup, TaskLease, Tenant, Webhook, WebhookDelivery
from access.tasks.liveness import workers

REMEMBERED = 300.0  # seconds for which the expiries are remembered: each certificate has to be read for them
WAITS = 1.0  # seconds for one statement

COLLECTED: list[Series] = []


def _gauge(name: str, about: str, labels: tuple[str, ...] = ()) -> Series:
    COLLECTED.append(series := Series(name, "gauge", about, labels))
    return series


TASKS = _gauge("iru_tasks", "Background tasks that wait or run, or that failed in 30 days.", ("state",))
OLDEST_TASK = _gauge("iru_oldest_waiting_task_seconds", "How long the oldest task that could run waits.")
EXPIRED_LEASES = _gauge("iru_task_leases_expired", "Running tasks whose worker no longer answers.")
WORKER_ALIVE = _gauge("iru_worker_alive", "1 if a worker runs tasks or enqueues periodic ones, else 0.")
WORKER_SEEN = _gauge("iru_worker_last_seen_timestamp_seconds", "When a worker last did something.")
TENANTS = _gauge("iru_tenants", "Tenants.", ("state",))
TOKENS = _gauge("iru_tokens_active", "Tokens that are valid now, of active tenants.")
LAST_BACKUP = _gauge("iru_last_backup_timestamp_seconds", "When the last backup was finished.")
EXPIRING = _gauge("iru_expiring_soon", "Certificates and server tokens that expired or will within 30 days.")
NEXT_EXPIRY = _gauge("iru_next_expiry_timestamp_seconds", "When the first of them expires or expired.")
OLDEST_MESSAGE = _gauge("iru_webhook_oldest_due_seconds", "How long the oldest message that is due waits.")
MESSAGES = _gauge("iru_webhook_messages_waiting", "Messages of webhooks that wait for an attempt.")
STOPPED = _gauge("iru_webhooks_stopped", "Webhooks that are disabled because no delivery succeeded.")
STANDBYS = _gauge("iru_standbys", "Standbys that are connected to the PostgreSQL primary.")
SYNCHRONOUS = _gauge("iru_synchronous_standby", "1 if one of the standbys is synchronous, else 0.")
LAG_SECONDS = _gauge("iru_replication_lag_seconds", "How far the slowest standby is behind, in time.")
LAG_BYTES = _gauge("iru_replication_lag_bytes", "How far the slowest standby is behind, in bytes of log.")

# Without the right to see it, the columns of the standbys are NULL.
REPLICATION = """
SELECT sync_state, extract(epoch FROM replay_lag)::float, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float
FROM pg_stat_replication
WHERE application_name IS DISTINCT FROM 'pg_basebackup'
"""

type Value = tuple[Series, tuple[str, ...], float]

_expiries: tuple[float, list[Expiring]] = (float("-inf"), [])


def measure() -> list[Value]:
    """Every number: its series, its labels and its value. A fixed number of queries. Raises django.db.Error."""
    with limited_waits(WAITS):
        return [*_tasks(), *_tenants(), *_rare(), *_webhooks(), *_replication()]


def _tasks() -> Iterator[Value]:
    now = timezone.now()
    ready = DBTaskResult.objects.ready().order_by().aggregate(all=Count("pk"), oldest=Min("enqueued_at"))
    states = {"running": TaskResultStatus.RUNNING, "failed": TaskResultStatus.FAILED}
    yield TASKS, ("waiting",), ready["all"]
    for label, state in states.items():
        yield TASKS, (label,), DBTaskResult.objects.filter(status=state).order_by().count()
    yield OLDEST_TASK, (), _age(ready["oldest"], now)
    yield EXPIRED_LEASES, (), TaskLease.objects.expired().count()
    found = workers()
    yield WORKER_ALIVE, (), found.alive
    if found.seen is not None:
        yield WORKER_SEEN, (), found.seen.timestamp()


def _tenants() -> Iterator[Value]:
    active = Tenant.objects.aggregate(yes=Count("pk", filter=Q(active=True)), no=Count("pk", filter=Q(active=False)))
    yield TENANTS, ("active",), active["yes"]
    yield TENANTS, ("suspended",), active["no"]
    yield TOKENS, (), ApiToken.objects.in_state("active").filter(tenant__active=True).count()


def _rare() -> Iterator[Value]:
    last = Backup.objects.order_by("-finished_at").values_list("finished_at", flat=True).first()
    if last is not None:
        yield LAST_BACKUP, (), last.timestamp()
    found = _expiring()
    yield EXPIRING, (), len(found)
    if found:
        yield NEXT_EXPIRY, (), min(each.at for each in found).timestamp()


def _expiring() -> list[Expiring]:
    global _expiries  # noqa: PLW0603 - one memory for the process
    if time.monotonic() - _expiries[0] > REMEMBERED:
        found = [each for list_them in expiring for each in list_them(timezone.now() + SOON)]
        _expiries = time.monotonic(), found
    return _expiries[1]


def _webhooks() -> Iterator[Value]:
    now = timezone.now()
    waiting = WebhookDelivery.objects.filter(
        state=WebhookDelivery.State.WAITING, webhook__enabled=True, webhook__tenant__active=True
    ).aggregate(all=Count("pk"), oldest=Min("next_attempt"))
    yield MESSAGES, (), waiting["all"]
    yield OLDEST_MESSAGE, (), _age(waiting["oldest"], now)
    yield STOPPED, (), Webhook.objects.filter(stopped=Webhook.Stopped.FAILING).count()


def _replication() -> Iterator[Value]:
    if connection.vendor != "postgresql" or sql.rows("SELECT pg_is_in_recovery()")[0][0]:
        return
    rows = sql.rows(REPLICATION)
    ((names,),) = sql.rows("SELECT current_setting('synchronous_standby_names')")
    yield STANDBYS, (), len(rows)
    yield SYNCHRONOUS, (), is_synchronous([state for state, _, _ in rows], names)
    if rows:
        # An idle standby that has everything has no lag in time.
        yield LAG_SECONDS, (), max(seconds or 0.0 for _, seconds, _ in rows)
        if known := [size for _, _, size in rows if size is not None]:
            yield LAG_BYTES, (), max(known)


def _age(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max((now - moment) / timedelta(seconds=1), 0.0)
