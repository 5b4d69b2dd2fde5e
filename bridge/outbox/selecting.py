"""Reads which (event, destination) pairs a replay selects. It may not know who else is sending them (see `taken`).

What was erased is never selected.

A pair is selected as it stood when the order was given (`ReplayFilter.as_of`): what ended or was replayed since then
changes nothing, so that what was counted is what is walked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, func, or_, select, union_all
from sqlalchemy.orm import Session

from bridge.events import RecordedEvent
from bridge.outbox.selection import ReplayFilter, Wants
from bridge.outbox.staleness import Age
from bridge.privacy.vault import IS_KEY, IS_READABLE, KEYS
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

_EVENT = core(EventRow)
_DELIVERY = core(DeliveryRow)
_LANE = core(LaneRow)

#: States of a delivery that has ended.
ENDED = ("delivered", "dead", "superseded", "cancelled")
PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class Selected:
    """One event to be sent again to one destination. `delivery_id` None: it was never owed before."""

    #: Where the walk stands after it: the id of the row that it was found by.
    place: str
    event_id: str
    event_type: str
    subject: str
    age: Age
    destination: str
    lane_subject: str
    delivery_id: str | None
    webhook_id: str | None


@dataclass(frozen=True, kw_only=True)
class Page:
    pairs: list[Selected]
    #: Where the next page begins; None: there is none.
    cursor: str | None


def select_page(
    session: Session,
    chosen: ReplayFilter,
    wanted: Mapping[str, Wants],
    *,
    after: str | None = None,
    limit: int = PAGE,
    subjects: Sequence[str] | None = None,
) -> Page:
    """The next pairs after the cursor `after`, in the order of recording, from at most `limit` rows.

    `chosen` is bounded (`as_of`); with `subjects` only the events about one of these.
    """
    if not wanted:
        return Page(pairs=[], cursor=None)
    if subjects is None and chosen.subject is not None:
        subjects = [chosen.subject]
    if chosen.state == "none" and chosen.destination is not None:
        statement = _cut(_never_owed(chosen, subjects), after, limit)
    elif subjects is not None:
        statement = _cut(_ended_about(chosen, subjects), after, limit)
    else:
        statement = _ended_runs(chosen, sorted(wanted), after, limit)
    rows = session.execute(statement).all()
    pairs = [pair for row in rows if (pair := _selected(row, chosen, wanted)) is not None]
    return Page(pairs=pairs, cursor=rows[-1].place if len(rows) == limit else None)


def select_pages(
    session: Session, chosen: ReplayFilter, wanted: Mapping[str, Wants], *, subjects: Sequence[str] | None = None
) -> Iterator[list[Selected]]:
    """Every selected pair, page by page."""
    cursor: str | None = None
    while True:
        page = select_page(session, chosen, wanted, after=cursor, subjects=subjects)
        yield page.pairs
        cursor = page.cursor
        if cursor is None:
            return


def keep_newest(newest: dict[tuple[str, str], Selected], pairs: Iterable[Selected]) -> None:
    """Bring `newest`, by (destination, subject), up to date with `pairs`."""
    for one in pairs:
        before = newest.get((one.destination, one.subject))
        if before is None or not one.age.is_older_than(before.age):
            newest[one.destination, one.subject] = one


def newest_among(
    session: Session, pairs: Sequence[Selected], chosen: ReplayFilter, wanted: Mapping[str, Wants]
) -> list[Selected]:
    """Those of `pairs` than which the filter selects no newer one of the same subject for the same destination."""
    if not pairs:
        return []
    newest: dict[tuple[str, str], Selected] = {}
    for page in select_pages(session, chosen, wanted, subjects=sorted({one.subject for one in pairs})):
        keep_newest(newest, page)
    places = {(one.destination, one.place) for one in newest.values()}
    return [one for one in pairs if (one.destination, one.place) in places]


def _ended_runs(chosen: ReplayFilter, known: Sequence[str], after: str | None, limit: int) -> Select[Any]:
    """Through `delivery_by_state`: a run for each destination and state, of which only the beginnings are read."""
    destinations = known if chosen.destination is None else [chosen.destination]
    states = ENDED if chosen.state is None else [chosen.state]
    runs = [
        _cut(
            _ended(chosen, _DELIVERY.c.id).where(_DELIVERY.c.destination == destination, _DELIVERY.c.state == state),
            after,
            limit,
        )
        for destination in destinations
        for state in states
    ]
    if len(runs) == 1:
        return runs[0]
    merged = union_all(*(select(run.subquery()) for run in runs)).subquery()
    return select(merged).order_by(merged.c.place).limit(limit)


def _ended_about(chosen: ReplayFilter, subjects: Sequence[str]) -> Select[Any]:
    """By the events, which are few: as expressions the other columns offer no index that would seem better."""
    events = select(_EVENT.c.id).where(_EVENT.c.subject.in_(subjects))
    state = func.coalesce(_DELIVERY.c.state, "")
    wanted_state = state.in_(ENDED) if chosen.state is None else state == chosen.state
    statement = _ended(chosen, func.coalesce(_DELIVERY.c.id, "")).where(_DELIVERY.c.event_id.in_(events), wanted_state)
    if chosen.destination is not None:
        statement = statement.where(func.coalesce(_DELIVERY.c.destination, "") == chosen.destination)
    return statement


def _ended(chosen: ReplayFilter, place: ColumnElement[str]) -> Select[Any]:
    """Pairs of which this is the newest delivery that had ended by then; `place` is its id."""
    later = _DELIVERY.alias("later")
    again = exists().where(
        later.c.event_id == _DELIVERY.c.event_id,
        later.c.destination == _DELIVERY.c.destination,
        later.c.id > _DELIVERY.c.id,
        later.c.finished_at <= chosen.as_of,
        _was_meant(later),
    )
    return (
        select(
            place.label("place"),
            _DELIVERY.c.id.label("delivery_id"),
            _DELIVERY.c.webhook_id,
            _DELIVERY.c.destination,
            _DELIVERY.c.event_id,
            _LANE.c.subject.label("lane_subject"),
            _EVENT.c.type,
            _EVENT.c.subject,
            _EVENT.c.version,
            _EVENT.c.occurred_at,
        )
        .join(_EVENT, _EVENT.c.id == _DELIVERY.c.event_id)
        .join(_LANE, _LANE.c.lane_id == _DELIVERY.c.lane_id)
        .outerjoin(KEYS, IS_KEY)
        .where(_DELIVERY.c.finished_at <= chosen.as_of, _was_meant(_DELIVERY), ~again)
        .where(IS_READABLE, *_event_conditions(chosen))
    )


def _never_owed(chosen: ReplayFilter, subjects: Sequence[str] | None) -> Select[Any]:
    """Events that the destination had not been owed by then, but for what open replays were sending it."""
    owed_before = exists().where(
        _DELIVERY.c.event_id == _EVENT.c.id,
        _DELIVERY.c.destination == chosen.destination,
        or_(
            and_(_DELIVERY.c.replay_id.is_(None), _DELIVERY.c.created_at <= chosen.as_of),
            and_(_DELIVERY.c.finished_at <= chosen.as_of, _was_meant(_DELIVERY)),
        ),
    )
    columns = [_EVENT.c[name] for name in RecordedEvent.__dataclass_fields__ if name != "payload"]
    statement = (
        select(_EVENT.c.id.label("place"), *columns)
        .where(_EVENT.c.state == "recorded", _EVENT.c.received_at <= chosen.as_of)
        .outerjoin(KEYS, IS_KEY)
        .where(IS_READABLE, ~owed_before, *_event_conditions(chosen))
    )
    return statement if subjects is None else statement.where(_EVENT.c.subject.in_(subjects))


def _cut(statement: Select[Any], after: str | None, limit: int) -> Select[Any]:
    """Its first `limit` rows after `after`, in order."""
    place = statement.selected_columns.place
    if after is not None:
        statement = statement.where(place > after)
    return statement.order_by(place).limit(limit)


def _was_meant(delivery: FromClause) -> ColumnElement[bool]:
    """False for a replay that was cancelled: what it repeats stands as if nobody had ordered it."""
    again = or_(delivery.c.replay_of.is_not(None), delivery.c.replay_id.is_not(None))
    return ~and_(delivery.c.state == "cancelled", again)


def _event_conditions(chosen: ReplayFilter) -> list[ColumnElement[bool]]:
    conditions = [
        _EVENT.c[name] == value
        for name in ("type", "subject", "source")
        if (value := getattr(chosen, name)) is not None
    ]
    if chosen.since is not None:
        conditions.append(_EVENT.c.received_at >= chosen.since)
    if chosen.until is not None:
        conditions.append(_EVENT.c.received_at < chosen.until)
    return conditions


def _selected(row: Any, chosen: ReplayFilter, wanted: Mapping[str, Wants]) -> Selected | None:
    if chosen.state != "none":
        return _pair(row, row.event_id, row.destination, row.lane_subject, row.delivery_id, row.webhook_id)
    owed = wanted[chosen.destination or ""](_recorded(row))
    return None if owed is None else _pair(row, row.id, owed.destination, owed.subject, None, None)


def _pair(
    row: Any, event_id: str, destination: str, lane_subject: str, delivery_id: str | None, webhook_id: str | None
) -> Selected:
    return Selected(
        place=row.place,
        event_id=event_id,
        event_type=row.type,
        subject=row.subject,
        age=Age(version=row.version, occurred_at=row.occurred_at),
        destination=destination,
        lane_subject=lane_subject,
        delivery_id=delivery_id,
        webhook_id=webhook_id,
    )


def _recorded(row: Any) -> RecordedEvent:
    return RecordedEvent(
        id=row.id,
        source=row.source,
        type=row.type,
        subject=row.subject,
        payload={},  # which events a destination takes is told by the envelope alone
        version=row.version,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        correlation_id=row.correlation_id,
        traceparent=row.traceparent,
        caused_by=row.caused_by,
    )
