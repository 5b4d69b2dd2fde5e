"""Which of the pairs that a replay selects somebody else was owed again. Reads only.

What it says is sure only while the caller holds the pairs' lanes (`ledger.append.hold_lanes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from bridge.database import UtcDateTime
from bridge.outbox.selecting import Selected
from bridge.tables import DeliveryRow, core

_DELIVERY = core(DeliveryRow)

#: Whose the row is that an order for one delivery has taken.
SINGLE = "single"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A selected pair that was owed again by somebody else."""

    #: Id of the replay, or SINGLE.
    by: str
    #: True: before the order was given, so that its counts know of it.
    before: bool
    #: True: that delivery was cancelled, and the pair is free again.
    cancelled: bool


def taken_among(session: Session, pairs: Sequence[Selected], as_of: datetime) -> dict[str, Taken]:
    """Those of `pairs` that were owed again by somebody else, as things stand; by their places."""
    by_pair = {(one.event_id, one.destination): one for one in pairs}
    taken: dict[str, Taken] = {}
    rows = session.execute(_OWED_AGAIN, {"events": [one.event_id for one in pairs], "as_of": as_of}) if pairs else ()
    for row in rows:
        pair = by_pair.get((row.event_id, row.destination))
        if pair is None or (pair.delivery_id is not None and row.id <= pair.delivery_id):
            continue
        cancelled = row.state == "cancelled"
        if cancelled and pair.place in taken:
            continue  # one that was or will be sent says more
        taken[pair.place] = Taken(by=row.replay_id or SINGLE, before=row.created_at < as_of, cancelled=cancelled)
    return taken


_as_of = bindparam("as_of", type_=UtcDateTime())
_OWED_AGAIN = (
    select(
        _DELIVERY.c.event_id,
        _DELIVERY.c.destination,
        _DELIVERY.c.id,
        _DELIVERY.c.replay_id,
        _DELIVERY.c.created_at,
        _DELIVERY.c.state,
    )
    .where(_DELIVERY.c.event_id.in_(bindparam("events", expanding=True)))
    .where(or_(_DELIVERY.c.finished_at.is_(None), _DELIVERY.c.finished_at > _as_of))
    .order_by(_DELIVERY.c.id)
)
