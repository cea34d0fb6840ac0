"""Run as a script it is a worker that is killed twice in each kind of task: after the first transaction that the task
commits, and when the task is done and its result is not stored. Another worker takes its place at once.

Each kill leaves a file with its name in the directory of the first argument. A task without a transaction of its own is
killed at the second place both times.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import django

COMMITTED, DONE = "after a commit", "done"


class Killer:
    """Ends the process, once for each kind of task and place, however many processes it was."""

    def __init__(self, noted: Path) -> None:
        self._noted = noted
        self.running = ""  # the path of the task whose function is called now

    def end_once(self, path: str, place: str) -> None:
        try:
            (self._noted / f"{path} {place}").touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)


def work(noted: Path, parent: int) -> None:
    """The product's worker, in this process. Returns when the parent process is gone."""
    from django.db import connections

    from access.tasks import leases
    from access.tasks.worker import Worker

    killer, database = Killer(noted), type(connections["default"])
    call, succeed, commit = Worker._call, leases.succeed, database.commit

    def called(self: Worker, row: Any) -> object:
        killer.running = row.task_path
        try:
            return call(self, row)
        finally:
            killer.running = ""

    def committed(self: Any) -> None:
        commit(self)
        if killer.running:
            killer.end_once(killer.running, COMMITTED)

    def done(row: Any, *args: Any) -> None:
        for place in (COMMITTED, DONE):
            killer.end_once(row.task_path, place)
        succeed(row, *args)

    for owner, name, function in (
        (Worker, "_call", called),
        (database, "commit", committed),
        (leases, "succeed", done),
    ):
        setattr(owner, name, function)
    Worker(parent=parent).run()


def main(noted: Path) -> None:
    django.setup()
    parent = os.getpid()
    while True:
        pid = os.fork()  # no connection to the database is open yet
        if pid == 0:
            work(noted, parent)
            os._exit(0)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
