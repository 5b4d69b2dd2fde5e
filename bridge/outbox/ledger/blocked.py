"""Lanes that a dead head holds: skipped by an operator, or by time. The dead delivery stays, for a replay."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Row, bindparam, case, select, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.database import UtcDateTime
from bridge.tables import LaneRow, core

_LANE = core(LaneRow)


def skip_overdue(session: Session, destination: str, *, max_block: timedelta, now: datetime, notes: AuditNotes) -> int:
    """Let the lanes go on that were blocked for `max_block` or longer; returns how many."""
    skipped = session.execute(_SKIP_OVERDUE, {"to": destination, "until": now - max_block, "now": now}).all()
    notes.write(session, [_entry(destination, lane, max_block) for lane in skipped], now)
    return len(skipped)


def any_blocked(session: Session, destination: str) -> bool:
    """What a worker looks at before it takes a write lock."""
    return session.scalar(_FIRST_BLOCKED, {"to": destination}) is not None


def _entry(destination: str, lane: Row[tuple[str, int]], max_block: timedelta) -> AuditEntry:
    hours = max_block / timedelta(hours=1)
    return AuditEntry(
        actor="worker",
        action="lane.skipped",
        subject=lane.subject,
        reason=f"blocked for max_block ({hours:g} hours)",
        details={"destination": destination},
    )


_now = bindparam("now", type_=UtcDateTime())
_SKIP_OVERDUE = (
    update(_LANE)
    .where(_LANE.c.destination == bindparam("to"), _LANE.c.blocked_at <= bindparam("until"))
    .values(
        blocked_at=None,
        head_seq=_LANE.c.head_seq + 1,
        due_at=case((_LANE.c.last_seq > _LANE.c.head_seq, _now), else_=None),
    )
    .returning(_LANE.c.subject, _LANE.c.lane_id)
)
_FIRST_BLOCKED = (
    select(_LANE.c.lane_id).where(_LANE.c.destination == bindparam("to"), _LANE.c.blocked_at.is_not(None)).limit(1)
)
