"""The disk of the database is full, or becomes read-only."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.conftest import Templates, Trial
from tests.faults.installation import SQLITE, Installation, copied, seconds
from tests.faults.preload import compiled
from tests.processes import ROOT

pytestmark = pytest.mark.faults

SIZE = {SQLITE: "40m", "PostgreSQL": "140m"}  # of the file system; the templates need less than half of it
# A file system that becomes read-only refuses each write to open files, which `mount -o remount,ro` never does: it
# fails while a file is open. So the calls of the C library answer as they do then, while the file `flag` exists.
READ_ONLY = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int refused(int fd) {
    const char *flag = getenv("IRU_FAULTS_READ_ONLY"), *below = getenv("IRU_FAULTS_DATA");
    char link[64], path[PATH_MAX];
    if (!flag || !below || access(flag, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (strncmp(path, below, strlen(below))) return 0;
    errno = EROFS;
    return 1;
}

#define REFUSE(type, name, parameters, arguments) \
    type name parameters { \
        static type (*next) parameters; \
        if (!next) next = dlsym(RTLD_NEXT, #name); \
        return refused(fd) ? -1 : next arguments; \
    }

REFUSE(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
REFUSE(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
REFUSE(ssize_t, pwrite64, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
REFUSE(ssize_t, writev, (int fd, const struct iovec *data, int count), (fd, data, count))
REFUSE(ssize_t, pwritev, (int fd, const struct iovec *data, int count, off_t at), (fd, data, count, at))
REFUSE(ssize_t, pwritev64, (int fd, const struct iovec *data, int count, off_t at), (fd, data, count, at))
REFUSE(int, ftruncate, (int fd, off_t size), (fd, size))
REFUSE(int, ftruncate64, (int fd, off_t size), (fd, size))
REFUSE(int, fsync, (int fd), (fd))
REFUSE(int, fdatasync, (int fd), (fd))
"""


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[list[str]]:
    """Mount a small file system at `directory`, in namespaces of its own; yields the command that enters them."""
    mounted = f"mount -t tmpfs -o size={size} none '{directory}' && echo mounted && exec sleep infinity"
    with subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted], stdout=subprocess.PIPE, text=True
    ) as keeper:
        try:
            assert keeper.stdout is not None
            if keeper.stdout.readline().strip() != "mounted":
                pytest.skip("this machine forbids user namespaces: nothing shows what a full disk does")
            enter = ["nsenter", "--preserve-credentials", "--user", "--mount", f"--target={keeper.pid}"]
            yield [*enter, f"--wd={ROOT}", "--"]
        finally:
            keeper.send_signal(signal.SIGKILL)


def revive(installation: Installation) -> None:
    """Start PostgreSQL again if it has ended by itself, as its service manager does."""
    if installation.database_ended():
        installation.start_database()


def test_disk_full(kind: str, templates: Templates, tmp_path: Path) -> None:
    template = templates(kind)
    directory = tmp_path / "installation"
    with ExitStack() as stack:
        installation = copied(template, directory)
        data = directory / "data"
        inside = stack.enter_context(small_disk(data, SIZE[kind]))
        subprocess.run([*inside, "cp", "-a", f"{template.directory}/data/.", str(data)], check=True)
        installation = Installation(kind, directory, inside=inside)
        stack.callback(installation.close)
        installation.start_database()
        installation.serve()

        def cause() -> None:
            filler = data / "filler"
            full = subprocess.run(
                [*inside, "sh", "-c", f"cat /dev/zero > '{filler}'"], capture_output=True, text=True, check=False
            )
            assert "No space left" in full.stderr
            seconds(8)
            subprocess.run([*inside, "rm", str(filler)], check=True)
            revive(installation)

        Trial("disk full 8 s", installation).run(cause, recovers=10)


def test_read_only(kind: str, installation: Installation, trial: Callable[[str], Trial], tmp_path: Path) -> None:
    fault = "file system read-only 8 s"
    library = compiled(READ_ONLY, tmp_path / "read_only.so", fault=fault, kind=kind)
    flag = tmp_path / "read-only"
    # Both the server, which opens SQLite's file, and PostgreSQL.
    preloaded = {
        "LD_PRELOAD": str(library),
        "IRU_FAULTS_READ_ONLY": str(flag),
        "IRU_FAULTS_DATA": str(installation.directory / "data"),
    }
    installation.stop_database()
    if kind == SQLITE:
        installation.settings |= preloaded
    else:
        installation.database_settings |= preloaded
    installation.start_database()
    installation.serve()

    def cause() -> None:
        flag.touch()
        seconds(8)
        flag.unlink()
        # PostgreSQL does not recover by itself from a log that it could not write: an operator restarts it.
        installation.stop_database(signal.SIGKILL)
        installation.start_database()

    trial(fault).run(cause, recovers=10)
