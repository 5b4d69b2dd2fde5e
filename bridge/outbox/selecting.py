"""Reads which (event, destination) pairs a replay selects, and which of them somebody else is sending. Reads only.

A pair is selected as it stood when the order was given (`ReplayFilter.as_of`): what ended or was replayed since then
changes nothing, so that what was counted is what is walked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from bridge.database import UtcDateTime
from bridge.events import RecordedEvent
from bridge.outbox.selection import ReplayFilter, Wants
from bridge.outbox.staleness import Age
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

_EVENT = core(EventRow)
_DELIVERY = core(DeliveryRow)
_LANE = core(LaneRow)

#: Whose the row is that an order for one delivery has taken.
SINGLE = "single"
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
class Taken:
    """A selected pair that was owed again by somebody else."""

    #: Id of the replay, or SINGLE.
    by: str
    #: True: before the order was given, so that its counts know of it.
    before: bool
    #: True: that delivery was cancelled, and the pair is free again.
    cancelled: bool


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
    if chosen.state == "none" and chosen.destination is not None:
        statement = _never_owed(chosen)
    else:
        statement = _ended(chosen)
    if subjects is not None:
        statement = statement.where(_EVENT.c.subject.in_(subjects))
    if after is not None:
        statement = statement.where(statement.selected_columns.place > after)
    rows = session.execute(statement.limit(limit)).all()
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


def taken_among(session: Session, pairs: Sequence[Selected], as_of: datetime) -> dict[Selected, Taken]:
    """Those of `pairs` that were owed again by somebody else, as things stand."""
    by_pair = {(one.event_id, one.destination): one for one in pairs}
    taken: dict[Selected, Taken] = {}
    rows = session.execute(_OWED_AGAIN, {"events": [one.event_id for one in pairs], "as_of": as_of}) if pairs else ()
    for row in rows:
        pair = by_pair.get((row.event_id, row.destination))
        if pair is None or (pair.delivery_id is not None and row.id <= pair.delivery_id):
            continue
        cancelled = row.state == "cancelled"
        if cancelled and pair in taken:
            continue  # one that was or will be sent says more
        taken[pair] = Taken(by=row.replay_id or SINGLE, before=row.created_at < as_of, cancelled=cancelled)
    return taken


def _ended(chosen: ReplayFilter) -> Select[Any]:
    """Pairs whose newest delivery that had ended by then is in the state that is asked for."""
    later = _DELIVERY.alias("later")
    again = exists().where(
        later.c.event_id == _DELIVERY.c.event_id,
        later.c.destination == _DELIVERY.c.destination,
        later.c.id > _DELIVERY.c.id,
        later.c.finished_at <= chosen.as_of,
        _was_meant(later),
    )
    statement = (
        select(
            _DELIVERY.c.id.label("place"),
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
        .where(_DELIVERY.c.finished_at <= chosen.as_of, _was_meant(_DELIVERY), ~again, *_event_conditions(chosen))
        .order_by(_DELIVERY.c.id)
    )
    state = _DELIVERY.c.state
    statement = statement.where(state == chosen.state if chosen.state else state != "pending")
    if chosen.destination is not None:
        statement = statement.where(_DELIVERY.c.destination == chosen.destination)
    return statement


def _never_owed(chosen: ReplayFilter) -> Select[Any]:
    """Events that the destination had not been owed by then, but for what open replays were sending it."""
    owed_before = exists().where(
        _DELIVERY.c.event_id == _EVENT.c.id,
        _DELIVERY.c.destination == chosen.destination,
        or_(
            and_(_DELIVERY.c.replay_id.is_(None), _DELIVERY.c.created_at <= chosen.as_of),
            and_(_DELIVERY.c.finished_at <= chosen.as_of, _was_meant(_DELIVERY)),
        ),
    )
    return (
        select(
            _EVENT.c.id.label("place"), *(column for column in _EVENT.c if column.name not in ("body", "errors"))
        )
        .where(_EVENT.c.state == "recorded", _EVENT.c.received_at <= chosen.as_of)
        .where(~owed_before, *_event_conditions(chosen))
        .order_by(_EVENT.c.id)
    )  # fmt: skip


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
        payload=row.payload,
        version=row.version,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        correlation_id=row.correlation_id,
        traceparent=row.traceparent,
        caused_by=row.caused_by,
    )


_as_of = bindparam("as_of", type_=UtcDateTime())
_OWED_AGAIN = (
    select(
        _DELIVERY.c.event_id,
        _DELIVERY.c.destination,
        _DELIVERY.c.id,
        _DELIVERY.c.replay_id,
        _DELIVERY.c.created_at,
        _DELIVERY.c.state,
    )
    .where(_DELIVERY.c.event_id.in_(bindparam("events", expanding=True)))
    .where(or_(_DELIVERY.c.finished_at.is_(None), _DELIVERY.c.finished_at > _as_of))
    .order_by(_DELIVERY.c.id)
)
