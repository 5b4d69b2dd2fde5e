"""Alerts as events of our own, owed to one destination: kept, retried and audited like all that is delivered.

An alert about the alerts' own destination is a log line only. It may not send anything.

What is grouped is grouped twice: a process lets a kind through once in `LOCAL_PERIOD`; the database, which all
processes and machines share, takes one of a kind in `every`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bridge import signals
from bridge.audit.notes import AuditNotes
from bridge.clock import Clock, rfc3339
from bridge.database import Database
from bridge.errors import TemporarilyUnavailable
from bridge.events import NEEDS_ATTENTION, Event, Owed, RecordedEvent
from bridge.intake.canonical import canonical_json, delivery_key
from bridge.intake.ledger import BRIDGE
from bridge.intake.recorder import Arrival, record
from bridge.privacy.masking import Masking
from bridge.privacy.vault import Vault
from bridge.tables import EventRow, core
from bridge.telemetry.attention import Grouping, Kind, kind_of
from bridge.telemetry.remedies import remedy_for

LOCAL_PERIOD: Final = timedelta(seconds=60)
#: Beyond that, while the database is away, alerts are log lines only.
MOST_WAITING: Final = 200
_RETRY_SECONDS: Final = 5.0
_MOST_TRIES: Final = 60
_CLOSE_SECONDS: Final = 12.0  # longer than the database makes anybody wait for a lock
_SOURCE: Final = "source:"
_LONGEST_SUBJECT: Final = 600

log = structlog.get_logger()
_EVENT = core(EventRow)


@dataclass(frozen=True, kw_only=True)
class _Alert:
    kind: Kind
    event: Event
    #: How many of its kind were held back before it.
    since_last: int


class Alerts:
    """Records alerts on a thread of its own, which starts with the first: who notices something is not kept waiting."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        notes: AuditNotes,
        vault: Vault,
        masking: Masking,
        destination: str,
        every: timedelta,
    ) -> None:
        self._database, self._clock, self._notes, self._masking = database, clock, notes, masking
        self._vault = vault
        self._destination, self._every = destination, every
        self._grouping = Grouping(clock, min(every, LOCAL_PERIOD))
        self._waiting: queue.Queue[_Alert | None] = queue.Queue(MOST_WAITING + 1)
        self._recording = threading.Lock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def receive(
        self,
        _sender: object,
        *,
        cause: str,
        destination: str | None = None,
        subject: str | None = None,
        message: str = "",
        event_type: str | None = None,
        delivery: str | None = None,
    ) -> None:
        """Receiver of `needs_attention`."""
        kind = kind_of(cause, destination, subject)
        if destination == self._destination or (more := self._grouping.admitted(kind)) is None:
            return
        source = subject.removeprefix(_SOURCE) if subject and subject.startswith(_SOURCE) else None
        remedy = remedy_for(cause, delivery=delivery, destination=destination, source=source)
        payload: dict[str, object] = {
            "cause": cause,
            "type": event_type,
            "subject": None if subject is None else self._masking.text(subject),
            "destination": destination,
            "error": self._masking.text(message),
            "delivery": delivery,
            "sinceLast": more,
            "command": remedy.command,
            "link": remedy.link,
            "noticedAt": rfc3339(self._clock.now()),
        }
        self._submit(_Alert(kind=kind, event=_event(kind, payload, self._masking), since_last=more))

    def owe(self, _sender: object, *, event: RecordedEvent, session: Session) -> Owed | None:
        """Receiver of `event_recorded`: alerts go where the configuration says, whatever anybody subscribes to."""
        if event.type != NEEDS_ATTENTION or event.source != BRIDGE:
            return None
        return Owed(destination=self._destination, subject=event.subject)

    def flush(self) -> None:
        """Record what waits, in the caller's thread; what cannot be recorded now keeps waiting."""
        while (alert := self._next(block=False)) is not None:
            if not self._record(alert):
                self._submit(alert)
                return

    def close(self) -> None:
        """End the thread, and record what waits if that is possible now."""
        self._closing.set()
        with self._starting:
            thread = self._thread
        if thread is not None:
            self._waiting.put(None)
            thread.join(_CLOSE_SECONDS)
        self.flush()

    def _submit(self, alert: _Alert) -> None:
        if self._waiting.qsize() >= MOST_WAITING:
            log.warning("alert.dropped", cause=alert.kind[0])
            return
        self._waiting.put(alert)
        with self._starting:
            if not self._closing.is_set() and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while (alert := self._next(block=True)) is not None:
            self._keep_trying(alert)

    def _keep_trying(self, alert: _Alert) -> None:
        """For minutes: what cannot be recorded by then must not hold up the others. Once more when closing."""
        for _ in range(_MOST_TRIES):
            if self._record(alert):
                return
            if self._closing.is_set():
                break
            self._closing.wait(_RETRY_SECONDS)
        log.warning("alert.dropped", cause=alert.kind[0])

    def _next(self, *, block: bool) -> _Alert | None:
        try:
            return self._waiting.get(block=block)
        except queue.Empty:
            return None

    def _unique(self, event: Event, now: datetime) -> Event:
        """With a key that bars another process from recording the same at the same time."""
        period = int(now.timestamp() / max(1.0, self._every.total_seconds()))
        return replace(event, delivery_key=delivery_key(BRIDGE, f"{event.subject}\n{period}"))

    def _record(self, alert: _Alert) -> bool:
        """False where the database cannot take it now."""
        try:
            with self._recording, self._database.write() as session:
                now = self._clock.now()
                newest = session.scalar(_NEWEST, {"about": alert.event.subject})
                if newest is not None and now - newest < self._every:
                    self._grouping.give_back(alert.kind, alert.since_last + 1)
                    return True
                arrival = Arrival(
                    event=self._unique(alert.event, now),
                    source=BRIDGE,
                    body=canonical_json(alert.event.payload),
                    received_at=now,
                    actor="worker",
                )
                [receipt] = record(
                    session, [arrival], notes=self._notes, vault=self._vault, now=now, dedupe_window=self._every
                )
        except (SQLAlchemyError, TemporarilyUnavailable) as error:
            log.warning("alert.waits", cause=alert.kind[0], error=type(error).__name__)
            return False
        if receipt.duplicate:
            self._grouping.give_back(alert.kind, alert.since_last + 1)
        else:
            signals.work_recorded.send(Alerts)
        return True


# One look at the end of the index `event_by_subject`.
_NEWEST = (
    select(_EVENT.c.received_at)
    .where(_EVENT.c.subject == bindparam("about"), _EVENT.c.type == NEEDS_ATTENTION, _EVENT.c.source == BRIDGE)
    .order_by(_EVENT.c.id.desc())
    .limit(1)
)


def _event(kind: Kind, payload: Mapping[str, object], masking: Masking) -> Event:
    """Its lane is its kind's, so that no alert waits behind another."""
    cause, about = kind
    subject = f"alert:{cause}" + (f"/{masking.text(about)}" if about else "")
    return Event(
        type=NEEDS_ATTENTION,
        subject=subject[:_LONGEST_SUBJECT],
        payload=payload,
    )
