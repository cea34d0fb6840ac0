"""New files that a command writes for an operator: private, and under their name only once they are complete."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from access.disk import sync_directory
from access.maintenance.refusals import Refused

PRIVATE = 0o600


def new_file(path: Path, *, what: str) -> Path:
    """The absolute path of a file that is not there yet. Raises Refused, also if this user cannot write there.

    `what` is written there, as people call it.
    """
    path = path.absolute()
    if path.exists():
        raise Refused(f"{path} exists already. Each {what} is a new file.")
    if not path.parent.is_dir():
        raise Refused(f"There is no directory {path.parent}.")
    if not os.access(path.parent, os.W_OK):
        raise Refused(f"This user may not write to {path.parent}.")
    return path


@contextmanager
def new_private_file(path: Path, prefix: str) -> Iterator[BinaryIO]:
    """A new file that its owner alone can read. It gets its name at the end, if there was no error.

    Until then it is in a directory beside it, whose name begins with `prefix`. A killed process leaves that directory.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=path.parent) as directory:
        unfinished = Path(directory) / path.name
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        publish(unfinished, path)


def publish(unfinished: Path, path: Path) -> None:
    """Give a complete file its name. Raises Refused if another file has got it meanwhile."""
    if path.exists():
        raise Refused(f"{path} exists already.")
    unfinished.replace(path)
    sync_directory(path.parent)
