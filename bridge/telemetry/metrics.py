"""What this process counts, from the signals: the numbers behind `GET /metrics`. It may not ask the database.

An event is counted when its transaction is committed, a try when it is settled under its lease, so that the numbers
are those of the database. No label is ever a subject or a person.

Imported only by processes that serve or deliver: prometheus_client looks at its environment when it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from blinker import Signal
from flask import Blueprint, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import Session

from bridge import signals
from bridge.clock import Clock
from bridge.errors import ConfigurationError
from bridge.events import COMMANDS, RecordedEvent
from bridge.outbox.ledger.settle import Settlement
from bridge.outbox.retry import State

#: Sources may send types that nobody has heard of; so many are told apart, the rest is `other`.
MOST_TYPES = 500
_OTHER = "other"
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that nobody asked for


class Metrics:
    """The counters and histograms of one process; connected until `close`. Safe for threads."""

    def __init__(self, folder: Path | None) -> None:
        """`folder`: where the processes of this machine count together; None: this process counts for itself.

        Raises ConfigurationError where the folder cannot be made.
        """
        self._folder = _made(folder)
        self._own = CollectorRegistry()
        self._types: set[str] = set()
        self._define()
        self._closers: list[Callable[[], None]] = []
        self._connect(signals.event_recorded, self._count_event)
        self._connect(signals.request_rejected, self._count_rejection)
        self._connect(signals.delivery_settled, self._count_try)
        sqlalchemy_event.listen(Session, "after_commit", self._count_committed)
        self._closers.append(partial(sqlalchemy_event.remove, Session, "after_commit", self._count_committed))

    def registry(self) -> CollectorRegistry:
        """A new registry that gives the numbers of every process that counts in the same folder."""
        if self._folder is None:
            return self._own
        together = CollectorRegistry()
        MultiProcessCollector(together, path=str(self._folder))  # type: ignore[no-untyped-call]
        return together

    def time_answers(self, blueprint: Blueprint, clock: Clock) -> None:
        """Time the requests of `blueprint` (webhooks) that are answered with success, and count the unreadable ones."""

        @blueprint.before_request
        def begin() -> None:
            g.bridge_began = clock.monotonic()

        @blueprint.after_request
        def end(response: Response) -> Response:
            if response.status_code < 300:
                self._ingest_seconds.observe(clock.monotonic() - g.bridge_began)
            elif response.status_code == 422 and request.view_args:  # kept as an event, so nobody calls it rejected
                self._rejections.labels(request.view_args["source"], "unreadable").inc()
            return response

    def observe_genesys(self, operation: str, status: int | None, seconds: float) -> None:
        """Count one request to Genesys; `status` None: there was no answer. An `Observer` of the client."""
        self._genesys_requests.labels(operation, str(status or "none")).inc()
        self._genesys_seconds.observe(seconds)

    def close(self) -> None:
        """Count no more."""
        for closer in self._closers:
            closer()
        self._closers.clear()

    def _define(self) -> None:
        counter, histogram = partial(Counter, registry=self._own), partial(Histogram, registry=self._own)
        by_operation = ("operation",)
        self._events = counter("bridge_events", "Events recorded.", ("source", "type"))
        self._rejections = counter("bridge_rejections", "Requests refused.", ("source", "cause"))
        self._deliveries = counter("bridge_deliveries", "Tries settled, by what they gave.", ("destination", "outcome"))
        self._conflicts = counter(
            "bridge_conflicts", "Version conflicts met by commands that have ended.", by_operation
        )
        self._commands = counter("bridge_commands", "Commands that have ended.", ("operation", "result"))
        self._retries = counter("bridge_retries", "Repeated calls and tries of commands that have ended.", by_operation)
        self._violations = counter("bridge_violations", "Rules that Genesys found commands to break.", by_operation)
        self._purged = counter("bridge_purged", "Interactions that Genesys says it has purged.")
        self._genesys_requests = counter("bridge_genesys_requests", "Requests to Genesys.", ("operation", "status"))
        self._ingest_seconds = histogram(
            "bridge_ingest_seconds", "From a request to its answer, where it was taken.", buckets=_FAST
        )
        self._delivery_seconds = histogram("bridge_delivery_seconds", "Length of a try.", buckets=_FAST)
        self._end_to_end_seconds = histogram(
            "bridge_end_to_end_seconds", "From being owed (recorded, or replayed) to delivered.", buckets=_SLOW
        )
        self._genesys_seconds = histogram("bridge_genesys_seconds", "Length of a request to Genesys.", buckets=_FAST)

    def _connect(self, signal: Signal, receiver: Callable[..., None]) -> None:
        signal.connect(receiver, weak=False)
        self._closers.append(partial(signal.disconnect, receiver))

    def _count_event(self, source: str, *, event: RecordedEvent, session: Session) -> None:
        """Only noted: the transaction may still fail, and then be tried again."""
        noted: dict[tuple[str, str], int] | None = session.info.get(self)
        if noted is None:
            noted = session.info[self] = {}
        kind = (source, event.type)
        noted[kind] = noted.get(kind, 0) + 1

    def _count_committed(self, session: Session) -> None:
        noted: dict[tuple[str, str], int] = session.info.pop(self, {})
        for (source, event_type), count in noted.items():
            self._events.labels(source, self._known(event_type)).inc(count)

    def _known(self, event_type: str) -> str:
        if event_type not in self._types:
            if len(self._types) >= MOST_TYPES:
                return _OTHER
            self._types.add(event_type)
        return event_type

    def _count_rejection(self, _sender: object, *, source: str, cause: str) -> None:
        self._rejections.labels(source, cause).inc()

    def _count_try(
        self, _sender: object, *, destination: str, outcome: str, seconds: float, settlement: Settlement
    ) -> None:
        self._deliveries.labels(destination, outcome).inc()
        self._delivery_seconds.observe(seconds)
        delivery, state = settlement.delivery, settlement.verdict.state
        if state is State.DELIVERED:
            waited = (settlement.started_at - delivery.created_at).total_seconds()
            self._end_to_end_seconds.observe(max(0.0, waited) + seconds)
        if delivery.event.type in COMMANDS and state is not State.PENDING:
            self._count_command(delivery.event.type, settlement)

    def _count_command(self, operation: str, settlement: Settlement) -> None:
        """A command has ended; what it met on its way was stored with its progress."""
        result = "succeeded" if settlement.verdict.state is State.DELIVERED else "failed"
        self._commands.labels(operation, result).inc()
        progress: Mapping[str, Any] = settlement.outcome.progress or settlement.delivery.progress or {}
        measures: Mapping[str, int] = progress.get("measures") or {}
        self._conflicts.labels(operation).inc(measures.get("conflicts", 0))
        self._violations.labels(operation).inc(measures.get("violations", 0))
        self._retries.labels(operation).inc(measures.get("retries", 0) + settlement.delivery.attempt - 1)
        metrics = (progress.get("result") or {}).get("metrics") or {}
        self._purged.inc(int(metrics.get("totalInteractionsPurged") or 0))


def _made(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failed:
        problem = f"PROMETHEUS_MULTIPROC_DIR: the folder cannot be made ({failed.strerror}); name one that can"
        raise ConfigurationError([problem]) from failed
    return folder
