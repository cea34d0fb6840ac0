"""What stands between this process and PostgreSQL: nothing, or a pooler, and whether it may have our queries.

PgBouncer before 1.21, and a later one without `max_prepared_statements`, sends a prepared statement to a connection
that knows another one under the same name: some queries then return rows of another query.
"""

import re
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection

PGBOUNCER = "pgbouncer"
OTHER = "other"
OLDEST = (1, 21)
ADVICE = "PgBouncer 1.21 is the oldest that keeps prepared statements apart: install a newer one."


@dataclass(frozen=True, slots=True)
class Pooler:
    """What a pooler says of itself on its console; None where it has no console, or does not let us in."""

    version: str | None = None
    prepared: int | None = None  # max_prepared_statements


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a pooler must not be used, and what to do."""

    text: str
    advice: str


def find_pooler() -> Pooler | None:
    """The pooler that this thread's connection leads through; None where it leads to PostgreSQL itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    # The process that answers is another one than the one that accepted the connection.
    return ask_console() if pid != connection.connection.info.backend_pid else None


def ask_console() -> Pooler:
    """The answers of PgBouncer's console, which has the name of a database."""
    parameters = connection.connection.info.get_parameters()
    known = {
        name: parameters[name] for name in ("host", "port", "user", "sslmode", "sslrootcert") if name in parameters
    }
    try:
        with psycopg.connect(
            **known,
            dbname=PGBOUNCER,
            password=connection.connection.info.password or None,
            autocommit=True,
            connect_timeout=3,
            cursor_factory=psycopg.ClientCursor,
        ) as console:
            version = _row(console, "SHOW VERSION")
            config: dict[str, str] = {str(row[0]): str(row[1]) for row in console.execute("SHOW CONFIG")}
    except psycopg.Error:
        return Pooler()
    prepared = config.get("max_prepared_statements")
    return Pooler(version, int(prepared) if prepared and prepared.isdigit() else 0)


def judge_pooler(pooler: Pooler, kind: str) -> Refusal | None:
    """Why `pooler` must not be used with the setting IRU_DATABASE_POOLER; None where it may."""
    match = re.fullmatch(r"PgBouncer (\d+)\.(\d+).*", pooler.version or "")
    if match and (int(match[1]), int(match[2])) < OLDEST:
        return Refusal(f"{pooler.version} mixes up prepared statements, and returns wrong rows.", ADVICE)
    if not kind:
        return Refusal(
            "A pooler stands before PostgreSQL, and IRU_DATABASE_POOLER is not set.",
            "Set it to pgbouncer, or to other for any other kind.",
        )
    if kind == OTHER:
        return None
    if not match:
        return Refusal(
            "The pooler does not tell that it is a PgBouncer of version 1.21 or later.",
            "Name the user in its stats_users, or set IRU_DATABASE_POOLER=other, which prepares no statements.",
        )
    if not pooler.prepared:
        return Refusal(
            f"{pooler.version} has max_prepared_statements = 0, and mixes up prepared statements.",
            "Set max_prepared_statements = 200 in pgbouncer.ini.",
        )
    return None


def refuse_pooler() -> Refusal | None:
    """Why this process must not serve through what stands before the database; None where it may."""
    if connection.vendor != "postgresql":
        return None
    pooler = find_pooler()
    return judge_pooler(pooler, settings.IRU_DATABASE_POOLER) if pooler else None


def _row(console: psycopg.Connection[Any], statement: str) -> str | None:
    row = console.execute(statement).fetchone()
    return str(row[0]) if row else None
