"""Where the database is, and who may read its files: seen from a process of its own, as each command is one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from iru.databases import database
from tests.iru.test_settings import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.sqlite_only]

WRITE = "from django.db import connection; connection.cursor().execute('CREATE TABLE IF NOT EXISTS rows (value)');"
MODES = (
    "import pathlib; "
    "files = sorted(pathlib.Path(connection.settings_dict['NAME']).parent.glob('db.*')); "
    "print(*(f'{file.name} {file.stat().st_mode & 0o777:o}' for file in files))"
)
PRIVATE = "db.sqlite3 600 db.sqlite3-shm 600 db.sqlite3-wal 600"


def shell(source: str, root: Path = ROOT, **environment: str) -> str:
    """The output of `manage.py shell` under a umask that lets everybody read new files."""
    run = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity=0", "-c", source],
        cwd=root,
        env=os.environ | environment,
        umask=0o022,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_a_new_database_is_its_owners_alone(tmp_path: Path) -> None:
    assert shell(WRITE + MODES, DATABASE_URL=f"sqlite:///{tmp_path}/db.sqlite3") == PRIVATE


def test_a_database_that_others_could_read_becomes_its_owners_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db.sqlite3"
    shell(WRITE, DATABASE_URL=url)
    for name in ("db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    assert shell(WRITE + MODES, DATABASE_URL=url) == PRIVATE


@pytest.mark.parametrize("name", ["a#b", "a?b=c", "100%20 pure", "a+b"])
def test_the_database_is_in_the_checkout_whatever_its_name(tmp_path: Path, name: str) -> None:
    checkout = tmp_path / name
    shutil.copytree(ROOT / "iru", checkout / "iru")  # a copy, because its place is the place of the checkout
    shutil.copy(ROOT / "manage.py", checkout)
    for each in ("access", "devices", "static", "templates"):
        (checkout / each).symlink_to(ROOT / each)
    shell(WRITE, checkout, DATABASE_URL="")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (checkout / "db.sqlite3").is_file()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////srv/iru/db.sqlite3", "/srv/iru/db.sqlite3"),
        ("sqlite:////srv/a+b/db.sqlite3", "/srv/a+b/db.sqlite3"),
        ("sqlite:////srv/a%23b%3Fc%25d e/db.sqlite3", "/srv/a#b?c%d e/db.sqlite3"),
        ("sqlite://:memory:", ":memory:"),
        ("", "/default"),
    ],
)
def test_a_path_is_read_from_its_url(url: str, path: str) -> None:
    assert database(url, default=Path("/default"))["NAME"] == path


@pytest.mark.parametrize("url", ["sqlite:////srv/a#b/db.sqlite3", "sqlite:////srv/a?b/db.sqlite3"])
def test_a_path_that_a_url_cuts_off_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_URL is a URL, whose path ends at # and \?\."):
        database(url, default=Path("/default"))


def test_a_password_that_breaks_its_url_is_refused_without_repeating_it() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_URL cannot be read\. .* %3F for \?") as error:
        database("postgres://iru:secret?word@localhost/iru", default=Path("/default"))
    assert "secret" not in str(error.value)
