"""What intake's tests share: an audit that writes, forwarders that are told what to want, events to record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import signals
from bridge.audit.notes import AuditNotes
from bridge.database import Database
from bridge.events import Event, Owed, RecordedEvent
from bridge.intake.recorder import Arrival, Receipt, record
from bridge.outbox.ledger.append import append_owed
from bridge.privacy.masking import Masking
from bridge.tables import EventRow
from tests.fakes import VAULT, FakeClock
from tests.opened import opened_events

WINDOW = timedelta(minutes=10)


@pytest.fixture
def notes() -> AuditNotes:
    return AuditNotes(Masking((), b"k" * 32))


@pytest.fixture
def destinations() -> Iterator[list[str]]:
    """Who wants every event: names put into this list; the real outbox appends what is owed."""
    wanting: list[str] = []

    def forwarder_for(place: int) -> Any:
        def want(_sender: object, *, event: RecordedEvent, session: Session) -> Owed | None:
            return Owed(destination=wanting[place], subject=event.subject) if place < len(wanting) else None

        return want

    forwarders = [forwarder_for(place) for place in range(3)]
    for forwarder in forwarders:
        signals.event_recorded.connect(forwarder)
    signals.deliveries_owed.connect(append_owed)
    yield wanting
    for forwarder in forwarders:
        signals.event_recorded.disconnect(forwarder)
    signals.deliveries_owed.disconnect(append_owed)


class Desk:
    """Records arrivals in a transaction of their own, and reads back what is there."""

    def __init__(self, database: Database, notes: AuditNotes, clock: FakeClock) -> None:
        self.database, self.notes, self.clock = database, notes, clock

    def arrival(self, event: Event, *, source: str = "genesys", **rest: Any) -> Arrival:
        return Arrival(event=event, source=source, body=b"{}", received_at=self.clock.now(), **rest)

    def record(self, *events: Event, source: str = "genesys", **rest: Any) -> list[Receipt]:
        return self.record_all([self.arrival(event, source=source, **rest) for event in events])

    def record_all(self, arrivals: Sequence[Arrival]) -> list[Receipt]:
        with self.database.write() as session:
            return record(session, arrivals, notes=self.notes, vault=VAULT, now=self.clock.now(), dedupe_window=WINDOW)

    def rows(self) -> list[EventRow]:
        with self.database.read() as session:
            return opened_events(session, session.scalars(select(EventRow).order_by(EventRow.id)))


@pytest.fixture
def desk(database: Database, notes: AuditNotes, clock: FakeClock) -> Desk:
    return Desk(database, notes, clock)
