"""Cancels what is owed of events that were erased, being sent or not. It may not decide what is erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from bridge.clock import new_id
from bridge.tables import DeliveryRow, LaneRow, core

_LANE = core(LaneRow)
_DELIVERY = core(DeliveryRow)

#: What `last_error` says of a delivery whose event was erased while it was owed.
ERASED: Final = "erased"
ERASED_IN_FLIGHT: Final = "erased while it was being sent: it may have been delivered"


def cancel_unreadable(session: Session, lane_id: int, seq: int, *, now: datetime) -> None:
    """Make the head of a lane that the caller has leased cancelled, because its event was erased."""
    session.execute(_CANCEL_ERASED, [{"lane": lane_id, "at": seq, "now": now, "why": ERASED}])


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """A delivery that an erasure took out of its lane."""

    id: str
    event_id: str
    destination: str
    #: True: it was being sent, and may arrive.
    in_flight: bool


def cancel_erased(session: Session, event_ids: Sequence[str], *, now: datetime) -> list[Cancelled]:
    """Cancel everything that is still owed of events that were erased.

    What is being sent right now is cancelled too, and its lane taken from whoever sends it, so that nothing of the
    answer is written; the lane goes on when that lease ends, because until then the try may arrive.
    """
    cancelled, changes = [], []
    fenced, woken = [], []
    for row in session.execute(_LOCK_OWED, {"events": list(event_ids)}).all():
        is_head = row.seq == row.head_seq
        in_flight = is_head and row.lease_token is not None and row.due_at > now
        why = ERASED_IN_FLIGHT if in_flight else ERASED
        changes.append({"lane": row.lane_id, "at": row.seq, "now": now, "why": why})
        if in_flight:
            fenced.append({"lane": row.lane_id, "fence": new_id()})
        elif is_head and row.blocked_at is None:
            woken.append({"lane": row.lane_id, "now": now})
        cancelled.append(Cancelled(id=row.id, event_id=row.event_id, destination=row.destination, in_flight=in_flight))
    for statement, rows in ((_CANCEL_ERASED, changes), (_FENCE_LANE, fenced), (_WAKE_LANE, woken)):
        if rows:
            session.execute(statement, rows)
    return cancelled


_LOCK_OWED = (
    select(
        *(_LANE.c[name] for name in ("lane_id", "head_seq", "lease_token", "due_at", "blocked_at")),
        *(_DELIVERY.c[name] for name in ("id", "seq", "event_id", "destination")),
    )
    .join(_DELIVERY, _DELIVERY.c.lane_id == _LANE.c.lane_id)
    .where(_DELIVERY.c.event_id.in_(bindparam("events", expanding=True)), _DELIVERY.c.state == "pending")
    .order_by(_LANE.c.destination, _LANE.c.subject, _DELIVERY.c.seq)  # as `append` locks lanes
    .with_for_update()
)
_CANCEL_ERASED = (
    update(_DELIVERY)
    .where(_DELIVERY.c.lane_id == bindparam("lane"), _DELIVERY.c.seq == bindparam("at"))
    .where(_DELIVERY.c.state == "pending")
    .values(state="cancelled", finished_at=bindparam("now"), last_error=bindparam("why"), progress=None)
)
_FENCE_LANE = update(_LANE).where(_LANE.c.lane_id == bindparam("lane")).values(lease_token=bindparam("fence"))
_WAKE_LANE = (
    update(_LANE)
    .where(_LANE.c.lane_id == bindparam("lane"))
    .values(due_at=bindparam("now"), lease_token=None, attempt=0)
)
