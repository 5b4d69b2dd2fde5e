"""What the database says after (and during) a storm, read over a connection of the storm's own. It may not write."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from bridge.database import Database
from bridge.tables import DeliveryRow, EventRow
from tests.storms.account import Books, Entry
from tests.storms.listeners import Key

_EVENTS = select(EventRow.subject, EventRow.version)
_DELIVERIES = select(
    EventRow.subject,
    EventRow.version,
    DeliveryRow.destination,
    DeliveryRow.webhook_id,
    DeliveryRow.state,
    DeliveryRow.replay_of,
).join(EventRow, EventRow.id == DeliveryRow.event_id)
_OPEN = select(func.count()).where(DeliveryRow.state == "pending")


def read_books(database: Database) -> Books:
    with database.read() as session:
        return Books(
            recorded=Counter(_key(row) for row in session.execute(_EVENTS)),
            entries=[
                Entry(
                    key=_key(row),
                    destination=row.destination,
                    webhook_id=row.webhook_id,
                    state=row.state,
                    is_replay=row.replay_of is not None,
                )
                for row in session.execute(_DELIVERIES)
            ],
        )


def open_deliveries(database: Database) -> int | None:
    """How many are still owed; None while the database does not say."""
    try:
        with database.read() as session:
            return session.scalar(_OPEN)
    except SQLAlchemyError:
        return None


def _key(row: Any) -> Key:
    """`conversation:c-1` in version 7 and `record:InventoryItem/r-1` in version 7 are ("c-1", 7) and ("r-1", 7)."""
    return row.subject.rpartition(":")[2].rpartition("/")[2], int(row.version)
