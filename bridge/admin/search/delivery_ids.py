"""Which deliveries a filter selects, newest first, in milliseconds over millions of rows. It gives ids, nothing else.

`delivery_by_state` (destination, state, id) holds the deliveries of one destination in one state in order. A filter
that leaves one of the two open is the merger of several such runs, of which only the beginnings are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    bindparam,
    desc,
    false,
    func,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from bridge.admin.search.pages import PageRequest
from bridge.admin.search.rarity import few_ids
from bridge.admin.search.sending import IS_HEAD, LEASE_RUNS, SENDING
from bridge.admin.search.spans import within
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

_DELIVERY = core(DeliveryRow)
_EVENT = core(EventRow)
_LANE = core(LaneRow)
_Ids = Select[tuple[str]]

STORED_STATES = ("pending", "delivered", "dead", "superseded", "cancelled")
#: Every state that is shown and can be asked for.
STATES = (*STORED_STATES, SENDING)


@dataclass(frozen=True, kw_only=True)
class DeliveryFilter:
    """What is looked for; a field that is None does not narrow. Times are `created_at`, aware."""

    destination: str | None = None
    #: One of STATES; `pending` is without what is being sent right now.
    state: str | None = None
    #: The event's.
    type: str | None = None
    #: The event's.
    subject: str | None = None
    event_id: str | None = None
    #: HTTP status of the newest try.
    status: int | None = None
    error_class: str | None = None
    since: datetime | None = None
    #: Exclusive.
    until: datetime | None = None


def newest_ids(session: Session, wanted: DeliveryFilter, page: PageRequest, *, now: datetime) -> list[str]:
    """The ids of the page, and of one delivery more where there is one."""
    statement = _statement(session, wanted, page)
    depends_on_leases = wanted.state in (SENDING, "pending")
    return list(session.scalars(statement, {"now": now} if depends_on_leases else {}))


def _statement(session: Session, wanted: DeliveryFilter, page: PageRequest) -> _Ids | CompoundSelect[tuple[str]]:
    most = page.limit + 1
    conditions = _own_conditions(session, wanted)
    if page.before_id is not None:
        conditions.append(_DELIVERY.c.id < page.before_id)
    events = _events(wanted)
    if events is not None:
        few = few_ids(session, events)
        if few is not None:
            return _newest(_of_events(few, wanted, conditions), most)
        conditions.append(events.where(_EVENT.c.id == _DELIVERY.c.event_id).exists())
    if wanted.state == SENDING:
        return _newest(_being_sent(_destinations(session, wanted), conditions), most)
    if wanted.destination is None and wanted.state is None:
        return _newest(select(_DELIVERY.c.id).where(*conditions), most)
    return _runs(_destinations(session, wanted), wanted.state, conditions, most)


def _own_conditions(session: Session, wanted: DeliveryFilter) -> list[ColumnElement[bool]]:
    conditions = within(session, _DELIVERY, "created_at", wanted.since, wanted.until)
    if wanted.status is not None:
        conditions.append(_DELIVERY.c.last_status == wanted.status)
    if wanted.error_class is not None:
        conditions.append(_DELIVERY.c.error_class == wanted.error_class)
    return conditions


def _events(wanted: DeliveryFilter) -> _Ids | None:
    """The ids of the events that the filter names; None: it names none."""
    named = {"id": wanted.event_id, "type": wanted.type, "subject": wanted.subject}
    conditions = [_EVENT.c[column] == value for column, value in named.items() if value is not None]
    return select(_EVENT.c.id).where(*conditions) if conditions else None


def _of_events(events: list[str], wanted: DeliveryFilter, conditions: list[ColumnElement[bool]]) -> _Ids:
    statement = select(_DELIVERY.c.id).where(_DELIVERY.c.event_id.in_(events), *conditions)
    # As expressions: SQLite would take the index on the columns for the better one, and walk all of a state.
    if wanted.destination is not None:
        statement = statement.where(func.coalesce(_DELIVERY.c.destination, "") == wanted.destination)
    if wanted.state is not None:
        stored = "pending" if wanted.state == SENDING else wanted.state
        statement = statement.where(func.coalesce(_DELIVERY.c.state, "") == stored, *_leased_or_not(wanted.state))
    return statement


def _being_sent(destinations: Sequence[str], conditions: list[ColumnElement[bool]]) -> _Ids:
    """By the lanes, of which few are leased: in a backlog of pending deliveries they would be met last."""
    return (
        select(_DELIVERY.c.id)
        .join(_LANE, and_(_LANE.c.lane_id == _DELIVERY.c.lane_id, IS_HEAD))
        .where(_LANE.c.destination.in_(destinations), _LANE.c.background.in_((False, True)), LEASE_RUNS, *conditions)
    )


def _runs(
    destinations: Sequence[str], state: str | None, conditions: list[ColumnElement[bool]], most: int
) -> _Ids | CompoundSelect[tuple[str]]:
    stored_states = STORED_STATES if state is None else (state,)
    runs = [
        select(_DELIVERY.c.id).where(
            _DELIVERY.c.destination == destination,
            _DELIVERY.c.state == stored,
            *_leased_or_not(state),
            *conditions,
        )
        for destination in destinations
        for stored in stored_states
    ]
    if not runs:
        return select(_DELIVERY.c.id).where(false())
    # Each is cut by itself: SQLite would merge them lazily, PostgreSQL reads them to their ends and sorts.
    beginnings = [select(_newest(run, most).subquery().c.id) for run in runs]
    return union_all(*beginnings).order_by(desc("id")).limit(most)


def _leased_or_not(state: str | None) -> list[ColumnElement[bool]]:
    if state == SENDING:
        return [_IS_BEING_SENT]
    return [~_IS_BEING_SENT] if state == "pending" else []


def _destinations(session: Session, wanted: DeliveryFilter) -> list[str]:
    """Those that something was ever owed to: a jump through the index for each, not a walk over its rows."""
    if wanted.destination is not None:
        return [wanted.destination]
    names: list[str] = []
    while True:
        name = session.scalar(_NEXT_DESTINATION, {"after": names[-1] if names else ""})
        if name is None:
            return names
        names.append(name)


def _newest(ids: _Ids, most: int) -> _Ids:
    return ids.order_by(_DELIVERY.c.id.desc()).limit(most)


_IS_BEING_SENT = select(_LANE.c.lane_id).where(_LANE.c.lane_id == _DELIVERY.c.lane_id, IS_HEAD, LEASE_RUNS).exists()
_NEXT_DESTINATION = select(func.min(_LANE.c.destination)).where(_LANE.c.destination > bindparam("after"))
