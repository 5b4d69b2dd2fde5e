"""An attic to clear: events delivered long ago by the real outbox, and runs of retention in the test's own time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select, text

from bridge.audit.notes import AuditEntry
from bridge.audit.seal import SETTLES_WITHIN, seal
from bridge.audit.signing import AuditSigner
from bridge.chore_lease import ChoreLease, take
from bridge.clock import new_id
from bridge.database import Database
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED
from bridge.keeping.old_audit import OldAudit
from bridge.keeping.retention import CHORE, Retention
from bridge.outbox.contract import ClaimedDelivery, Delivered, Outcome, Rejected
from bridge.privacy.holds import LegalHolds
from bridge.settings.model import LegalHold, RetentionSettings
from bridge.tables import AuditEntryRow, DeliveryRow, EventRow, LaneRow, RejectionRow
from tests.fakes import VAULT, FakeClock
from tests.outbox.yard import NOTES, FakeDestination, count, dispatcher, owe

SIGNER = AuditSigner(b"a key for tests")
DAY = timedelta(days=1).total_seconds()
TABLES = ("event", "delivery", "attempt", "lane", "rejection")


def refuse(_: ClaimedDelivery) -> Outcome:
    return Rejected(reason="wrong", error_class="status")


@dataclass
class Attic:
    database: Database
    clock: FakeClock
    folder: Path
    settings: RetentionSettings = field(default_factory=RetentionSettings)
    holds: Sequence[LegalHold] = ()

    def retention(self) -> Retention:
        audit = OldAudit(database=self.database, clock=self.clock, notes=NOTES, signer=SIGNER, beside=self.folder)
        return Retention(
            database=self.database,
            clock=self.clock,
            notes=NOTES,
            vault=VAULT,
            settings=self.settings,
            holds=LegalHolds(self.holds, VAULT),
            audit=audit,
            rng=Random(1),
        )

    def lease(self) -> ChoreLease | None:
        with self.database.write() as session:
            return take(session, CHORE, now=self.clock.now())

    def run(self) -> None:
        """One whole run, as soon as it is due, in no time."""
        for _ in self.begin():
            pass

    def begin(self) -> Iterator[None]:
        """A run, a transaction a step."""
        self.make_due()
        lease = self.lease()
        assert lease is not None
        return self.retention().run(lease)

    def make_due(self) -> None:
        """Let the next run be taken now."""
        with self.database.write() as session:
            session.execute(text("UPDATE chore SET due_at = :now"), {"now": "2000-01-01 00:00:00"})

    def deliver(
        self, *subjects: str, to: Sequence[str] = ("erp",), failing: Sequence[str] = (), event_type: str | None = None
    ) -> list[str]:
        """An event for each subject, delivered now, or dead where `failing` names the destination; event ids."""
        kind = event_type or CONVERSATION_ATTRIBUTES_UPDATED
        for subject in subjects:
            owe(self.database, self.clock.now(), subject=subject, destinations=to, event_type=kind)
        self.deliver_due(*to, failing=failing)
        with self.database.read() as session:
            newest = session.scalars(select(EventRow.id).order_by(EventRow.id.desc()).limit(len(subjects)))
            return list(newest)[::-1]

    def deliver_due(self, *to: str, failing: Sequence[str] = ()) -> None:
        answers = {name: refuse if name in failing else lambda _: Delivered() for name in to}
        destinations = [FakeDestination(name=name, answer=answers[name]) for name in to]
        dispatcher(self.database, self.clock, *destinations).deliver_due()

    def record(self, subject: str = "conversation:c1", **columns: object) -> str:
        """An event that nobody is owed; its id."""
        event_id = new_id()
        row: dict[str, Any] = {
            "id": event_id,
            "source": "genesys",
            "type": CONVERSATION_ATTRIBUTES_UPDATED,
            "subject": subject,
            "received_at": self.clock.now(),
            "payload": {},
            "body": b"{}",
            "duplicates": 0,
            **columns,
        }
        with self.database.write() as session:
            session.add(EventRow(**row))
        return event_id

    def reject(self, number: int = 1) -> None:
        with self.database.write() as session:
            session.add_all(
                RejectionRow(
                    id=new_id(), at=self.clock.now(), source="genesys", cause="not-json", status=400,
                    address="127.0.0.1", size=3, body=b"{,}",
                )
                for _ in range(number)
            )  # fmt: skip

    def note_and_seal(self, number: int) -> None:
        """So many audit entries, sealed as one batch in the same moment."""
        entry = AuditEntry("cli:eva", "replay.ordered", "replay:r1", plain=True)
        with self.database.write() as session:
            NOTES.write(session, [entry] * number, self.clock.now() - 2 * SETTLES_WITHIN)
        with self.database.write() as session:
            assert seal(session, SIGNER, now=self.clock.now()) is not None

    def counts(self) -> tuple[int, ...]:
        """Rows of TABLES."""
        return tuple(count(self.database, table) for table in TABLES)

    def events(self) -> list[str]:
        with self.database.read() as session:
            return list(session.scalars(select(EventRow.id).order_by(EventRow.id)))

    def states(self) -> list[str]:
        with self.database.read() as session:
            return sorted(session.scalars(select(DeliveryRow.state)))

    def lanes(self) -> list[str]:
        with self.database.read() as session:
            return sorted(session.scalars(select(LaneRow.subject)))

    def noted(self, action: str = "retention.run") -> list[dict[str, Any]]:
        """The details of the audit entries of an action, the oldest first."""
        with self.database.read() as session:
            query = select(AuditEntryRow.details).where(AuditEntryRow.action == action).order_by(AuditEntryRow.id)
            return list(session.scalars(query))

    def progress(self) -> dict[str, Any]:
        with self.database.read() as session:
            return dict(json.loads(session.execute(text("SELECT progress FROM chore")).scalar_one()))
