"""The numbers of this installation for Prometheus, at a port of their own: `--metrics` of `serve` and `worker`."""

import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.management.base import CommandError
from django.db import Error

from access import metrics
from access.installation.measures import Value, measure
from access.management.serving import free_address
from access.metrics import Series
from access.patience import Patience

if TYPE_CHECKING:
    from prometheus_client import Metric

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - each directory in it is for its owner alone
PREFIX, LOCK = "iru-metrics-", "lock"
YOUNG = 60.0  # seconds in which a directory may still lack its lock
LIMIT = 2.0  # seconds for all numbers of the database

DATABASE_UP = Series("iru_database_up", "gauge", "1 if the database gave its numbers in time, else 0.")
BUILD = Series("iru_build_info", "gauge", "Always 1. The label has the version.", ("version",))

logger = logging.getLogger(__name__)


@contextmanager
def exporting(address: str | None) -> Iterator[None]:
    """Inside, `http://ADDRESS/metrics` has the numbers of this process and of those that it starts. None: nothing.

    Raises CommandError for an address that is malformed or taken.
    """
    if address is None:
        yield
        return
    host, port = _parse(address)
    free_address(host, port, option="--metrics " + address.rpartition(":")[0] + ":")
    with _directory() as directory:
        metrics.switch(str(directory))
        try:
            with _served(host, port, directory):
                yield
        finally:
            metrics.switch(None)


@contextmanager
def _served(host: str, port: int, directory: Path) -> Iterator[None]:
    # These look at the variable of the directory when they are loaded.
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    registry.register(Processes(directory))
    registry.register(Installation())
    server, thread = start_http_server(port, host, registry=registry)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Processes:
    """What the processes have counted."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> "list[Metric]":
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

        # What a process counted stays when it ends. What waited in it is gone with it.
        for path in self._directory.glob("gauge_live*_*.db"):
            pid = int(path.stem.rpartition("_")[2])
            if not Path(f"/proc/{pid}").exists():
                mark_process_dead(pid, str(self._directory))  # type: ignore[no-untyped-call]
        collector = MultiProcessCollector(CollectorRegistry(), str(self._directory))  # type: ignore[no-untyped-call]
        return list(collector.collect())  # type: ignore[no-untyped-call]


class Installation:
    """What the database says, if it does so in time, and the version."""

    def __init__(self) -> None:
        self._measure = Patience(measure, LIMIT, name="The database")

    def collect(self) -> "list[Metric]":
        values: list[Value] = []
        try:
            values, up = self._measure(), True
        except (Error, TimeoutError) as error:
            logger.warning("The numbers of the database are missing: %s", error)
            up = False
        return list(_families([*values, (DATABASE_UP, (), up), (BUILD, (settings.VERSION,), 1)]))


def _families(values: list[Value]) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    families: dict[str, GaugeMetricFamily] = {}
    for series, labels, value in values:
        if series.name not in families:
            families[series.name] = GaugeMetricFamily(series.name, series.about, labels=series.labels)
        families[series.name].add_metric(labels, float(value))
    yield from families.values()


def _parse(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise CommandError(f"{address} is no address for the metrics. Give one like 127.0.0.1:9464.")
    return host.strip("[]"), int(port)


@contextmanager
def _directory() -> Iterator[Path]:
    """A fresh directory for the numbers, in TMPDIR if that is set, else in memory where the machine has that.

    It is locked as long as a process of this server lives. Directories that a killed server has left are deleted.
    """
    named = "TMPDIR" in os.environ or not os.access(SHARED_MEMORY, os.W_OK)
    base = Path(tempfile.gettempdir()) if named else SHARED_MEMORY
    _remove_left(base)
    directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    try:
        with (directory / LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_left(base: Path) -> None:
    for directory in base.glob(PREFIX + "*"):
        with suppress(OSError):  # of another user, or of a server that runs
            lock = directory / LOCK
            if not lock.exists() and time.time() - directory.stat().st_mtime < YOUNG:
                continue
            if lock.exists():
                with lock.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
