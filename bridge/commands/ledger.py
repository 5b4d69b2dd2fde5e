"""All SQL of commands: what holds an interaction or a range, and the state of a command. It may not record one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, bindparam, delete, exists, or_, select, text, update
from sqlalchemy.orm import Session

from bridge.database import upsert
from bridge.events import COMMANDS
from bridge.tables import DeliveryRow, EventRow, OpenMergeRow, PurgeRow, core

#: A command's event with its newest delivery to Genesys: a row of `_COMMANDS`.
CommandRow: TypeAlias = Row[*tuple[Any, ...]]

_EVENT = core(EventRow)
_DELIVERY = core(DeliveryRow)
_OPEN_MERGE = core(OpenMergeRow)
_PURGE = core(PurgeRow)


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


def approve_purge(session: Session, purge_id: str, *, command_id: str, approver: str, now: datetime) -> bool:
    """False where it does not await approval any more."""
    values = {"purge": purge_id, "command": command_id, "by": approver, "now": now}
    return session.scalar(_APPROVE, values) is not None


def cancel_purge(session: Session, purge_id: str, *, now: datetime) -> bool:
    """False where it does not await approval any more."""
    return session.scalar(_CANCEL, {"purge": purge_id, "now": now}) is not None


def command_row(session: Session, command_id: str) -> CommandRow | None:
    """A command's event with its newest delivery to Genesys."""
    return session.execute(_COMMANDS.where(_EVENT.c.id == command_id)).first()


def command_rows(
    session: Session,
    *,
    operation: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: str | None = None,
    limit: int = 50,
) -> Sequence[CommandRow]:
    """Commands, newest first; `since` and `until` mean when they were asked for."""
    statement = _COMMANDS.order_by(_EVENT.c.id.desc()).limit(limit)
    if operation is not None:
        statement = statement.where(_EVENT.c.type == operation)
    if subject is not None:
        statement = statement.where(_EVENT.c.subject == subject)
    if since is not None:
        statement = statement.where(_EVENT.c.received_at >= since)
    if until is not None:
        statement = statement.where(_EVENT.c.received_at < until)
    if before_id is not None:
        statement = statement.where(_EVENT.c.id < before_id)
    return session.execute(statement).all()


_merge_is_owed = exists().where(_DELIVERY.c.event_id == _OPEN_MERGE.c.command_id, _DELIVERY.c.state == "pending")
_purge_is_owed = exists().where(_DELIVERY.c.event_id == _PURGE.c.command_id, _DELIVERY.c.state == "pending")
_RELEASE_ENDED = delete(_OPEN_MERGE).where(
    _OPEN_MERGE.c.interaction_id.in_(bindparam("wanted", expanding=True)), ~_merge_is_owed
)
_HOLDERS = select(_OPEN_MERGE.c.command_id).where(_OPEN_MERGE.c.interaction_id.in_(bindparam("wanted", expanding=True)))
_OVERLAPPING = select(_PURGE.c.id, _PURGE.c.command_id).where(
    _PURGE.c.interaction_type == bindparam("of_type"),
    _PURGE.c.range_start < bindparam("end"),
    _PURGE.c.range_end > bindparam("start"),
    or_(_PURGE.c.state == "awaiting_approval", (_PURGE.c.state == "approved") & _purge_is_owed),
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
_later = _DELIVERY.alias("later")
_COMMANDS = (
    select(
        _EVENT.c.id,
        _EVENT.c.type.label("operation"),
        _EVENT.c.subject,
        _EVENT.c.payload,
        _EVENT.c.received_at,
        _EVENT.c.correlation_id,
        _EVENT.c.caused_by,
        _DELIVERY.c.id.label("delivery_id"),
        _DELIVERY.c.state,
        _DELIVERY.c.attempts,
        _DELIVERY.c.progress,
        _DELIVERY.c.last_error,
        _DELIVERY.c.finished_at,
    )
    .outerjoin(_DELIVERY, _DELIVERY.c.event_id == _EVENT.c.id)
    .where(
        _EVENT.c.type.in_(sorted(COMMANDS)),
        ~exists().where(_later.c.event_id == _DELIVERY.c.event_id, _later.c.id > _DELIVERY.c.id),
    )
)
