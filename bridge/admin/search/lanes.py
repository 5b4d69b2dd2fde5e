"""Lanes that a dead head holds, as operators see them: what holds them, and how much waits behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Row, Select, bindparam, func, literal, select, tuple_
from sqlalchemy.orm import Session

from bridge.admin.search.pages import Page, PageRequest, cut
from bridge.database import UtcDateTime
from bridge.errors import FieldError, Invalid
from bridge.tables import DeliveryRow, LaneRow, core

LISTED = "lanes"

_Row: TypeAlias = Row[*tuple[Any, ...]]

_DELIVERY = core(DeliveryRow)
_LANE = core(LaneRow)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LANE_BITS = 64
_LAST_MICROSECOND = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, kw_only=True)
class Head:
    """The dead delivery at the head of a lane; the error is masked."""

    delivery: str
    error: str | None


@dataclass(frozen=True, kw_only=True)
class FoundLane:
    destination: str
    #: The lane's: the event's own, or `event:<id>` where the destination has `order = "none"`.
    subject: str
    blocked_at: datetime
    #: Deliveries behind the head; one that was cancelled in its place counts until its turn comes.
    waiting: int
    head: Head


def find_blocked_lanes(session: Session, destination: str | None, page: PageRequest) -> Page[FoundLane]:
    """One page of blocked lanes, the newest block first; of one destination, or of all."""
    after = None if page.before_id is None else _read_place(page.before_id)
    rows: list[_Row] = []
    for name in _destinations(session) if destination is None else [destination]:
        rows += session.execute(_statement(name, after, page.limit + 1))
    rows.sort(key=_place, reverse=True)
    found = cut(LISTED, page, rows[: page.limit + 1], _place)
    heads = _heads(session, found.items)
    return Page(items=[_found(row, heads[row.lane_id]) for row in found.items], next=found.next)


def _statement(destination: str, after: tuple[datetime, int] | None, most: int) -> Select[Any]:
    lane = _LANE.c
    statement = (
        select(
            lane.lane_id,
            lane.destination,
            lane.subject,
            lane.blocked_at,
            lane.head_seq,
            (lane.last_seq - lane.head_seq).label("waiting"),
        )
        .where(lane.destination == destination, lane.blocked_at.is_not(None))
        .order_by(lane.blocked_at.desc(), lane.lane_id.desc())
        .limit(most)
    )
    if after is None:
        return statement
    place = tuple_(literal(after[0], UtcDateTime()), literal(after[1]))
    return statement.where(tuple_(lane.blocked_at, lane.lane_id) < place)


def _destinations(session: Session) -> Iterator[str]:
    """Those with a blocked lane: a jump through the index for each, also of those that are configured no more."""
    name = session.scalar(_NEXT_DESTINATION, {"after": ""})
    while name is not None:
        yield name
        name = session.scalar(_NEXT_DESTINATION, {"after": name})


def _heads(session: Session, lanes: list[_Row]) -> dict[int, Head]:
    places = [(row.lane_id, row.head_seq) for row in lanes]
    rows = session.execute(_HEADS, {"places": places}) if places else ()
    return {row.lane_id: Head(delivery=row.id, error=row.last_error) for row in rows}


def _found(row: _Row, head: Head) -> FoundLane:
    return FoundLane(
        destination=row.destination,
        subject=row.subject,
        blocked_at=row.blocked_at,
        waiting=row.waiting,
        head=head,
    )


def _place(row: _Row) -> str:
    """Where a lane stands in the list, in the form of an id: a block never changes its time, it only ends."""
    microseconds = (row.blocked_at - _EPOCH) // _MICROSECOND
    return str(UUID(int=microseconds << _LANE_BITS | row.lane_id))


def _read_place(place: str) -> tuple[datetime, int]:
    microseconds, lane_id = divmod(UUID(place).int, 1 << _LANE_BITS)
    if microseconds > _LAST_MICROSECOND or lane_id >= 1 << (_LANE_BITS - 1):
        message = "send the `next` of the page before, unchanged"
        errors = [FieldError(field="cursor", rule="cursor", message=message)]
        raise Invalid("the cursor is not one of this list", errors=errors)
    return _EPOCH + microseconds * _MICROSECOND, lane_id


_NEXT_DESTINATION = select(func.min(_LANE.c.destination)).where(
    _LANE.c.blocked_at.is_not(None), _LANE.c.destination > bindparam("after")
)
_HEADS = select(_DELIVERY.c.lane_id, _DELIVERY.c.id, _DELIVERY.c.last_error).where(
    tuple_(_DELIVERY.c.lane_id, _DELIVERY.c.seq).in_(bindparam("places", expanding=True))
)
