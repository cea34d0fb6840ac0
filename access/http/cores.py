"""One core for each server process.

The threads of a process take turns with the interpreter's lock. On several cores each turn wakes a thread on another
core, which takes longer than the query during which the lock is free: a process answered half as many calls.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ONE_CORE = "IRU_SERVER_ONE_CORE"  # `serve` sets it, but not with --any-core


def keep_to_one_core() -> None:
    """Bind this process, and the threads that it starts from now on, to the core that the fewest of its siblings have.

    Siblings are processes of the same parent. Those that start at the same moment choose by their order.
    """
    if not hasattr(os, "sched_setaffinity"):  # macOS
        return
    cores = sorted(os.sched_getaffinity(0))
    bound: Counter[int] = Counter()
    earlier = 0
    for pid in _siblings():
        earlier += pid < os.getpid()
        try:
            kept = os.sched_getaffinity(pid)
        except ProcessLookupError:
            continue
        if len(kept) == 1:
            bound.update(kept)
    core = min(cores, key=lambda core: (bound[core], (cores.index(core) - earlier) % len(cores)))
    os.sched_setaffinity(0, {core})


def _siblings() -> Iterator[int]:
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of a process stands in parentheses, and may have any characters.
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        pid = int(status.parent.name)
        if parent == os.getppid() and pid != os.getpid():
            yield pid
