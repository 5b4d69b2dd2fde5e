"""What holds an interaction or a range, and how a purge moves: SQL only. It may not record a command."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, exists, or_, select, text, update
from sqlalchemy.orm import Session

from bridge.database import upsert
from bridge.tables import DeliveryRow, OpenMergeRow, PurgeKeyRow, PurgeRow, core

_DELIVERY = core(DeliveryRow)
_OPEN_MERGE = core(OpenMergeRow)
_PURGE = core(PurgeRow)
_KEY = core(PurgeKeyRow)


def hold_interactions(session: Session, command_id: str, interaction_ids: Sequence[str]) -> list[str]:
    """Hold the interactions for a merge; the ids of other merges, still open, that hold one of them already."""
    wanted = sorted(set(interaction_ids))
    session.execute(_RELEASE_ENDED, {"wanted": wanted})
    for interaction_id in wanted:
        row = upsert(session, _OPEN_MERGE).values(interaction_id=interaction_id, command_id=command_id)
        session.execute(row.on_conflict_do_nothing())
    holders = session.scalars(_HOLDERS, {"wanted": wanted}).all()
    return sorted(set(holders) - {command_id})


def lock_purges(session: Session) -> None:
    """Let one plan at a time be checked against the open ones; on SQLite the write transaction does it."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE purge IN SHARE ROW EXCLUSIVE MODE"))


def open_purges(
    session: Session, interaction_type: str, start: datetime, end: datetime, *, but_command: str | None = None
) -> list[str]:
    """Ids of the purges of that type that are not over and whose range overlaps `start` to `end` (aware)."""
    rows = session.execute(_OVERLAPPING, {"of_type": interaction_type, "start": start, "end": end})
    return [row.id for row in rows if but_command is None or row.command_id != but_command]


def all_open_purges(session: Session) -> Sequence[PurgeRow]:
    """Those that are not over, the oldest first."""
    return session.scalars(_OPEN).all()


def planned_under(session: Session, key: bytes) -> Row[*tuple[Any, ...]] | None:
    """`purge_id` and `asked_content` of what was planned under that key."""
    return session.execute(_PLANNED_UNDER, {"key": key}).one_or_none()


def approve_purge(session: Session, purge_id: str, *, command_id: str, approver: str, now: datetime) -> bool:
    """False where it does not await approval any more."""
    values = {"purge": purge_id, "command": command_id, "by": approver, "now": now}
    return session.scalar(_APPROVE, values) is not None


def cancel_purge(session: Session, purge_id: str, *, now: datetime) -> bool:
    """False where it does not await approval any more."""
    return session.scalar(_CANCEL, {"purge": purge_id, "now": now}) is not None


_PLANNED_UNDER = select(_KEY.c.purge_id, _KEY.c.asked_content).where(_KEY.c.asked_key == bindparam("key"))
_merge_is_owed = exists().where(_DELIVERY.c.event_id == _OPEN_MERGE.c.command_id, _DELIVERY.c.state == "pending")
_purge_is_owed = exists().where(_DELIVERY.c.event_id == _PURGE.c.command_id, _DELIVERY.c.state == "pending")
_RELEASE_ENDED = delete(_OPEN_MERGE).where(
    _OPEN_MERGE.c.interaction_id.in_(bindparam("wanted", expanding=True)), ~_merge_is_owed
)
_HOLDERS = select(_OPEN_MERGE.c.command_id).where(_OPEN_MERGE.c.interaction_id.in_(bindparam("wanted", expanding=True)))
_is_open = or_(_PURGE.c.state == "awaiting_approval", (_PURGE.c.state == "approved") & _purge_is_owed)
_OPEN = select(PurgeRow).where(_is_open).order_by(PurgeRow.id)
_OVERLAPPING = select(_PURGE.c.id, _PURGE.c.command_id).where(
    _PURGE.c.interaction_type == bindparam("of_type"),
    _PURGE.c.range_start < bindparam("end"),
    _PURGE.c.range_end > bindparam("start"),
    _is_open,
)
_APPROVE = (
    update(_PURGE)
    .where(_PURGE.c.id == bindparam("purge"), _PURGE.c.state == "awaiting_approval")
    .values(state="approved", command_id=bindparam("command"), approver=bindparam("by"), approved_at=bindparam("now"))
    .returning(_PURGE.c.id)
)
_CANCEL = (
    update(_PURGE)
    .where(_PURGE.c.id == bindparam("purge"), _PURGE.c.state == "awaiting_approval")
    .values(state="cancelled", cancelled_at=bindparam("now"))
    .returning(_PURGE.c.id)
)
