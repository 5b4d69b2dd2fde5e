"""Traces: one from the webhook over the outbox to the receiver, and nothing in them that is about a person."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask, request
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from bridge.events import RecordedEvent
from bridge.outbox.contract import ClaimedDelivery, Delivered, Exchange, Outcome, Rejected
from bridge.outbox.ledger.settle import Settlement
from bridge.outbox.retry import State, Verdict
from bridge.outbox.telling import tell
from bridge.telemetry.traces import Traces
from tests.journeys.site import configuration, eventually, post, record_update, site
from tests.receivers import Receiver

AT = datetime(2026, 5, 1, 10, 0, 0, 250_000, UTC)
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Gathered(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: object) -> SpanExportResult:
        self.spans += spans  # type: ignore[arg-type]
        return SpanExportResult.SUCCESS


@pytest.fixture
def gathered() -> Gathered:
    return Gathered()


@pytest.fixture
def traces(gathered: Gathered) -> Iterator[Traces]:
    traces = Traces(gathered)
    yield traces
    traces.close()


def settled(outcome: Outcome, state: State, error: str | None = None) -> Settlement:
    event = RecordedEvent(
        id="event-1",
        source="genesys",
        type="record.updated",
        subject="record:Person/0049-171-1234567",
        payload={"name": "Ada"},
        version="1",
        occurred_at=AT,
        correlation_id=None,
        received_at=AT,
        traceparent=TRACEPARENT,
    )
    delivery = ClaimedDelivery(
        lane_id=1,
        seq=1,
        token="t",
        lease_until=AT + timedelta(seconds=30),
        delivery_id="delivery-1",
        webhook_id="webhook-1",
        attempt=2,
        failures=1,
        created_at=AT,
        destination="erp",
        event=event,
    )
    return Settlement(
        delivery=delivery,
        outcome=outcome,
        verdict=Verdict(state=state, error=error),
        started_at=AT,
        duration_ms=125,
    )


def test_a_try_is_a_span_of_its_events_trace_with_its_own_times(traces: Traces, gathered: Gathered) -> None:
    tell([settled(Delivered(exchange=Exchange(status=204)), State.DELIVERED)], lost=set(), opened=())
    traces.close()
    [span] = gathered.spans
    assert span.name == "send erp"
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert span.start_time == int(AT.timestamp() * 1000) * 1_000_000
    assert span.end_time == span.start_time + 125_000_000
    assert span.status.status_code is StatusCode.UNSET
    told = dict(span.attributes or {})
    assert told["http.response.status_code"] == 204
    assert told["bridge.attempt"] == 2
    assert not [value for value in told.values() if "Ada" in str(value) or "1234567" in str(value)]


def test_a_failed_try_is_an_error_and_a_lost_lease_is_nothing(traces: Traces, gathered: Gathered) -> None:
    dead = settled(Rejected(reason="status 400", error_class="status"), State.DEAD, "status 400")
    tell([dead], lost=set(), opened=())
    tell([dead], lost={"delivery-1"}, opened=())
    traces.close()
    [span] = gathered.spans
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "status 400")


def test_a_request_goes_on_with_its_own_span_as_the_parent(traces: Traces, gathered: Gathered) -> None:
    app = Flask("test")
    handed_on: list[str] = []

    @app.post("/webhooks/<source>")
    def receive(source: str) -> tuple[str, int]:
        handed_on.append(request.environ["HTTP_TRACEPARENT"])
        return "", 202

    @app.get("/healthz")
    def healthz() -> str:
        return ""

    traces.follow(app)
    client = app.test_client()
    client.post("/webhooks/genesys", headers={"traceparent": TRACEPARENT})
    client.post("/webhooks/genesys", headers={"traceparent": "garbled"})
    client.get("/healthz")
    traces.close()
    first, second = gathered.spans
    assert first.name == "POST /webhooks/<source>"
    assert [one[:53] for one in handed_on] == [
        f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-" for span in (first, second)
    ]
    assert f"{first.context.trace_id:032x}" == TRACE
    assert second.parent is None
    assert f"{second.context.trace_id:032x}" != TRACE


def test_a_collector_that_does_not_answer_holds_nobody_back() -> None:
    released = threading.Event()

    class Silent(Gathered):
        def export(self, spans: object) -> SpanExportResult:
            released.wait(20)
            return super().export(spans)

    silent = Silent()
    traces = Traces(silent, close_seconds=0.05)
    tell([settled(Delivered(), State.DELIVERED)], lost=set(), opened=())
    traces.close()
    assert not silent.spans
    released.set()


def test_one_trace_goes_from_the_webhook_over_the_outbox_to_the_receiver(tmp_path: Path, database_url: str) -> None:
    with Receiver() as erp, Receiver(lambda _: 200) as collector:
        with site(tmp_path, database_url, configuration(erp, erp)) as bridge:
            bridge.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
            bridge.start("web")
            bridge.start("worker")
            bridge.wait_ready()
            assert post(bridge.port, record_update("r-1", 1)).status == 202
            eventually(lambda: len(_spans(collector)) == 2, "told by web and by worker")
        spans = {span.name: span for span in _spans(collector)}
        received, sent = spans["POST /webhooks/<source>"], spans["send erp"]
        assert sent.trace_id == received.trace_id
        assert sent.parent_span_id == received.span_id
        [delivered] = erp.requests
        assert delivered.headers["traceparent"].startswith(f"00-{received.trace_id.hex()}-{received.span_id.hex()}-")


def _spans(collector: Receiver) -> list[Span]:
    told = [ExportTraceServiceRequest.FromString(one.body) for one in collector.requests]
    assert {one.path for one in collector.requests} <= {"/v1/traces"}
    return [
        span
        for one in told
        for resource in one.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
