"""The clock of the server's machine is moved forth and back, as by an administrator or a wrong time server."""

import mmap
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import Trial
from tests.faults.installation import Installation, seconds
from tests.faults.preload import compiled

pytestmark = pytest.mark.faults

FAULT = "clock +2 h, -2 h, back"
HOURS = 3600
# Adds the seconds in a file to the time of day. The monotonic clock goes on, as it does on such a machine. libfaketime
# takes a lock of all processes for each look at the clock, and slows writes to SQLite down to seconds.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

static volatile int64_t *moved;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("IRU_FAULTS_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *found = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *moved, PROT_READ, MAP_SHARED, file, 0);
    if (found == MAP_FAILED) abort();
    moved = found;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, now);
    if (moved && !result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *moved;
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (now) *now = found.tv_sec;
    return found.tv_sec;
}
"""


def test_clock_moved(installation: Installation, trial: Callable[[str], Trial], tmp_path: Path) -> None:
    library = compiled(CLOCK, tmp_path / "clock.so", fault=FAULT, kind=installation.kind)
    (moved := tmp_path / "moved").write_bytes(bytes(8))
    preloaded = {"LD_PRELOAD": str(library), "IRU_FAULTS_CLOCK": str(moved)}

    with moved.open("r+b") as file, mmap.mmap(file.fileno(), 8) as clock:
        installation.settings |= preloaded
        show = ("-c", "import time; print(time.time())")
        before = float(installation.run(*show))
        clock[:] = struct.pack("=q", 2 * HOURS)
        assert float(installation.run(*show)) - before > 2 * HOURS
        clock[:] = bytes(8)
        installation.serve()

        def cause() -> None:
            for hours in (2, -2, 0):
                clock[:] = struct.pack("=q", hours * HOURS)
                seconds(4)

        trial(FAULT).run(cause)
