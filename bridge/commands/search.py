"""Finds commands: each an event with its newest delivery to Genesys. It may not record, move or show one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from bridge.events import COMMANDS
from bridge.intake.ledger import BRIDGE
from bridge.lists.spans import span_of
from bridge.lists.walk import EXAMINED, Run, walk
from bridge.tables import DeliveryRow, EventRow, core

CommandState = Literal["accepted", "running", "succeeded", "failed", "cancelled"]
#: A row of `_COMMANDS`.
CommandRow: TypeAlias = Row[*tuple[Any, ...]]

#: To look at a command's delivery costs as much as to look at so many commands.
DELIVERY_COSTS = 2

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


@dataclass(frozen=True, kw_only=True)
class FoundCommands:
    #: Newest first.
    rows: Sequence[CommandRow]
    #: The id down to which was looked; None: to the end.
    floor: str | None


def command_row(session: Session, command_id: str) -> CommandRow | None:
    """A command's event with its newest delivery to Genesys."""
    return session.execute(_COMMANDS.where(_EVENT.c.id == command_id)).first()


def command_rows(session: Session, command_ids: Sequence[str]) -> Sequence[CommandRow]:
    """Those of the commands that are there, newest first."""
    return session.execute(_COMMANDS.where(_EVENT.c.id.in_(command_ids)).order_by(_EVENT.c.id.desc())).all()


def newest_commands(
    session: Session,
    wanted: CommandFilter,
    *,
    before_id: str | None = None,
    limit: int = 50,
    examined: int = EXAMINED,
) -> FoundCommands:
    """At most `limit` of the commands that `wanted` selects, newest first; fewer where it has looked at `examined`."""
    # Each operation by its own index, from the newest: among the events, commands are few.
    operations = sorted(COMMANDS) if wanted.operation is None else [wanted.operation]
    runs = [Run(table=_EVENT, values={"type": operation}) for operation in operations]
    if wanted.subject is not None:
        runs = [Run(table=_EVENT, values={"subject": wanted.subject})]
    walked = walk(
        session,
        runs,
        _conditions(wanted, operations),
        span=span_of(session, _EVENT, "received_at", wanted.since, wanted.until),
        before_id=before_id,
        most=limit,
        examined=examined // DELIVERY_COSTS,
    )
    return FoundCommands(rows=command_rows(session, walked.ids), floor=walked.floor)


def commands_between(session: Session, since: datetime, until: datetime) -> Iterator[CommandRow]:
    """Every command that was asked for from `since` to before `until` (aware), in no order."""
    asked = (_EVENT.c.received_at >= since, _EVENT.c.received_at < until)
    yield from session.execute(_COMMANDS.where(*asked).execution_options(yield_per=500))


def _conditions(wanted: CommandFilter, operations: Sequence[str]) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_source == BRIDGE]
    if wanted.subject is not None:
        conditions.append(_type.in_(operations))
    if wanted.state is not None:
        conditions.append(_is_in(wanted.state))
    if wanted.own is not None:
        conditions.append(_EVENT.c.caused_by.is_not_distinct_from(wanted.own.destination))
    return conditions


def _is_in(state: CommandState) -> ColumnElement[bool]:
    of_the_event = _DELIVERY.c.event_id == _EVENT.c.id
    is_it = exists().where(of_the_event, _is_newest_delivery, _STATES[state])
    return or_(is_it, ~exists().where(of_the_event)) if state == "accepted" else is_it


# As expressions, so that the index on the type is not taken where the ids are known: commands are few, but many more.
_type, _source = func.coalesce(_EVENT.c.type, ""), func.coalesce(_EVENT.c.source, "")
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
_is_command = (_type.in_(sorted(COMMANDS)), _source == BRIDGE, _is_newest_delivery)
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
