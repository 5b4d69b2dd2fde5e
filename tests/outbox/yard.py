"""A yard to try the outbox in: events with no intake before them, destinations with no network behind them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from sqlalchemy import insert, select, text

from bridge.audit.notes import AuditNotes
from bridge.clock import Clock, new_id
from bridge.database import Database
from bridge.events import RECORD_UPDATED
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome
from bridge.outbox.dispatcher import Dispatcher
from bridge.outbox.ledger.append import NewDelivery, append
from bridge.privacy.masking import Masking
from bridge.tables import AttemptRow, AuditEntryRow, DeliveryRow, EventRow, LaneRow, core
from tests.fakes import VAULT

NOTES = AuditNotes(Masking([], b"a key for tests"))


@dataclass
class FakeDestination:
    """Answers each try by `answer`, and remembers what it was sent, in the order it was sent."""

    name: str = "erp"
    policy: DeliveryPolicy = field(default_factory=DeliveryPolicy)
    answer: Callable[[ClaimedDelivery], Outcome] = lambda _: Delivered()
    sent: list[ClaimedDelivery] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, delivery: ClaimedDelivery) -> Outcome:
        with self._lock:
            self.sent.append(delivery)
        return self.answer(delivery)

    def versions(self, subject: str) -> list[str | None]:
        """Versions sent about `subject`, in order."""
        return [one.event.version for one in self.sent if one.event.subject == subject]


def owe(
    database: Database,
    now: datetime,
    *,
    subject: str = "record:InventoryItem/r-1",
    version: str | None = None,
    occurred_at: datetime | None = None,
    event_type: str = RECORD_UPDATED,
    destinations: Sequence[str] = ("erp",),
) -> list[str]:
    """Record one event and owe it to `destinations`; returns the ids of the deliveries."""
    event_id = new_id()
    new = [
        NewDelivery(id=new_id(), event_id=event_id, event_type=event_type, destination=name, subject=subject)
        for name in destinations
    ]
    with database.write() as session:
        # Only the columns that there always were: a row as an older version has left it.
        session.execute(
            insert(core(EventRow)),
            {
                "id": event_id,
                "source": "genesys",
                "type": event_type,
                "subject": subject,
                "version": version,
                "occurred_at": occurred_at,
                "received_at": now,
                "payload": {"version": version},
                "body": b"{}",
                "duplicates": 0,
            },
        )
        append(session, new, now=now)
    return [one.id for one in new]


def dispatcher(database: Database, clock: Clock, *destinations: FakeDestination, seed: int = 1) -> Dispatcher:
    return Dispatcher(
        database,
        {one.name: one for one in destinations},
        clock=clock,
        rng=Random(seed),
        notes=NOTES,
        vault=VAULT,
        max_threads=4,
    )


def delivery(database: Database, delivery_id: str) -> DeliveryRow:
    with database.read() as session:
        return session.scalars(select(DeliveryRow).where(DeliveryRow.id == delivery_id)).one()


def states(database: Database) -> list[str]:
    """The state of every delivery, in the order of recording."""
    with database.read() as session:
        return list(session.scalars(select(DeliveryRow.state).order_by(DeliveryRow.id)))


def lane(database: Database, subject: str = "record:InventoryItem/r-1", destination: str = "erp") -> LaneRow:
    with database.read() as session:
        query = select(LaneRow).where(LaneRow.subject == subject, LaneRow.destination == destination)
        return session.scalars(query).one()


def attempts(database: Database, delivery_id: str) -> list[AttemptRow]:
    with database.read() as session:
        query = select(AttemptRow).where(AttemptRow.delivery_id == delivery_id).order_by(AttemptRow.number)
        return list(session.scalars(query))


def actions(database: Database) -> list[str]:
    """The actions of the audit, in the order they were noted."""
    with database.read() as session:
        return list(session.scalars(select(AuditEntryRow.action).order_by(AuditEntryRow.id)))


def count(database: Database, table: str) -> int:
    with database.read() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
