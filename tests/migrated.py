"""A new database with every migration applied, which later runs copy: applying them takes a run about ten seconds.

`migrate` runs on the copy too. It applies nothing, and writes the rows that Django keeps of each model.
"""

import ast
import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, flock
from pathlib import Path
from shutil import copyfile
from typing import Any

from django.core.management import call_command
from django.db import connection

from tests.scratch import ROOT, postgres_programs

STORED = ROOT / ".pytest_cache" / "d" / "databases"  # with the other things that `--cache-clear` removes
MIGRATIONS = ("access/migrations/*.py", "devices/migrations/*.py")
# The versions of Django and of the other apps, and the settings of a run.
ELSE = ("uv.lock", "pyproject.toml", "iru/settings.py")


@contextmanager
def shared() -> Iterator[None]:
    """Inside, the database of the tests is made from a stored one of the same migrations; the first one is stored."""
    creation: Any = connection.creation
    original = creation.create_test_db

    def create(*arguments: Any, **fields: Any) -> str:
        stored = _stored(connection.vendor)
        with _alone(stored):
            copied = stored.exists()
            if copied:
                _copy(stored)
            name: str = original(*arguments, **fields)
            if not copied:
                with suppress(OSError, subprocess.CalledProcessError, sqlite3.Error):  # as in a read-only checkout
                    _store(stored)
        return name

    creation.create_test_db = create
    try:
        yield
    finally:
        creation.create_test_db = original


def fill(name: str) -> None:
    """Give the default database, which is empty and has this name, every migration."""
    stored = _stored(connection.vendor)
    if stored.exists():
        _load(stored, name)
    else:
        call_command("migrate", verbosity=0)


def copied_to(file: Path) -> bool:
    """Copy SQLite's stored database to a new file; False if there is none yet, and the caller has to migrate."""
    with suppress(FileNotFoundError):
        copyfile(_stored("sqlite"), file)
        return True
    return False


def _stored(vendor: str) -> Path:
    return STORED / f"{_version()}.{vendor}"


@contextmanager
def _alone(stored: Path) -> Iterator[None]:
    """Inside, no other process makes this database: those that would, wait and copy it."""
    if stored.exists():
        yield
        return
    try:
        STORED.mkdir(parents=True, exist_ok=True)
        lock = (STORED / f"{connection.vendor}.lock").open("w")
    except OSError:
        yield
        return
    with lock:
        flock(lock, LOCK_EX)
        yield


def _version() -> str:
    """Another one for other migrations, and for other modules of ours that a migration imports."""
    migrations = sorted(path for pattern in MIGRATIONS for path in ROOT.glob(pattern))
    paths = {*migrations, *(ROOT / name for name in ELSE)}
    paths |= {module for migration in migrations for module in _imports(migration)}
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(paths):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def _imports(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}", *(f"{node.module}.{each.name}" for each in node.names)]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        for name in names:
            if name.split(".")[0] in {"access", "devices"}:
                place = ROOT.joinpath(*name.split("."))
                yield from filter(Path.exists, (place.with_suffix(".py"), place / "__init__.py"))


def _copy(stored: Path) -> None:
    name = connection.settings_dict["TEST"]["NAME"]
    if connection.vendor == "postgresql":
        name = f"test_{connection.settings_dict['NAME']}"
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
    _load(stored, name)


def _load(stored: Path, name: str) -> None:
    """Give an empty database, or the name of a new file, what is stored."""
    if connection.vendor == "sqlite":
        copyfile(stored, name)
    else:
        _postgres("psql", "--no-psqlrc", "--quiet", "--single-transaction", "-v", "ON_ERROR_STOP=1", name, "-f", stored)


def _store(stored: Path) -> None:
    name = connection.settings_dict["NAME"]
    # Another name for each database: a process of the other one may store its own at this moment.
    new = stored.with_name(f"{stored.name}.new")
    new.unlink(missing_ok=True)
    if connection.vendor == "sqlite":
        database = sqlite3.connect(name)
        try:
            database.execute("VACUUM INTO ?", [str(new)])
        finally:
            database.close()
    else:
        _postgres("pg_dump", name, "-f", new)
    for earlier in STORED.glob(f"*.{connection.vendor}"):
        earlier.unlink()
    new.replace(stored)


def _postgres(program: str, *arguments: str | Path) -> None:
    server = ["-h", connection.settings_dict["HOST"], "-U", "postgres"]
    subprocess.run([postgres_programs() / program, *server, *arguments], check=True, stdout=subprocess.DEVNULL)
