"""OpenTelemetry spans of requests and tries. They may not hold a subject, a person, or anything of a body.

A request's span becomes the `traceparent` of the event or command that it brings, which is stored: every try, in
whatever process and however much later, is a span below it, and the receiver is told the same trace.

Imported only where traces are asked for: the packages come with the extra `otel`.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

from flask import Flask, Response, g, request
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bridge import __version__, signals
from bridge.outbox.ledger.settle import Settlement

#: Whose requests bring events and commands; pages, health and metrics are asked for too often to be told of.
FOLLOWED: Final = ("/webhooks/", "/api/v1/")
#: Of the time in which a process has to end.
CLOSE_SECONDS: Final = 3.0
_FAILED: Final = frozenset({"retry_later", "rejected"})
_W3C: Final = TraceContextTextMapPropagator()


class Traces:
    """The tracer of one process; connected until `close`. Spans leave on a thread of their own, and are dropped where
    nobody takes them."""

    def __init__(self, exporter: SpanExporter | None = None, *, close_seconds: float = CLOSE_SECONDS) -> None:
        """`exporter` None: OTLP over HTTP to where the standard variables point. `close` waits for it no longer than
        `close_seconds`.

        Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
        """
        ours = Resource({"service.name": "genesys-bridge", "service.version": __version__})
        resource = Resource.create().merge(ours).merge(OTELResourceDetector().detect())
        self._close_seconds = close_seconds
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("bridge", __version__)
        signals.delivery_settled.connect(self._tell_try, weak=False)

    def follow(self, app: Flask) -> None:
        """A span for every request to a path that is FOLLOWED."""

        @app.before_request
        def begin() -> None:
            if request.path.startswith(FOLLOWED):
                g.bridge_span = span = self._begin(request.headers.get("traceparent"))
                request.environ["HTTP_TRACEPARENT"] = _traceparent(span)

        @app.after_request
        def end(response: Response) -> Response:
            span: Span | None = g.pop("bridge_span", None)
            if span is not None:
                _end(span, response.status_code)
            return response

    def close(self) -> None:
        """Hand over what was gathered, if somebody takes it in time, and tell no more."""
        signals.delivery_settled.disconnect(self._tell_try)
        handing_over = threading.Thread(target=self._provider.shutdown, name="traces-close", daemon=True)
        handing_over.start()  # the SDK would wait for as long as a try of its exporter takes
        handing_over.join(self._close_seconds)

    def _begin(self, parent: str | None) -> Span:
        route = request.url_rule.rule if request.url_rule is not None else None
        return self._tracer.start_span(
            f"{request.method} {route}" if route else request.method,
            context=_context(parent),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": request.method, **({"http.route": route} if route else {})},
        )

    def _tell_try(
        self, _sender: object, *, destination: str, outcome: str, seconds: float, settlement: Settlement
    ) -> None:
        """A try is told when it is settled: what lost its lease never counted."""
        delivery = settlement.delivery
        span = self._tracer.start_span(
            f"send {destination}",
            context=_context(delivery.event.traceparent),
            kind=SpanKind.PRODUCER,
            start_time=_nanoseconds(settlement.started_at),
            attributes={
                "messaging.operation.type": "send",
                "messaging.destination.name": destination,
                "messaging.message.id": delivery.webhook_id,
                "bridge.event.id": delivery.event.id,
                "bridge.event.type": delivery.event.type,
                "bridge.delivery.id": delivery.delivery_id,
                "bridge.attempt": delivery.attempt,
                "bridge.outcome": outcome,
            },
        )
        status = settlement.outcome.exchange.status
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if outcome in _FAILED:
            span.set_status(Status(StatusCode.ERROR, settlement.verdict.error))
        span.end(_nanoseconds(settlement.started_at + timedelta(seconds=seconds)))


def _end(span: Span, status: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _context(traceparent: str | None) -> Context:
    """An empty context where there is no parent, so that nothing of this thread becomes one."""
    return _W3C.extract({"traceparent": traceparent} if traceparent else {}, Context())


def _traceparent(span: Span) -> str:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, set_span_in_context(span, Context()))
    return carrier["traceparent"]


def _nanoseconds(at: datetime) -> int:
    """Nanoseconds since 1970 of an aware time."""
    return int(at.timestamp() * 1_000_000) * 1000
