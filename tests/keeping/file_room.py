"""A room of files to erase people from: events that were really recorded, sealed, owed and delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import orjson
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from bridge import signals
from bridge.database import Database
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, Event, Owed, RecordedEvent
from bridge.intake.recorder import Arrival, Receipt, record
from bridge.keeping.erasure import PAGE, ErasureReport, Erasures
from bridge.keeping.erasure_search import ErasureOrder
from bridge.outbox.ledger.append import append_owed
from bridge.privacy.holds import LegalHolds
from bridge.privacy.masking import Masking
from bridge.privacy.vault import Vault
from bridge.settings.model import LegalHold
from bridge.tables import AuditEntryRow, EventRow
from tests.fakes import VAULT, FakeClock
from tests.outbox.yard import NOTES, FakeDestination, dispatcher
from tests.outbox.yard import delivery as delivery_of

MASKING = Masking([], b"a key for tests")
TABLES = ("event", "rejection", "delivery", "attempt", "audit_entry", "customer_subject", "data_key")
EVA = "conversation:eva"
#: What no file of a database may hold in plain text.
MARKER = "Ruritania-5117"


@contextmanager
def owing(*destinations: str) -> Iterator[None]:
    """Every event that is recorded inside the block is owed to each of them."""

    def want(name: str) -> Any:
        def answer(_sender: object, *, event: RecordedEvent, session: Session) -> Owed | None:
            return Owed(destination=name, subject=event.subject)

        return answer

    answers = [want(name) for name in destinations]
    for answer in answers:
        signals.event_recorded.connect(answer)
    signals.deliveries_owed.connect(append_owed)
    try:
        yield
    finally:
        for answer in answers:
            signals.event_recorded.disconnect(answer)
        signals.deliveries_owed.disconnect(append_owed)


@dataclass
class FileRoom:
    database: Database
    clock: FakeClock
    holds: list[LegalHold] = field(default_factory=list)
    made: int = 0
    vault: Vault = VAULT

    def erasures(self, *, page: int = PAGE) -> Erasures:
        return Erasures(
            database=self.database,
            clock=self.clock,
            notes=NOTES,
            vault=self.vault,
            masking=MASKING,
            holds=LegalHolds(self.holds, self.vault),
            page=page,
        )

    def erase(self, subject: str | None = EVA, *, customer: str | None = None) -> ErasureReport:
        order = ErasureOrder(
            subject=None if customer else subject, customer=customer, reason="she asked for it", actor="cli:root"
        )
        return self.erasures().erase(order)

    def record(
        self,
        subject: str = EVA,
        *,
        payload: dict[str, object] | None = None,
        to: Sequence[str] = ("crm",),
        session: Session | None = None,
        event_type: str = CONVERSATION_ATTRIBUTES_UPDATED,
        delivery_key: bytes | None = None,
        content_key: bytes | None = None,
        content_is_unique: bool = True,
        version: str | None = None,
        body: bytes | None = None,
        state: Literal["recorded", "unreadable"] = "recorded",
    ) -> Receipt:
        """One event, committed unless a session is given."""
        if session is None:
            with self.database.write() as own:
                return self.record(
                    subject,
                    payload=payload,
                    to=to,
                    session=own,
                    event_type=event_type,
                    delivery_key=delivery_key,
                    content_key=content_key,
                    content_is_unique=content_is_unique,
                    version=version,
                    body=body,
                    state=state,
                )
        self.made += 1
        told = {"note": MARKER, "number": self.made} if payload is None else payload
        content_key = content_key or f"{subject} {self.made:08}".encode()
        event = Event(
            type=event_type,
            subject=subject,
            payload=told,
            version=version,
            delivery_key=delivery_key,
            content_key=content_key,
            content_is_unique=content_is_unique,
        )
        arrival = Arrival(
            event=event, source="genesys", body=body or orjson.dumps(told), received_at=self.clock.now(), state=state
        )
        with owing(*to):
            (receipt,) = record(
                session,
                [arrival],
                notes=NOTES,
                vault=self.vault,
                now=self.clock.now(),
                dedupe_window=timedelta(minutes=10),
            )
        return receipt

    def deliver_due(self, *destinations: FakeDestination) -> None:
        dispatcher(self.database, self.clock, *(destinations or (FakeDestination(name="crm"),))).deliver_due()

    def states(self) -> list[tuple[str, str | None]]:
        """State and error of every delivery, the oldest first."""
        with self.database.read() as session:
            rows = session.execute(text("SELECT state, last_error FROM delivery ORDER BY id"))
            return [(row.state, row.last_error) for row in rows]

    def audited(self, beginning: str) -> list[AuditEntryRow]:
        with self.database.read() as session:
            found = select(AuditEntryRow).where(AuditEntryRow.action.startswith(beginning)).order_by(AuditEntryRow.id)
            return list(session.scalars(found))

    def dump(self) -> str:
        """Everything that is in the tables that bodies go through."""
        with self.database.read() as session:
            return "\n".join(
                repr([_plain(value) for value in row])
                for table in TABLES
                for row in session.execute(text(f"SELECT * FROM {table}"))
            )

    def events(self) -> list[EventRow]:
        with self.database.read() as session:
            return list(session.scalars(select(EventRow).order_by(EventRow.id)))

    def delivery_state(self, delivery_id: str) -> str:
        return delivery_of(self.database, delivery_id).state


def _plain(value: object) -> object:
    """Bytes as they would be read by somebody who looks for text in them."""
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else value
