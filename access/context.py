"""What this thread works on: a request or a task. Its log lines, its metrics and its span say so.

The trace of a request comes from the header `traceparent` of W3C Trace Context. The id of a request is also its span.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import Any
from uuid import UUID

# Version ff and ids of zeros are invalid. Version 00 has four fields; later ones may have more, which are not read.
TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<parent>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?",
    re.ASCII | re.DOTALL,
)
SAMPLED = 1  # the flag of a trace that its sender records


class Context:
    """`operation` is that of the API; `cause` says why the answer is a 503."""

    __slots__ = (
        "cause",
        "database_seconds",
        "operation",
        "parent_id",
        "request_id",
        "sampled",
        "task_id",
        "tenant",
        "token_id",
        "trace_id",
    )

    def __init__(self) -> None:
        self.request_id = self.trace_id = self.parent_id = ""
        self.tenant = self.operation = self.cause = ""
        self.token_id: UUID | None = None
        self.task_id = ""
        self.sampled = False
        self.database_seconds = 0.0

    def ids(self) -> dict[str, str]:
        """The ids of a log line. They are shaped like tokens, and are none."""
        ids = {}
        if self.request_id:
            ids["request_id"] = self.request_id
            ids["traceparent"] = f"00-{self.trace_id}-{self.request_id}-{self.sampled:02x}"
        if self.token_id:
            ids["token_id"] = str(self.token_id)
        if self.task_id:
            ids["task_id"] = self.task_id
        return ids


_current: ContextVar[Context | None] = ContextVar("context", default=None)


def current() -> Context | None:
    return _current.get()


def begin_request(traceparent: str | None) -> Context:
    """The context of a request with this header. A header that is malformed is as if it was not there."""
    context = Context()
    random = os.urandom(24).hex()
    context.request_id = random[:16]
    match = TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match and not (match["version"] == "00" and match["rest"]):
        context.trace_id, context.parent_id = match["trace"], match["parent"]
        context.sampled = bool(int(match["flags"], 16) & SAMPLED)
    else:
        context.trace_id = random[16:]
    _current.set(context)
    return context


def end_request(**_: Any) -> None:
    """Forget the request. It is called when the answer is closed, because Django logs after all middleware."""
    _current.set(None)


@contextmanager
def of_task(task_id: object) -> Iterator[None]:
    context = Context()
    context.task_id = str(task_id)
    previous = _current.set(context)
    try:
        yield
    finally:
        _current.reset(previous)


def note_operation(operation: str) -> None:
    """Say what the request asks for, where no page has a name for it."""
    if context := _current.get():
        context.operation = operation


def note_cause(cause: str) -> None:
    """Say why the answer is a 503."""
    if context := _current.get():
        context.cause = cause


def add_database_time(seconds: float) -> None:
    if context := _current.get():
        context.database_seconds += seconds


def time_statement(execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: dict[str, Any]) -> Any:
    """A wrapper of Django's cursors that counts the time of each statement."""
    start = perf_counter()
    try:
        return execute(sql, parameters, many, context)
    finally:
        add_database_time(perf_counter() - start)


def note_sender(tenant: str, token_id: UUID | None = None) -> None:
    """Say who sends the request, as soon as that is known."""
    if context := _current.get():
        context.tenant = tenant
        context.token_id = token_id
