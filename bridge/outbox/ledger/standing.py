"""How much a destination is owed, and since when. Reads only.

The statement asks for a row beyond a place in an index (`(destination, state, id) > …`), not for the rows of one
destination in order: for that PostgreSQL may choose to walk all deliveries by id, and meet what it looks for last.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, literal, select, tuple_
from sqlalchemy.orm import Session

from bridge.tables import DeliveryRow, core

_DELIVERY = core(DeliveryRow)


def pending_count(session: Session, destination: str) -> int:
    """Deliveries that are owed and not final."""
    return int(session.execute(_PENDING, {"to": destination}).scalar_one())


def dead_count(session: Session, destination: str) -> int:
    """Deliveries that died and are still kept."""
    return int(session.execute(_DEAD, {"to": destination}).scalar_one())


def oldest_owed(session: Session, destination: str) -> datetime | None:
    """When the oldest delivery that is not final was owed, aware; None: there is none."""
    at: datetime | None = session.scalar(_OLDEST, {"to": destination})
    return at


def _in_state(state: str) -> Select[Any]:
    return (
        select(func.count())
        .select_from(_DELIVERY)
        .where(_DELIVERY.c.destination == bindparam("to"), _DELIVERY.c.state == state)
    )


def _oldest_of_state(state: str) -> Select[Any]:
    d = _DELIVERY.c
    oldest = (
        select(d.destination, d.state, d.created_at)
        .where(tuple_(d.destination, d.state, d.id) > tuple_(bindparam("to"), literal(state), literal("")))
        .order_by(d.destination, d.state, d.id)
        .limit(1)
        .subquery()
    )
    return select(oldest.c.created_at).where(oldest.c.destination == bindparam("to"), oldest.c.state == state)


_PENDING, _DEAD = _in_state("pending"), _in_state("dead")
_OLDEST = _oldest_of_state("pending")
