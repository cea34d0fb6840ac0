"""Where the moments of the tenants are stored: in PostgreSQL, or in a file beside SQLite's database.

Each store takes permits with `take`, which raises an error of its database if it cannot. PostgreSQL's table is
unlogged: after a crash or a failover it is empty, and every tenant starts with all permits. The file is not synced to
the disk either, and may be deleted while no server runs.
"""

import sqlite3
import threading
import time
from pathlib import Path

from django.db import connection

from access import sql
from access.database import retried
from access.limits.gcra import BEYOND, HOUR, ROUNDING, SECOND, SHARES, Grant, Limits, grant

# `gcra.grant`, in one statement. The clock is the database's, because those of two machines differ.
TAKE = f"""
WITH stored AS (
    SELECT second_full, hour_full, CAST(extract(epoch FROM clock_timestamp()) AS double precision) AS now,
        CAST(%s AS double precision) AS per_second, CAST(%s AS double precision) AS per_hour
    FROM access_allowance WHERE tenant_id = %s FOR UPDATE
), away AS (
    SELECT now, per_second, per_hour,
        CASE WHEN second_full > now + {SECOND + BEYOND} THEN 0
            ELSE least(greatest(second_full - now, 0), {SECOND}) END AS second,
        CASE WHEN hour_full > now + {HOUR + BEYOND} THEN 0
            ELSE least(greatest(hour_full - now, 0), {HOUR}) END AS hour
    FROM stored
), free AS (
    SELECT *, floor(({SECOND} - second) * per_second / {SECOND} + {ROUNDING}) AS second_left,
        floor(({HOUR} - hour) * per_hour / {HOUR} + {ROUNDING}) AS hour_left, CAST(%s AS integer) AS paid
    FROM away
), given AS (
    SELECT *, least(CAST(%s AS integer), ceil(second_left / {SHARES}), paid + ceil(hour_left / {SHARES})) AS permits
    FROM free
)
UPDATE access_allowance AS allowance
SET second_full = now + second + permits * {SECOND} / per_second,
    hour_full = now + hour + greatest(permits - paid, 0) * {HOUR} / per_hour
FROM given WHERE tenant_id = %s
RETURNING CAST(permits AS integer), now, allowance.second_full, allowance.hour_full
"""  # noqa: S608 - constants of ours
ADD = "INSERT INTO access_allowance (tenant_id, second_full, hour_full) VALUES (%s, 0, 0) ON CONFLICT DO NOTHING"
LOOK = """
SELECT second_full, hour_full, CAST(extract(epoch FROM clock_timestamp()) AS double precision)
FROM access_allowance WHERE tenant_id = %s
"""

FILE = "-calls"  # added to the name of SQLite's database
PREPARE = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS allowance (tenant_id INTEGER PRIMARY KEY, second_full REAL, hour_full REAL) WITHOUT ROWID;
"""
CONTENTION = (0.005,) * 50  # the longest pauses in seconds between two attempts at the row
BUSY = 0.25  # seconds that a call waits for another process, which needs some microseconds


class InPostgres:
    def take(self, tenant_id: int, limits: Limits, wanted: int, paid: int) -> Grant:
        # Where the database's default is serializable, two processes that want the row at once refuse each other. Work
        # in the share of this process would then let more calls through than the limit, so it asks until it has an
        # answer: each refusal means that another process got one.
        return retried(lambda: self._take(tenant_id, limits, wanted, paid), pauses=CONTENTION)

    def _take(self, tenant_id: int, limits: Limits, wanted: int, paid: int) -> Grant:
        for _ in range(2):
            parameters = (limits.per_second, limits.per_hour, tenant_id, paid, wanted, tenant_id)
            if found := sql.rows(TAKE, *parameters):
                return Grant(*found[0])
            with connection.cursor() as cursor:
                cursor.execute(ADD, [tenant_id])
        raise LookupError(f"The allowance of tenant {tenant_id} cannot be stored.")

    def look(self, tenant_id: int) -> Grant:
        """The state of a tenant, with nothing taken."""
        found = sql.rows(LOOK, tenant_id)
        second_full, hour_full, now = found[0] if found else (0.0, 0.0, 0.0)
        return Grant(0, now, second_full, hour_full)


def forget(tenant_id: int) -> None:
    """Delete the state of a tenant that is deleted. SQLite's file has no use for that: numbers are not used again."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM access_allowance WHERE tenant_id = %s", [tenant_id])


class InFile:
    """The store of SQLite. Its clock is the monotonic one, which all processes of a machine share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._name = ""

    def take(self, tenant_id: int, limits: Limits, wanted: int, paid: int) -> Grant:
        with self._lock:
            try:
                database = self._open()
                database.execute("BEGIN IMMEDIATE")
                second_full, hour_full = self._row(database, tenant_id)
                given = grant(limits, wanted, paid, now=time.monotonic(), second_full=second_full, hour_full=hour_full)
                database.execute(
                    "INSERT OR REPLACE INTO allowance VALUES (?, ?, ?)", (tenant_id, given.second_full, given.hour_full)
                )
                database.execute("COMMIT")
            except sqlite3.Error as error:
                self._give_up(error)
                raise
            return given

    def look(self, tenant_id: int) -> Grant:
        """The state of a tenant, with nothing taken."""
        with self._lock:
            return Grant(0, time.monotonic(), *self._row(self._open(), tenant_id))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _row(self, database: sqlite3.Connection, tenant_id: int) -> tuple[float, float]:
        found = database.execute("SELECT second_full, hour_full FROM allowance WHERE tenant_id = ?", (tenant_id,))
        return found.fetchone() or (0.0, 0.0)

    def _open(self) -> sqlite3.Connection:
        name = self._file()
        if self._connection is None or self._name != name:
            self.close()
            # The class of the settings' connections: no other user of the machine reads the file.
            private = connection.settings_dict["OPTIONS"]["factory"]
            self._connection = sqlite3.connect(
                name, factory=private, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
            self._name = name
            self._connection.executescript(PREPARE)
        return self._connection

    def _file(self) -> str:
        name = str(connection.settings_dict["NAME"])
        return ":memory:" if ":memory:" in name or "mode=memory" in name else name + FILE

    def _give_up(self, error: sqlite3.Error) -> None:
        """Close the connection. A damaged file is deleted: it holds the calls of an hour at most."""
        self.close()
        if getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            for suffix in ("", "-wal", "-shm"):
                Path(self._name + suffix).unlink(missing_ok=True)


class InProcess:
    """The store while the shared one fails: each process has a part of the limits to itself."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._lock = threading.Lock()
        self._rows: dict[int, tuple[float, float]] = {}

    def take(self, tenant_id: int, limits: Limits, wanted: int, paid: int) -> Grant:
        part = Limits(max(1, limits.per_second // self._processes), max(1, limits.per_hour // self._processes))
        with self._lock:
            second_full, hour_full = self._rows.get(tenant_id, (0.0, 0.0))
            given = grant(part, wanted, paid, now=time.monotonic(), second_full=second_full, hour_full=hour_full)
            self._rows[tenant_id] = given.second_full, given.hour_full
            return given

    def look(self, tenant_id: int) -> Grant:
        """The state of a tenant, with nothing taken."""
        return Grant(0, time.monotonic(), *self._rows.get(tenant_id, (0.0, 0.0)))
