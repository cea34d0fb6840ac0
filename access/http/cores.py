"""One core for each server process.

The threads of a process take turns with the interpreter's lock. On several cores each turn wakes a thread on another
core, which takes longer than the query during which the lock is free: a process answered half as many calls.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ONE_CORE = "IRU_SERVER_ONE_CORE"  # `serve` sets it, but not with --any-core
KERNEL = 2  # the process id of the parent of the kernel's threads, which are bound to cores and mostly sleep


def keep_to_one_core() -> None:
    """Bind this process, and the threads that it starts from now on, to the core that the fewest of its siblings have.

    Siblings are processes of the same parent. Those that start at the same moment choose by their order, from the cores
    that the fewest processes of others are bound to.
    """
    if not hasattr(os, "sched_setaffinity"):  # macOS
        return
    siblings, others = Counter[int](), Counter[int]()
    earlier = 0
    for pid, parent in _processes():
        sibling = parent == os.getppid()
        earlier += sibling and pid < os.getpid()
        try:
            kept = os.sched_getaffinity(pid)
        except OSError:  # it has ended
            continue
        if len(kept) == 1:
            (siblings if sibling else others).update(kept)
    cores = sorted(os.sched_getaffinity(0), key=lambda core: (others[core], core))
    order = cores[earlier % len(cores) :] + cores[: earlier % len(cores)]
    os.sched_setaffinity(0, {min(order, key=siblings.__getitem__)})


def _processes() -> Iterator[tuple[int, int]]:
    """The id and the parent's id of each other process of this machine, without the kernel's."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of a process stands in parentheses, and may have any characters.
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        pid = int(status.parent.name)
        if pid != os.getpid() and KERNEL not in {pid, parent}:
            yield pid, parent
