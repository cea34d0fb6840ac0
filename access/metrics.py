"""What each process counts, for Prometheus. docs/metrics.md describes the series.

Without `serve --metrics` or `worker --metrics` nothing is counted, and the package of Prometheus is not loaded. With
it, each process writes its numbers to files of its own in one directory, which the first process reads.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"  # the variable that the package of Prometheus reads when it is loaded
# Seconds. Each request is counted in all classes that it is not longer than, so a few classes have to do.
DURATIONS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_on = DIRECTORY in os.environ

type Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Series:
    """As it is exported. No label has more than some hundred values: none is a tenant, a token or an address."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()


@dataclass(eq=False)
class Metric:
    """A series that processes write themselves. Its values are made when they are first needed, after a fork."""

    series: Series
    all: ClassVar[list["Metric"]] = []
    _children: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.all.append(self)

    def inc(self, *labels: str) -> None:
        if _on:
            self._child(labels).inc()

    def set(self, value: float) -> None:
        if _on:
            self._child(()).set(value)

    def observe(self, value: float, *labels: str) -> None:
        if _on:
            self._child(labels).observe(value)

    def _child(self, labels: tuple[str, ...]) -> Any:
        # Prometheus finds it by its labels as well, at twice the cost.
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._parent.labels(*labels) if labels else self._parent
        return child

    @cached_property
    def _parent(self) -> Any:
        from prometheus_client import Counter, Gauge, Histogram  # it looks at the variable when it is loaded

        name, about, labels = self.series.name, self.series.about, self.series.labels
        match self.series.kind:
            case "counter":
                return Counter(name, about, labels, registry=None)
            case "gauge":
                return Gauge(name, about, labels, registry=None, multiprocess_mode="livesum")
            case "histogram":
                return Histogram(name, about, labels, registry=None, buckets=DURATIONS)


def switch(directory: str | None) -> None:
    """Have this process, and those that it starts, write their numbers to that directory; None: to none."""
    global _on  # noqa: PLW0603 - one directory for the process
    _on = directory is not None
    if directory is None:
        os.environ.pop(DIRECTORY, None)
    else:
        os.environ[DIRECTORY] = directory


def _metric(name: str, kind: Kind, about: str, labels: Sequence[str] = ()) -> Metric:
    return Metric(Series(name, kind, about, tuple(labels)))


request_seconds = _metric(
    "iru_request_duration_seconds",
    "histogram",
    "Time until the answer to a request is made, without sending it.",
    ["operation", "status"],
)
unavailable = _metric("iru_unavailable_total", "counter", "Requests that were answered 503, by their cause.", ["cause"])
security_events = _metric(
    "iru_security_events_total", "counter", "Refused tokens, refused calls and other security events.", ["event"]
)
limits_in_process = _metric(
    "iru_call_limits_in_process_total",
    "counter",
    "Permits for calls that a process took from its own share, because the store of the limits failed.",
)
database_failures = _metric(
    "iru_database_failures_total", "counter", "Times that the database did not answer or was busy.", ["where"]
)
uses_waiting = _metric("iru_token_uses_waiting", "gauge", "Notes about the use of tokens that are not written yet.")
pushes = _metric("iru_pushes_total", "counter", "Pushes that were sent to wake devices, by their result.", ["result"])
webhook_attempts = _metric(
    "iru_webhook_attempts_total", "counter", "Attempts to deliver a message of a webhook.", ["outcome"]
)
