"""The data of earlier versions, as tests/upgrade/make.py wrote it."""

import json
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from django.db import connection

from tests.database import elsewhere

HERE = Path(__file__).parent
VERSIONS = sorted(file.parent.name for file in HERE.glob("*/expected.json"))


class Installation(NamedTuple):
    """`keys`: the settings of the installation; `expected`: the values that have to be there after the upgrade."""

    keys: dict[str, str]
    expected: dict[str, Any]


def read(version: str, vendor: str) -> Installation:
    description = json.loads((HERE / version / "expected.json").read_text())
    return Installation(description["keys"], description[vendor])


@contextmanager
def restored(version: str, directory: Path) -> Iterator[Installation]:
    """Inside, the default connection is to a database as that version left it."""
    if connection.vendor == "sqlite":
        (directory / "old").write_bytes(lzma.decompress((HERE / version / "sqlite.xz").read_bytes()))
    with elsewhere(directory, "old"):
        if connection.vendor == "postgresql":
            database = connection.settings_dict
            with psycopg.connect(
                host=database["HOST"], user=database["USER"], dbname=database["NAME"], autocommit=True
            ) as client:
                client.execute(lzma.decompress((HERE / version / "postgresql.sql.xz").read_bytes()))
        yield read(version, connection.vendor)
