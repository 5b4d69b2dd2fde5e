"""Which deliveries a filter selects, newest first, in milliseconds over millions of rows. It gives ids, nothing else.

`delivery_by_state` (destination, state, id) holds the deliveries of one destination in one state in order. A filter
that leaves one of the two open is the merger of several such runs, of which only the beginnings are read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select
from sqlalchemy.orm import Session

from bridge.admin.search.pages import PageRequest
from bridge.admin.search.rarity import few_ids
from bridge.admin.search.sending import IS_HEAD, LEASE_RUNS, SENDING
from bridge.lists.spans import span_of
from bridge.lists.walk import Run, Walked, walk
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

_DELIVERY = core(DeliveryRow)
_EVENT = core(EventRow)
_LANE = core(LaneRow)
_Ids = Select[tuple[str]]

STORED_STATES = ("pending", "delivered", "dead", "superseded", "cancelled")
#: To look at a delivery's event costs as much as to look at so many deliveries.
EVENT_COSTS = 5
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


def newest_ids(session: Session, wanted: DeliveryFilter, page: PageRequest, *, now: datetime) -> Walked:
    """The ids of the page, and of one delivery more where there is one."""
    leases = {"now": now} if wanted.state in (SENDING, "pending") else {}
    span = span_of(session, _DELIVERY, "created_at", wanted.since, wanted.until)
    rare = _rare(session, wanted)
    if rare is not None:
        found = rare.where(*_between(span.begin, span.before(page.before_id)), *span.times)
        newest = found.order_by(_DELIVERY.c.id.desc()).limit(page.limit + 1)
        return Walked(ids=list(session.scalars(newest, leases)), floor=None)
    runs = _runs(session, wanted)
    said = runs[0].values if runs else ()
    return walk(
        session,
        runs,
        [*_conditions(wanted, said), *_leased_or_not(wanted.state)],
        span=span,
        before_id=page.before_id,
        most=page.limit + 1,
        examined=page.examined // (EVENT_COSTS if _names_events(wanted) else 1),
        parameters=leases,
    )


def _rare(session: Session, wanted: DeliveryFilter) -> _Ids | None:
    """What can be found by few rows of another table; None: it is not so."""
    if _names_events(wanted) and (few := few_ids(session, _events(wanted))) is not None:
        own = replace(wanted, event_id=None, type=None, subject=None)
        statement = select(_DELIVERY.c.id).where(_DELIVERY.c.event_id.in_(few), *_conditions(own, ()))
        return statement.where(*_leased_or_not(wanted.state))
    if wanted.state == SENDING:
        return _being_sent(_destinations(session, wanted), _conditions(wanted, ()))
    return None


def _runs(session: Session, wanted: DeliveryFilter) -> list[Run]:
    """By the index that narrows most; the rest of the filter is looked for on the way."""
    if wanted.error_class is not None:
        return [
            Run(
                table=_DELIVERY,
                values={"error_class": wanted.error_class},
                partial=_DELIVERY.c.error_class.is_not(None),
            )
        ]
    if wanted.destination is None and wanted.state is None:
        return [Run(table=_DELIVERY)]
    states = STORED_STATES if wanted.state is None else (wanted.state,)
    return [
        Run(table=_DELIVERY, values={"destination": destination, "state": state})
        for destination in _destinations(session, wanted)
        for state in states
    ]


def _conditions(wanted: DeliveryFilter, said: Collection[str]) -> list[ColumnElement[bool]]:
    """What is to hold beside what was `said`. As expressions: SQLite would take the index on a column for the better
    one, and walk all of a state."""
    own = {"destination": wanted.destination, "state": wanted.state, "error_class": wanted.error_class}
    if wanted.state == SENDING:
        own["state"] = "pending"
    conditions = [
        func.coalesce(_DELIVERY.c[name], "") == value
        for name, value in own.items()
        if value is not None and name not in said
    ]
    if wanted.status is not None:
        conditions.append(_DELIVERY.c.last_status == wanted.status)
    if _names_events(wanted):
        conditions.append(_events(wanted).where(_EVENT.c.id == _DELIVERY.c.event_id).exists())
    return conditions


def _names_events(wanted: DeliveryFilter) -> bool:
    return not (wanted.event_id is wanted.type is wanted.subject is None)


def _events(wanted: DeliveryFilter) -> _Ids:
    named = {"id": wanted.event_id, "type": wanted.type, "subject": wanted.subject}
    return select(_EVENT.c.id).where(
        *(_EVENT.c[column] == value for column, value in named.items() if value is not None)
    )


def _being_sent(destinations: Sequence[str], conditions: list[ColumnElement[bool]]) -> _Ids:
    """By the lanes, of which few are leased: in a backlog of pending deliveries they would be met last."""
    return (
        select(_DELIVERY.c.id)
        .join(_LANE, and_(_LANE.c.lane_id == _DELIVERY.c.lane_id, IS_HEAD))
        .where(_LANE.c.destination.in_(destinations), _LANE.c.background.in_((False, True)), LEASE_RUNS, *conditions)
    )


def _between(begin: str | None, before: str | None) -> list[ColumnElement[bool]]:
    conditions = [] if begin is None else [_DELIVERY.c.id >= begin]
    return conditions if before is None else [*conditions, _DELIVERY.c.id < before]


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


_IS_BEING_SENT = select(_LANE.c.lane_id).where(_LANE.c.lane_id == _DELIVERY.c.lane_id, IS_HEAD, LEASE_RUNS).exists()
_NEXT_DESTINATION = select(func.min(_LANE.c.destination)).where(_LANE.c.destination > bindparam("after"))
