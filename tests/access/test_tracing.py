"""Traces: a span for each request, with the ids of its log lines, and nothing of it where nobody asked."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from access import tracing
from access.context import Context, current
from tests.types import Call, IssueToken

ROOT = Path(__file__).parents[2]
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    exporter = InMemorySpanExporter()
    tracing.send_by(SimpleSpanProcessor(exporter))
    yield exporter
    tracing.send_by(None)


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    spans.clear()
    return span


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[Context]:
    """The context of each call of the API, as its log lines have it."""
    found: list[Context] = []
    monkeypatch.setattr("devices.api.routing.count_call", lambda *_, **__: found.append(current()))  # type: ignore[arg-type]
    return found


def test_a_call_is_a_span_with_the_ids_of_its_log_lines(
    spans: InMemorySpanExporter, api: Call, issue_token: IssueToken, contexts: list[Context], settings: Any
) -> None:
    token = issue_token("list_devices")
    api("GET", "/api/v1/devices?serial_number=C02XK1", token)
    span, (context,) = only(spans), contexts
    assert (span.name, span.kind, span.parent) == ("GET list_devices", SpanKind.SERVER, None)
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == context.trace_id
    assert f"{span.context.span_id:016x}" == context.request_id
    attributes = dict(span.attributes or {})
    seconds = attributes.pop("iru.database.seconds")
    assert attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "iru.operation": "list_devices",
    }
    assert span.start_time is not None
    assert span.end_time is not None
    assert isinstance(seconds, float)
    assert 0 < seconds < (span.end_time - span.start_time) / 1e9
    resource = span.resource.attributes
    assert (resource["service.name"], resource["service.version"]) == ("iru-endpoint", settings.VERSION)
    assert token.secret not in span.to_json()
    assert "accuhive" not in span.to_json()
    assert "C02XK1" not in span.to_json()


def test_the_sender_of_a_traceparent_is_the_parent(
    spans: InMemorySpanExporter, api: Call, issue_token: IssueToken
) -> None:
    api("GET", "/api/v1/devices", issue_token(), headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    span = only(spans)
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert span.parent.is_remote
    api("GET", "/api/v1/devices", issue_token(), headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    assert spans.get_finished_spans() == (), "the sender does not record this trace"


def test_a_page_has_its_name_and_a_failure_its_status(
    spans: InMemorySpanExporter, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(raise_request_exception=False)
    client.get("/sign-in/")
    span = only(spans)
    assert (span.name, span.status.status_code) == ("GET account_login", StatusCode.UNSET)
    client.generic("ACCUHIVE", "/nowhere/accuhive/")
    assert only(spans).name == "_OTHER other"

    def fail(*_: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr("access.http.middleware.is_missing", fail)
    client.get("/")
    span = only(spans)
    assert (span.attributes or {})["http.response.status_code"] == 503
    assert span.status.status_code is StatusCode.ERROR


def test_a_timed_request_asks_the_database_in_the_same_way(
    spans: InMemorySpanExporter, api: Call, issue_token: IssueToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up of a token goes straight to the driver, with tracing too."""
    seen: list[str] = []
    from access import sql

    fetch = sql._fetch
    monkeypatch.setattr(sql, "_fetch", lambda *a: seen.append(a[1]) or fetch(*a))  # type: ignore[func-returns-value]
    api("GET", "/api/v1/devices", issue_token("list_devices"))
    assert any("access_apitoken" in statement for statement in seen)
    assert connection.execute_wrappers == []


def test_without_variables_or_packages_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in tracing.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    tracing.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    tracing.start()
    assert not caplog.records
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    tracing.start()
    assert not tracing.on()
    assert "--group otel" in caplog.text


@pytest.mark.slow
@pytest.mark.sqlite_only
@pytest.mark.parametrize("asked", [False, True])
def test_a_server_process_loads_the_packages_only_if_it_is_asked_to(asked: bool, tmp_path: Path) -> None:
    source = (
        "import sys, iru.wsgi; from access import tracing; loaded = {name.split('.')[0] for name in sys.modules}; "
        "print(tracing.on(), *sorted(loaded & {'opentelemetry', 'prometheus_client'}))"
    )
    environment = {name: value for name, value in os.environ.items() if not re.match("OTEL_|PROMETHEUS_", name)}
    environment |= {"DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}"}
    if asked:
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    shown = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert shown.stdout.split() == (["True", "opentelemetry"] if asked else ["False"])
