"""Plants what is wrong into a database, as it would be found. It may not look for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text, update

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.audit.seal import seal
from bridge.audit.signing import AuditSigner
from bridge.clock import SystemClock, new_id
from bridge.database import Database
from bridge.privacy.masking import Masking
from bridge.tables import AuditEntryRow, DeliveryRow, DestinationStateRow, EventRow, LaneRow, core

KEY = "a bridge secret key for tests, long enough to be one"


def now() -> datetime:
    """Asked anew by every test: a long run comes to the last one minutes after the first."""
    return SystemClock().now()


def event(database: Database, *, received_at: datetime | None = None) -> str:
    event_id = new_id()
    row = {"id": event_id, "source": "genesys", "type": "a.b", "subject": "record:x/1"}
    with database.write() as session:
        session.execute(
            insert(core(EventRow)), {**row, "received_at": received_at or now(), "payload": {}, "body": b""}
        )
    return event_id


def owe(database: Database, *, count: int = 1, due_minutes_ago: int = 0, dead_head: bool = False) -> None:
    """One lane to `erp` with so many deliveries."""
    moment = {"blocked_at": now()} if dead_head else {"due_at": now() - timedelta(minutes=due_minutes_ago)}
    lane = {"lane_id": 1, "destination": "erp", "subject": "record:x/1", "last_seq": count, "head_seq": 1, **moment}
    common = {"event_id": event(database), "destination": "erp", "webhook_id": "w", "carries": "change"}
    with database.write() as session:
        session.execute(insert(core(LaneRow)), lane)
        for seq in range(1, count + 1):
            ended = {"state": "dead", "finished_at": now()} if dead_head and seq == 1 else {"state": "pending"}
            row = {"lane_id": 1, "seq": seq, "id": new_id(), "created_at": now(), **common, **ended}
            session.execute(insert(core(DeliveryRow)), row)


def state(database: Database, **fields: Any) -> None:
    with database.write() as session:
        session.execute(insert(core(DestinationStateRow)), {"name": "erp", **fields})


def seal_three(database: Database) -> None:
    entries = [AuditEntry(actor="cli:test", action="a.b", subject=f"record:x/{number}", details={}) for number in "123"]
    with database.write() as session:
        AuditNotes(Masking((), b"k")).write(session, entries, now() - timedelta(minutes=5))
        assert seal(session, AuditSigner(KEY.encode()), now=now()) is not None


def edit_an_entry(database: Database) -> None:
    """As somebody with the database's password can."""
    with database.write() as session:
        if database.is_sqlite:
            for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                session.execute(text(f"DROP TRIGGER {name}"))
        else:
            session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER USER"))
        session.execute(update(core(AuditEntryRow)).values(actor="cli:somebody-else"))
