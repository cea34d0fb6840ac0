"""Management commands as processes of their own, on the database of the test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from django.db import connection

ROOT = Path(__file__).parents[1]


def environment() -> dict[str, str]:
    """The settings of this test run, with the database of this test."""
    database = connection.settings_dict
    url = (
        f"postgres:///{database['NAME']}?user=postgres&host={database['HOST']}"
        if connection.vendor == "postgresql"
        else f"sqlite:///{database['NAME']}"
    )
    # As in pytest's filterwarnings: no static files are collected for a test run.
    return os.environ | {"DATABASE_URL": url, "PYTHONWARNINGS": "ignore:No directory at"}


@contextmanager
def managed(
    *arguments: str, output: Path | None = None, extra: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `manage.py …` until the end of the block. Its standard error is written to the file `output`.

    `extra` is added to its environment. With `extra` the process gets its own process group.
    """
    with (output or Path(os.devnull)).open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment() | dict(extra or {}),
            stderr=errors if output else None,
            process_group=None if extra is None else 0,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def wait_for(condition: Callable[[], object], seconds: float) -> float:
    """Seconds that it took until `condition` held."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"not within {seconds} seconds"
        time.sleep(0.1)
    return time.monotonic() - start


def alive(pid: int) -> bool:
    """Whether the process runs. One that ended and that nobody waits for does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(shown.strip()) and not shown.startswith("Z")


def status(port: int, path: str = "/app/v1/ping", headers: dict[str, str] | None = None) -> int | None:
    """The status of a GET from a server of this machine; None without an answer."""
    try:
        with urlopen(Request(f"http://127.0.0.1:{port}{path}", headers=headers or {}), timeout=5) as answer:
            return int(answer.status)
    except HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None
