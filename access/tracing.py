"""A span for each request, by OpenTelemetry: on if its packages are installed and its variables name a collector.

Without the variables nothing of it is loaded. The ids of a span are those of the request's log lines.
"""

import logging
import os
from typing import TYPE_CHECKING, Any

from django.conf import settings

from access.context import Context, current

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

# Each names a collector for the exporter, which reads them with all its other settings itself.
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE = "iru-endpoint"

logger = logging.getLogger(__name__)

_tracer: Any = None


def start() -> None:
    """Send spans from now on, if the environment asks for it. A server process calls it at its start."""
    if not any(os.environ.get(name) for name in ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("No traces are sent: the packages are missing. Run: uv sync --locked --group otel")
        return
    send_by(BatchSpanProcessor(OTLPSpanExporter()))


def send_by(processor: "SpanProcessor | None") -> None:
    """Give each span to the processor; None: make none."""
    global _tracer  # noqa: PLW0603 - one for the process
    if processor is None:
        _tracer = None
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    facts = {"service.version": settings.VERSION}
    named = "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not os.environ.get("OTEL_SERVICE_NAME") and not named:
        facts["service.name"] = SERVICE
    provider = TracerProvider(resource=Resource.create(facts), id_generator=_ids())
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer(SERVICE, settings.VERSION)


def on() -> bool:
    return _tracer is not None


def record(here: Context, *, operation: str, method: str, status: int, start: int, end: int) -> None:
    """Make the span of a request that is over. `start` and `end` are in nanoseconds since 1970.

    Nothing in it is what a stranger typed, and nothing names a person or a token.
    """
    from opentelemetry.trace import SpanKind, StatusCode

    span = _tracer.start_span(
        f"{method} {operation}",
        context=_parent(here),
        kind=SpanKind.SERVER,
        attributes={
            "http.request.method": method,
            "http.response.status_code": status,
            "iru.operation": operation,
            "iru.database.seconds": round(here.database_seconds, 6),
        },
        start_time=start,
    )
    if status >= 500:
        span.set_status(StatusCode.ERROR)
    span.end(end_time=end)


def _parent(here: Context) -> Any:
    """The sender's span. An empty context, if there is none: no other span is ours."""
    from opentelemetry.context import Context as SpanContextHolder
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    empty = SpanContextHolder()
    if not here.parent_id:
        return empty
    sender = SpanContext(
        int(here.trace_id, 16), int(here.parent_id, 16), is_remote=True, trace_flags=TraceFlags(int(here.sampled))
    )
    return set_span_in_context(NonRecordingSpan(sender), empty)


def _ids() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """The ids of the request that runs."""

        def generate_trace_id(self) -> int:
            here = current()
            return int(here.trace_id, 16) if here else super().generate_trace_id()

        def generate_span_id(self) -> int:
            here = current()
            return int(here.request_id, 16) if here else super().generate_span_id()

    return Ids()
