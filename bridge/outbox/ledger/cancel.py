"""Cancel deliveries that are still owed: the only statements that take one out of its lane unsent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, case, func, select, tuple_, update
from sqlalchemy.orm import Session

from bridge.database import UtcDateTime
from bridge.errors import Conflict, NotFound
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

_LANE = core(LaneRow)
_DELIVERY = core(DeliveryRow)
_EVENT = core(EventRow)


@dataclass(frozen=True, kw_only=True)
class CancelledDelivery:
    id: str
    destination: str
    #: Its event's.
    subject: str


def cancel(session: Session, delivery_id: str, *, now: datetime) -> None:
    """Make a pending delivery cancelled; the next in its lane goes on at once.

    Raises NotFound, or Conflict where it is final already or being sent right now.
    """
    place = session.execute(_LOCK_LANE, {"delivery": delivery_id}).one_or_none()
    if place is None:
        raise NotFound("no delivery has this id; see GET /api/v1/deliveries")
    if place.state != "pending":
        raise Conflict(f"the delivery is {place.state} already; only a pending one can be cancelled")
    if place.seq == place.head_seq and place.lease_token is not None and place.due_at > now:
        raise Conflict("the delivery is being sent right now; try again when this try has ended")
    _cancel(session, [place], now)


def cancel_several(session: Session, delivery_ids: Sequence[str], *, now: datetime) -> list[CancelledDelivery]:
    """Cancel those of them that are pending and not being sent right now; returns what was cancelled.

    What somebody else works on at this moment is left out, not waited for.
    """
    wanted = {"deliveries": delivery_ids, "now": now}
    return _cancel(session, session.execute(_LOCK_SEVERAL, wanted).all(), now)


def cancel_of_replay(session: Session, replay_id: str, *, most: int, now: datetime) -> list[CancelledDelivery]:
    """As `cancel_several`, up to `most` of the deliveries that a replay has made."""
    return _cancel(
        session, session.execute(_LOCK_OF_REPLAY, {"replay": replay_id, "most": most, "now": now}).all(), now
    )


def _cancel(session: Session, places: Sequence[Row[*tuple[Any, ...]]], now: datetime) -> list[CancelledDelivery]:
    """Their lanes are locked."""
    if not places:
        return []
    keys = [(place.lane_id, place.seq) for place in places]
    # Guarded again: a place may have been found before its lane was locked, and settled in between.
    done = {tuple(row) for row in session.execute(_CANCEL, {"places": keys, "now": now})}
    cancelled = [place for place in places if (place.lane_id, place.seq) in done]
    heads = [one.lane_id for one in cancelled if one.seq == one.head_seq and one.blocked_at is None]
    if heads:
        session.execute(_MOVE_HEADS, {"lanes": heads, "now": now})
    return [CancelledDelivery(id=one.id, destination=one.destination, subject=one.subject) for one in cancelled]


def _places() -> Select[Any]:
    return (
        select(
            *(_LANE.c[name] for name in ("lane_id", "head_seq", "lease_token", "due_at", "blocked_at")),
            *(_DELIVERY.c[name] for name in ("seq", "state", "id", "destination")),
            _EVENT.c.subject,
        )
        .join(_DELIVERY, _DELIVERY.c.lane_id == _LANE.c.lane_id)
        .join(_EVENT, _EVENT.c.id == _DELIVERY.c.event_id)
    )


def _is_being_sent(now: ColumnElement[datetime]) -> ColumnElement[bool]:
    return and_(_DELIVERY.c.seq == _LANE.c.head_seq, _LANE.c.lease_token.is_not(None), _LANE.c.due_at > now)


_now = bindparam("now", type_=UtcDateTime())
_LOCK_LANE = _places().where(_DELIVERY.c.id == bindparam("delivery")).with_for_update(of=[_LANE, _DELIVERY])
_free = (
    _places().where(_DELIVERY.c.state == "pending", ~_is_being_sent(_now)).with_for_update(of=_LANE, skip_locked=True)
)
_LOCK_SEVERAL = _free.where(_DELIVERY.c.id.in_(bindparam("deliveries", expanding=True)))
_LOCK_OF_REPLAY = _free.where(_DELIVERY.c.replay_id == bindparam("replay")).limit(bindparam("most"))
_CANCEL = (
    update(_DELIVERY)
    .where(tuple_(_DELIVERY.c.lane_id, _DELIVERY.c.seq).in_(bindparam("places", expanding=True)))
    .where(_DELIVERY.c.state == "pending")
    .values(state="cancelled", finished_at=_now)
    .returning(_DELIVERY.c.lane_id, _DELIVERY.c.seq)
)
_next_pending = (
    select(func.min(_DELIVERY.c.seq))
    .where(_DELIVERY.c.lane_id == _LANE.c.lane_id, _DELIVERY.c.seq >= _LANE.c.head_seq)
    .where(_DELIVERY.c.state == "pending")
    .scalar_subquery()
)
# To the next that waits, or past the end: a claim would have to empty such lanes one by one.
_MOVE_HEADS = (
    update(_LANE)
    .where(_LANE.c.lane_id.in_(bindparam("lanes", expanding=True)))
    .values(
        head_seq=func.coalesce(_next_pending, _LANE.c.last_seq + 1),
        due_at=case((_next_pending.is_not(None), _now), else_=None),
        lease_token=None,
        attempt=0,
    )
)
