"""The database that DATABASE_URL names, and the file that SQLite keeps it in."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

ESCAPES = "In a name, a password or a path write %23 for #, %3F for ?, %2F for /, %2B for + and %25 for %."
PRIVATE = 0o600  # read and written by the owner of the file alone
POOLERS = ("", "pgbouncer", "other")
SUFFIXES = ("", "-wal", "-shm")  # the database, its write-ahead log, and the log's index


def database(url: str, *, default: Path) -> dict[str, Any]:
    """`url` as Django's settings take it; without one, a SQLite database in the file `default`.

    Raises ImproperlyConfigured for a text that is no URL, and for a path of SQLite that a URL would cut off.
    """
    if not url:
        # A path is no URL: the checkout may stand in a directory whose name has a "#", "?" or "%" in it.
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(default)}
    try:
        settings: dict[str, Any] = environ.Env.db_url_config(url)
    except ValueError:  # its text could hold the password
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read. {ESCAPES}") from None
    if url.startswith("sqlite:") and settings["NAME"] != ":memory:":
        if "#" in url or "?" in url:
            raise ImproperlyConfigured(f"DATABASE_URL is a URL, whose path ends at # and ?. {ESCAPES}")
        settings["NAME"] = unquote(urlsplit(url).path[1:])  # environ would read a "+" as a space
    return settings


def pooler(kind: str) -> str:
    """`kind`, one of POOLERS. Raises ImproperlyConfigured for any other text."""
    if kind not in POOLERS:
        raise ImproperlyConfigured(f"IRU_DATABASE_POOLER is empty, or {' or '.join(POOLERS[1:])}.")
    return kind


def postgresql_options(limits: dict[str, str], pooler: str) -> dict[str, Any]:
    """The options of a connection to PostgreSQL that has these limits, or leads through a pooler of this kind."""
    options: dict[str, Any] = {
        "server_side_binding": True,
        "prepare_threshold": None if pooler == "other" else 5,
        "connect_timeout": 3,
    }
    if not pooler:  # it would refuse parameters of a session: behind it, the limits are those of the role
        options["options"] = " ".join(f"-c {name}={value}" for name, value in limits.items())
    return options


def replica(url: str, primary: dict[str, Any]) -> dict[str, Any]:
    """A standby of `primary`, read with the same options. Raises ImproperlyConfigured where one of them is SQLite."""
    settings = database(url, default=Path())
    if "sqlite" in settings["ENGINE"] or "sqlite" in primary["ENGINE"]:
        raise ImproperlyConfigured("DATABASE_REPLICA_URL is for a standby of PostgreSQL. SQLite has none.")
    given = settings.get("OPTIONS", {})
    return {**primary, **settings, "ENGINE": primary["ENGINE"], "OPTIONS": {**primary["OPTIONS"], **given}}


class PrivateConnection(sqlite3.Connection):
    """A connection to a SQLite file that only its owner can read and write, whichever command made it."""

    def __init__(self, database: str | os.PathLike[str], *args: Any, **kwargs: Any) -> None:
        name = os.fspath(database)
        if name != ":memory:" and not name.startswith("file:"):
            _make_private(name)
        super().__init__(database, *args, **kwargs)


def _make_private(name: str) -> None:
    path = os.path.realpath(name)  # SQLite names the other two files after it
    # An existing file is never opened here: closing it would end SQLite's locks on it in the whole process.
    with suppress(OSError):  # it is there, or SQLite says why it cannot be
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, PRIVATE))
    for file in (Path(path + suffix) for suffix in SUFFIXES):
        with suppress(OSError):  # it is not there yet (SQLite gives it the mode of the database), or not ours
            if file.stat().st_mode & 0o077:
                file.chmod(PRIVATE)
