"""Tasks for tests: what each of them does is written to a file, so that another process can do it too."""

import os
import signal
import time
from pathlib import Path

from access.tasks.backend import task


@task()
def note(path: str) -> None:
    """Add a line with the number of this process."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")


@task(retries=2)
def explode(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("boom\n")
    raise RuntimeError("It does not work.")


@task()
def explode_once(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("boom\n")
    raise RuntimeError("It does not work.")


@task()
def hang_the_first_time(path: str) -> None:
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    if len(Path(path).read_text().splitlines()) == 1:
        time.sleep(60)


@task()
def ask_the_worker_to_stop(seconds: float) -> None:
    """As an operator would in the middle of a task, which goes on for `seconds`."""
    signal.raise_signal(signal.SIGTERM)
    time.sleep(seconds)


@task()
def return_no_json() -> object:
    return object()
