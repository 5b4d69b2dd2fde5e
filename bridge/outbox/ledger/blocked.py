"""Lanes that a dead head holds: they go on by an operator's word, or by time. Nothing else moves a dead head.

A *skip* leaves the head dead, for a replay at the end of the lane, and lets the next one go. A *release* takes the
head's death back: it is pending again in its own place, before everything that waits behind it, and so nothing
overtakes. That is the only way out of a final state, and only a head that still holds its lane has it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Row, bindparam, case, select, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.database import UtcDateTime
from bridge.errors import Conflict, NotFound
from bridge.events import COMMANDS
from bridge.privacy.vault import IS_KEY, IS_READABLE, KEYS, erased
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

_LANE = core(LaneRow)
_DELIVERY = core(DeliveryRow)
_EVENT = core(EventRow)

#: A row of `_HEAD`: the dead delivery, and its event.
Held: TypeAlias = Row[*tuple[Any, ...]]


def skip_lane(
    session: Session,
    destination: str,
    subject: str,
    *,
    head: str | None,
    reason: str,
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> str:
    """Let a blocked lane go on behind its dead head; returns the id of that delivery, which stays dead.

    `head` is the delivery that the operator means; None: whichever holds the lane. Raises NotFound; Conflict where the
    lane is not blocked (any more), or by another delivery.
    """
    held = _held(session, destination, subject, head)
    session.execute(_SKIP, {"lane": held.lane_id, "at": held.seq, "now": now})
    _note(session, "lane.skipped", destination, subject, held.id, reason, actor, now, notes)
    return str(held.id)


def release_lane(
    session: Session,
    destination: str,
    subject: str,
    *,
    head: str | None,
    reason: str,
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> str:
    """Let a blocked lane try its dead head again, in its place; returns the id of that delivery, now pending.

    It keeps its `webhook-id` and its attempts; it begins with the first wait again, but stays as old as it is: past
    the destination's `max_age` it gets one try.

    Raises as `skip_lane`; Gone where its event was erased: skip it; Conflict also where the event is owed again already
    (by a replay), because it would be sent twice, and where it is a command, whose failure has been told to whoever
    gave it.
    """
    held = _held(session, destination, subject, head)
    if held.event_type in COMMANDS:
        raise Conflict("a command that failed is not carried out behind its giver's back: give it again, and skip this")
    if not held.is_readable:
        raise erased()
    again = session.scalar(_OWED_AGAIN, {"event": held.event_id, "to": destination})
    if again is not None:
        raise Conflict(f"this event is owed to {destination} again already, by delivery {again}: skip, or cancel that")
    session.execute(_REOPEN, {"lane": held.lane_id, "at": held.seq})
    session.execute(_RELEASE, {"lane": held.lane_id, "at": held.seq, "now": now})
    _note(session, "lane.released", destination, subject, held.id, reason, actor, now, notes)
    return str(held.id)


def skip_overdue(session: Session, destination: str, *, max_block: timedelta, now: datetime, notes: AuditNotes) -> int:
    """Let the lanes go on that were blocked for `max_block` or longer; returns how many."""
    skipped = session.execute(_SKIP_OVERDUE, {"to": destination, "until": now - max_block, "now": now}).all()
    notes.write(session, [_overdue_entry(destination, lane, max_block) for lane in skipped], now)
    return len(skipped)


def any_blocked(session: Session, destination: str) -> bool:
    """What a worker looks at before it takes a write lock."""
    return session.scalar(_FIRST_BLOCKED, {"to": destination}) is not None


def _held(session: Session, destination: str, subject: str, head: str | None) -> Held:
    """The dead head of a blocked lane, which is locked: of two operators the second finds what the first has done."""
    lane = session.execute(_LOCK_LANE, {"to": destination, "about": subject}).one_or_none()
    if lane is None:
        raise NotFound("there is no such lane; see GET /api/v1/lanes?blocked=true")
    if lane.blocked_at is None:
        raise Conflict("the lane is not blocked, or not any more; see GET /api/v1/lanes?blocked=true")
    held = session.execute(_HEAD, {"lane": lane.lane_id, "at": lane.head_seq}).one()
    if head is not None and held.id != head:
        raise Conflict(f"another delivery holds the lane now: {held.id}; look at that one first")
    return held


def _note(
    session: Session,
    action: str,
    destination: str,
    subject: str,
    delivery_id: str,
    reason: str,
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> None:
    details = {"destination": destination, "deliveryId": delivery_id}
    entry = AuditEntry(actor=actor, action=action, subject=subject, reason=reason, details=details)
    notes.write(session, [entry], now)


def _overdue_entry(destination: str, lane: Row[tuple[str, int]], max_block: timedelta) -> AuditEntry:
    hours = max_block / timedelta(hours=1)
    return AuditEntry(
        actor="worker",
        action="lane.skipped",
        subject=lane.subject,
        reason=f"blocked for max_block ({hours:g} hours)",
        details={"destination": destination},
    )


_now = bindparam("now", type_=UtcDateTime())
#: What a skip leaves behind: the next one's turn, due at once where there is one.
_GOES_ON = {
    "blocked_at": None,
    "head_seq": _LANE.c.head_seq + 1,
    "due_at": case((_LANE.c.last_seq > _LANE.c.head_seq, _now), else_=None),
}
_still_held = (
    (_LANE.c.lane_id == bindparam("lane")) & (_LANE.c.head_seq == bindparam("at")) & _LANE.c.blocked_at.is_not(None)
)
_LOCK_LANE = (
    select(_LANE.c.lane_id, _LANE.c.head_seq, _LANE.c.blocked_at)
    .where(_LANE.c.destination == bindparam("to"), _LANE.c.subject == bindparam("about"))
    .with_for_update()
)
_HEAD = (
    select(
        *(_DELIVERY.c.lane_id, _DELIVERY.c.seq, _DELIVERY.c.id, _DELIVERY.c.event_id),
        _EVENT.c.type.label("event_type"),
        IS_READABLE.label("is_readable"),
    )
    .join(_EVENT, _EVENT.c.id == _DELIVERY.c.event_id)
    .outerjoin(KEYS, IS_KEY)
    .where(_DELIVERY.c.lane_id == bindparam("lane"), _DELIVERY.c.seq == bindparam("at"))
)
_OWED_AGAIN = (
    select(_DELIVERY.c.id)
    .where(_DELIVERY.c.event_id == bindparam("event"), _DELIVERY.c.destination == bindparam("to"))
    .where(_DELIVERY.c.state == "pending")
    .limit(1)
)
_SKIP = update(_LANE).where(_still_held).values(**_GOES_ON)
_RELEASE = update(_LANE).where(_still_held).values(blocked_at=None, due_at=_now, attempt=0)
_REOPEN = (
    update(_DELIVERY)
    .where(_DELIVERY.c.lane_id == bindparam("lane"), _DELIVERY.c.seq == bindparam("at"))
    .where(_DELIVERY.c.state == "dead")
    .values(state="pending", finished_at=None)
)
_SKIP_OVERDUE = (
    update(_LANE)
    .where(_LANE.c.destination == bindparam("to"), _LANE.c.blocked_at <= bindparam("until"))
    .values(**_GOES_ON)
    .returning(_LANE.c.subject, _LANE.c.lane_id)
)
_FIRST_BLOCKED = (
    select(_LANE.c.lane_id).where(_LANE.c.destination == bindparam("to"), _LANE.c.blocked_at.is_not(None)).limit(1)
)
