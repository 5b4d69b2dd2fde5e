"""Finds commands: each an event with its newest delivery to Genesys. It may not record, move or show one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, and_, exists, or_, select, union_all
from sqlalchemy.orm import Session

from bridge.events import COMMANDS
from bridge.intake.ledger import BRIDGE
from bridge.tables import DeliveryRow, EventRow, core

CommandState = Literal["accepted", "running", "succeeded", "failed", "cancelled"]
#: A row of `_COMMANDS`.
CommandRow: TypeAlias = Row[*tuple[Any, ...]]

_EVENT = core(EventRow)
_DELIVERY = core(DeliveryRow)


@dataclass(frozen=True, kw_only=True)
class OwnCommands:
    """Those that one destination has asked for; None: those that no destination has."""

    destination: str | None


@dataclass(frozen=True, kw_only=True)
class CommandFilter:
    """Which commands are wanted; what is None does not matter. `since` and `until` (aware) mean when it was asked."""

    operation: str | None = None
    subject: str | None = None
    state: CommandState | None = None
    since: datetime | None = None
    until: datetime | None = None
    own: OwnCommands | None = None


def command_row(session: Session, command_id: str) -> CommandRow | None:
    """A command's event with its newest delivery to Genesys."""
    return session.execute(_COMMANDS.where(_EVENT.c.id == command_id)).first()


def command_rows(session: Session, command_ids: Sequence[str]) -> Sequence[CommandRow]:
    """Those of the commands that are there, newest first."""
    return session.execute(_COMMANDS.where(_EVENT.c.id.in_(command_ids)).order_by(_EVENT.c.id.desc())).all()


def newest_commands(
    session: Session, wanted: CommandFilter, *, before_id: str | None = None, limit: int = 50
) -> Sequence[CommandRow]:
    """At most `limit` of the commands that `wanted` selects, newest first."""
    conditions = _conditions(wanted)
    if before_id is not None:
        conditions.append(_EVENT.c.id < before_id)
    # Each operation by its own index, from the newest: among the events, commands are few.
    operations = sorted(COMMANDS) if wanted.operation is None else [wanted.operation]
    ids = [_newest_ids(operation, conditions, limit) for operation in operations]
    newest = sorted((row.id for row in session.execute(union_all(*ids))), reverse=True)[:limit]
    return command_rows(session, newest)


def commands_between(session: Session, since: datetime, until: datetime) -> Iterator[CommandRow]:
    """Every command that was asked for from `since` to before `until` (aware), in no order."""
    asked = (_EVENT.c.received_at >= since, _EVENT.c.received_at < until)
    yield from session.execute(_COMMANDS.where(*asked).execution_options(yield_per=500))


def _conditions(wanted: CommandFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.subject is not None:
        conditions.append(_EVENT.c.subject == wanted.subject)
    if wanted.state is not None:
        conditions.append(_STATES[wanted.state])
    if wanted.since is not None:
        conditions.append(_EVENT.c.received_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(_EVENT.c.received_at < wanted.until)
    if wanted.own is not None:
        conditions.append(_EVENT.c.caused_by.is_not_distinct_from(wanted.own.destination))
    return conditions


def _newest_ids(operation: str, conditions: Sequence[ColumnElement[bool]], limit: int) -> Select[tuple[str]]:
    chosen = (
        select(_EVENT.c.id)
        .outerjoin(_DELIVERY, _DELIVERY.c.event_id == _EVENT.c.id)
        .where(_EVENT.c.type == operation, _EVENT.c.source == BRIDGE, _is_newest_delivery, *conditions)
        .order_by(_EVENT.c.id.desc())
        .limit(limit)
        .subquery()  # SQLite takes no ORDER BY within a UNION
    )
    return select(chosen.c.id)


_later = _DELIVERY.alias("later")
_is_newest_delivery = ~exists().where(_later.c.event_id == _DELIVERY.c.event_id, _later.c.id > _DELIVERY.c.id)
# A step that was only held back by our own pace has stored `{}`.
_is_begun = or_(_DELIVERY.c.attempts > 0, and_(_DELIVERY.c.progress.is_not(None), _DELIVERY.c.progress != {}))
_is_open = or_(_DELIVERY.c.state == "pending", _DELIVERY.c.state.is_(None))
_STATES: Mapping[CommandState, ColumnElement[bool]] = {
    "accepted": and_(_is_open, or_(~_is_begun, _DELIVERY.c.state.is_(None))),
    "running": and_(_is_open, _is_begun),
    "succeeded": _DELIVERY.c.state == "delivered",
    "failed": _DELIVERY.c.state == "dead",
    "cancelled": _DELIVERY.c.state.in_(["cancelled", "superseded"]),
}
_is_command = (_EVENT.c.type.in_(sorted(COMMANDS)), _EVENT.c.source == BRIDGE, _is_newest_delivery)
_COMMANDS = (
    select(
        _EVENT.c.id,
        _EVENT.c.type.label("operation"),
        _EVENT.c.subject,
        _EVENT.c.received_at,
        _EVENT.c.caused_by,
        _DELIVERY.c.id.label("delivery_id"),
        _DELIVERY.c.state,
        _DELIVERY.c.attempts,
        _DELIVERY.c.progress,
        _DELIVERY.c.last_error,
        _DELIVERY.c.finished_at,
    )
    .outerjoin(_DELIVERY, _DELIVERY.c.event_id == _EVENT.c.id)
    .where(*_is_command)
)
