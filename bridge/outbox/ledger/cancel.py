"""Cancel a delivery that is still owed: the only statement that takes one out of its lane unsent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from bridge.errors import Conflict, NotFound
from bridge.tables import DeliveryRow, LaneRow, core

_LANE = core(LaneRow)
_DELIVERY = core(DeliveryRow)


def cancel(session: Session, delivery_id: str, *, now: datetime) -> None:
    """Make a pending delivery cancelled; the next in its lane goes on at once.

    Raises NotFound, or Conflict where it is final already or being sent right now.
    """
    place = session.execute(_LOCK_LANE, {"delivery": delivery_id}).one_or_none()
    if place is None:
        raise NotFound("no delivery has this id; see GET /api/v1/deliveries")
    if place.state != "pending":
        raise Conflict(f"the delivery is {place.state} already; only a pending one can be cancelled")
    is_head = place.seq == place.head_seq
    if is_head and place.lease_token is not None and place.due_at > now:
        raise Conflict("the delivery is being sent right now; try again when this try has ended")
    session.execute(_CANCEL, {"lane": place.lane_id, "at": place.seq, "now": now})
    if is_head and place.blocked_at is None:
        session.execute(_WAKE_LANE, {"lane": place.lane_id, "now": now})


_LOCK_LANE = (
    select(
        _LANE.c.lane_id,
        _LANE.c.head_seq,
        _LANE.c.lease_token,
        _LANE.c.due_at,
        _LANE.c.blocked_at,
        _DELIVERY.c.seq,
        _DELIVERY.c.state,
    )
    .join(_DELIVERY, _DELIVERY.c.lane_id == _LANE.c.lane_id)
    .where(_DELIVERY.c.id == bindparam("delivery"))
    .with_for_update()
)
_CANCEL = (
    update(_DELIVERY)
    .where(_DELIVERY.c.lane_id == bindparam("lane"), _DELIVERY.c.seq == bindparam("at"))
    .where(_DELIVERY.c.state == "pending")
    .values(state="cancelled", finished_at=bindparam("now"))
)
_WAKE_LANE = (
    update(_LANE)
    .where(_LANE.c.lane_id == bindparam("lane"))
    .values(due_at=bindparam("now"), lease_token=None, attempt=0)
)
