"""The checks of the database: it answers, takes changes, has all migrations, and loses no acknowledged change."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from access import sql
from access.maintenance.doctor import Finding, error, note, ok, register, warning
from access.models import AuditEvent, Schedule
from access.postgresql.pooler import find_pooler, judge_pooler
from access.replica import REPLICA
from access.schema import compare_migrations

BUILT = 2026  # no earlier year is possible
CLOCKS_DIFFER = timedelta(seconds=2)
CLOCKS_FAR = timedelta(seconds=30)
SYNCHRONOUS = ("sync", "quorum")


@register("database")
def check_database() -> Iterator[Finding]:
    try:
        if Schedule._meta.db_table not in connection.introspection.table_names():
            yield error("It has no tables.", "Run: uv run manage.py migrate, or restore a backup.")
            return
        with transaction.atomic():
            Schedule.objects.create(name="doctor", next=timezone.now())
            transaction.set_rollback(True)
    except DatabaseError as failure:
        line = str(failure).strip().splitlines()[0]
        yield error(f"It cannot be written: {line}", "Look at DATABASE_URL, the server, its disk and its permissions.")
        return
    version = ".".join(map(str, connection.get_database_version()))
    yield ok(f"{connection.display_name} {version} can be read and written.")


@register("database settings")
def check_database_settings() -> Iterator[Finding]:
    findings = list(_postgresql() if connection.vendor == "postgresql" else _sqlite())
    yield from findings
    if not findings:
        yield ok("An acknowledged change survives a power cut, and waiting for the database has limits.")


@register("pooler")
def check_pooler() -> Iterator[Finding]:
    pooler = find_pooler() if connection.vendor == "postgresql" else None
    if pooler is None:
        yield ok("None: connections lead to the database itself.")
    elif refusal := judge_pooler(pooler, settings.IRU_DATABASE_POOLER):
        yield error(refusal.text, refusal.advice)
    else:
        yield ok(f"{pooler.version or 'A pooler of an unknown kind'}.")


@register("replication")
def check_replication() -> Iterator[Finding]:
    if connection.vendor != "postgresql":
        yield note("SQLite is on one disk.", "What comes after the last backup is lost with it.")
        return
    (recovering,) = _row("SELECT pg_is_in_recovery()")
    if recovering:
        yield error("This is a standby, which takes no changes.", "Let DATABASE_URL lead to the primary.")
        return
    states = [
        state
        for (state,) in sql.rows(
            "SELECT sync_state FROM pg_stat_replication WHERE application_name IS DISTINCT FROM 'pg_basebackup'"
        )
    ]
    yield judge_standbys(states, _row("SELECT current_setting('synchronous_standby_names')")[0])


@register("replica")
def check_replica() -> Iterator[Finding]:
    if REPLICA not in settings.DATABASES:
        yield ok("None is set: everything is read from the database itself.")
        return
    advice = "Until then everything is read from the primary. Look at DATABASE_REPLICA_URL and the standby."
    try:
        with connections[REPLICA].cursor() as cursor:
            cursor.execute(
                "SELECT pg_is_in_recovery(), extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())"
            )
            recovering, behind = cursor.fetchone()
    except DatabaseError as failure:
        yield error(f"It does not answer: {str(failure).strip().splitlines()[0]}", advice)
        return
    if not recovering:
        yield warning("It is no standby.", "DATABASE_REPLICA_URL saves nothing where it leads to a primary.")
    else:
        yield ok(f"It repeated a change {behind:.0f} seconds ago." if behind is not None else "It is a standby.")


@register("migrations")
def check_migrations() -> Iterator[Finding]:
    missing, unknown = compare_migrations()
    if missing:
        yield error(f"{missing} are not applied.", "Run: uv run manage.py migrate")
    if unknown:
        yield warning(
            f"The database has {'.'.join(unknown[0])}, which this version does not know: a newer version migrated it.",
            "Start that version, or restore the backup from before.",
        )
    if not missing and not unknown:
        yield ok("All are applied.")


@register("clock")
def check_clock() -> Iterator[Finding]:
    before = timezone.now()
    theirs = Schedule.objects.annotate(at=Now()).values_list("at", flat=True).first()
    after = timezone.now()
    newest = AuditEvent.objects.order_by("-pk").values_list("occurred_at", flat=True).first()
    yield judge_clock(before, theirs, after, newest)


def judge_clock(before: datetime, theirs: datetime | None, after: datetime, newest: datetime | None) -> Finding:
    """About this machine's clock: the database's between two looks at ours, and the time of the newest audit event."""
    advice = "Let every machine set its clock by NTP: expiries, sessions and the order of events depend on it."
    if newest is not None and newest > after + CLOCKS_FAR:
        return error(f"It is behind the newest audit event, of {newest:%Y-%m-%d %H:%M:%S} UTC.", advice)
    if before.year < BUILT:
        return error(f"It says {before:%Y-%m-%d}, which is before this version was made.", advice)
    if theirs is None:
        return ok("It is plausible.")
    gap = max(before - theirs, theirs - after, timedelta(0))
    if gap > CLOCKS_FAR:
        return error(f"The database's clock differs by {gap.total_seconds():.0f} seconds.", advice)
    if gap > CLOCKS_DIFFER:
        return warning(f"The database's clock differs by {gap.total_seconds():.0f} seconds.", advice)
    return ok("It agrees with the database's clock.")


def judge_standbys(states: list[str | None], names: str) -> Finding:
    """About the standbys of a primary, their states, and its setting synchronous_standby_names."""
    if not states:
        return note("A single node, without standbys.", "What comes after the last backup is lost with it.")
    if not is_synchronous(states, names):
        return error(
            f"{len(states)} standbys, and none is synchronous: after a failover a revoked token works again.",
            "Set synchronous_standby_names (with Patroni: synchronous_mode).",
        )
    return ok(f"{len(states)} standbys, synchronous.")


def is_synchronous(states: list[str | None], names: str) -> bool:
    """Whether one of these standbys is synchronous. A user without pg_monitor sees their number, and no state."""
    return any(state in SYNCHRONOUS for state in states) or (
        bool(states) and bool(names) and all(each is None for each in states)
    )


def _sqlite() -> Iterator[Finding]:
    (mode,) = _row("PRAGMA journal_mode")
    if mode != "wal":
        yield error(f"The journal is {mode}, not WAL: readers wait for writers.", "Move the file to a local disk.")
    (level,) = _row("PRAGMA synchronous")
    if level < 2:
        yield error(
            "synchronous is not FULL: a power cut loses acknowledged changes.", "Report it: the product sets it."
        )
    (milliseconds,) = _row("PRAGMA busy_timeout")
    if not milliseconds:
        yield warning("busy_timeout is 0: writers fail instead of waiting.", "Report it: the product sets it.")


def _postgresql() -> Iterator[Finding]:
    for name, risk in (
        ("fsync", "a power cut damages the database"),
        ("full_page_writes", "a power cut damages the database"),
        ("synchronous_commit", "a power cut loses acknowledged changes"),
    ):
        (value,) = _row("SELECT current_setting(%s)", name)
        if value == "off":
            yield error(f"{name} is off: {risk}.", f"Set {name} = on in postgresql.conf.")
    for name in settings.IRU_DATABASE_LIMITS if settings.IRU_DATABASE_POOLER else ():
        (value,) = _row("SELECT current_setting(%s)", name)
        if value in {"0", "0ms"}:
            yield warning(
                f"{name} is 0: a call may wait for ever. A pooler drops the limits of the settings.",
                "Run, with a DATABASE_URL of the database itself: uv run manage.py limit_database_role",
            )
    (encoding,) = _row("SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        yield error(f"The encoding is {encoding}: many names cannot be stored.", "Create the database with UTF8.")


def _row(statement: str, *parameters: object) -> tuple[Any, ...]:
    return sql.rows(statement, *parameters)[0]
