"""Which (event, destination) pairs a replay selects: never those whose event was erased. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import Session

from bridge.clock import rfc3339
from bridge.errors import FieldError, Invalid
from bridge.events import Owed, RecordedEvent
from bridge.outbox.staleness import Age
from bridge.privacy.vault import IS_KEY, IS_READABLE, KEYS
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

_EVENT = core(EventRow)
_DELIVERY = core(DeliveryRow)
_LANE = core(LaneRow)

#: Would this destination be owed this event today? A forwarder's `owe`, handed in by the app; told by the envelope.
Wants = Callable[[RecordedEvent], Owed | None]
#: States of the newest delivery of an event to a destination; `none`: it was never owed.
SELECTABLE = ("dead", "delivered", "superseded", "cancelled", "none")


@dataclass(frozen=True, kw_only=True)
class ReplayFilter:
    """What a replay selects; a field that is None does not narrow. Times are `received_at`, aware, UTC."""

    destination: str | None = None
    #: One of SELECTABLE; None: whatever is final.
    state: str | None = None
    type: str | None = None
    subject: str | None = None
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    #: Deliveries made later are not selected: a replay must not find its own.
    as_of: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Selected:
    """One event to be sent again to one destination. `delivery_id` None: it was never owed before."""

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


def check_filter(selected: ReplayFilter, wanted: Mapping[str, Wants]) -> None:
    """Raise Invalid, with every field that is wrong, unless the filter can be carried out."""
    errors = []
    if selected.state is not None and selected.state not in SELECTABLE:
        errors.append(FieldError(field="filter.state", rule="enum", message=f"use one of {', '.join(SELECTABLE)}"))
    if selected.destination is not None and selected.destination not in wanted:
        known = ", ".join(sorted(wanted)) or "none is configured"
        errors.append(FieldError(field="filter.destination", rule="known", message=f"known destinations: {known}"))
    if selected.state == "none" and selected.destination is None:
        message = "say which destination was never owed these events"
        errors.append(FieldError(field="filter.destination", rule="required", message=message))
    if selected.since and selected.until and selected.since >= selected.until:
        errors.append(FieldError(field="filter.until", rule="range", message="must lie after filter.since"))
    if errors:
        raise Invalid("the filter cannot be carried out", errors=errors)


def stored_filter(chosen: ReplayFilter) -> dict[str, object]:
    """The filter as JSON, without what does not narrow."""
    return {
        name: rfc3339(value) if isinstance(value, datetime) else value
        for name, value in asdict(chosen).items()
        if value is not None
    }


def loaded_filter(stored: Mapping[str, Any]) -> ReplayFilter:
    """The inverse of `stored_filter`."""
    times = {name: datetime.fromisoformat(stored[name]) for name in ("since", "until", "as_of") if name in stored}
    return ReplayFilter(**{**stored, **times})


def select_page(
    session: Session,
    chosen: ReplayFilter,
    wanted: Mapping[str, Wants],
    *,
    after: str | None = None,
    limit: int = 1000,
    as_ordered: bool = False,
) -> Page:
    """The next pairs after the cursor `after`, in the order of recording, from at most `limit` rows.

    `as_ordered` selects as if nothing had been replayed since `chosen.as_of`.
    """
    if chosen.state == "none" and chosen.destination is not None:
        return _never_owed(session, chosen, wanted[chosen.destination], after, limit)
    rows = session.execute(_pairs(chosen, after, as_ordered=as_ordered).limit(limit)).all()
    return Page(pairs=[_selected(row) for row in rows], cursor=rows[-1].id if len(rows) == limit else None)


def select_all(
    session: Session, chosen: ReplayFilter, wanted: Mapping[str, Wants], *, as_ordered: bool = False
) -> Iterator[Selected]:
    """Every selected pair, read page by page."""
    cursor: str | None = None
    while True:
        page = select_page(session, chosen, wanted, after=cursor, as_ordered=as_ordered)
        yield from page.pairs
        cursor = page.cursor
        if cursor is None:
            return


def newest_of_each_subject(pairs: Iterable[Selected]) -> list[Selected]:
    """Of each (destination, subject) the newest only, in the order given."""
    newest: dict[tuple[str, str], Selected] = {}
    for one in pairs:
        known = newest.get((one.destination, one.subject))
        if known is None or not one.age.is_older_than(known.age):
            newest[one.destination, one.subject] = one
    return list(newest.values())


def is_newest_of_its_subject(
    session: Session, one: Selected, chosen: ReplayFilter, wanted: Mapping[str, Wants]
) -> bool:
    """False where the same filter selects a newer event of the same subject for the same destination."""
    narrowed = replace(chosen, subject=one.subject, destination=one.destination)
    (newest,) = newest_of_each_subject(select_all(session, narrowed, wanted, as_ordered=True)) or (one,)
    return newest.event_id == one.event_id


def _pairs(chosen: ReplayFilter, after: str | None, *, as_ordered: bool) -> Select[Any]:
    later = _DELIVERY.alias("later")
    again = exists().where(
        later.c.event_id == _DELIVERY.c.event_id,
        later.c.destination == _DELIVERY.c.destination,
        later.c.id > _DELIVERY.c.id,
    )
    if as_ordered and chosen.as_of is not None:
        again = again.where(later.c.created_at <= chosen.as_of)
    statement = (
        select(
            _DELIVERY.c.id,
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
        .where(~again, IS_READABLE, *_event_conditions(chosen))
        .order_by(_DELIVERY.c.id)
    )
    state = _DELIVERY.c.state
    statement = statement.where(state == chosen.state if chosen.state else state != "pending")
    if chosen.destination is not None:
        statement = statement.where(_DELIVERY.c.destination == chosen.destination)
    if after is not None:
        statement = statement.where(_DELIVERY.c.id > after)
    if chosen.as_of is not None:
        statement = statement.where(_DELIVERY.c.created_at <= chosen.as_of)
    return statement


def _never_owed(session: Session, chosen: ReplayFilter, wants: Wants, after: str | None, limit: int) -> Page:
    owed_before = exists().where(_DELIVERY.c.event_id == _EVENT.c.id, _DELIVERY.c.destination == chosen.destination)
    statement = (
        select(*(_EVENT.c[name] for name in RecordedEvent.__dataclass_fields__ if name != "payload"))
        .outerjoin(KEYS, IS_KEY)
        .where(_EVENT.c.state == "recorded", IS_READABLE, ~owed_before, *_event_conditions(chosen))
        .order_by(_EVENT.c.id)
        .limit(limit)
    )
    if after is not None:
        statement = statement.where(_EVENT.c.id > after)
    if chosen.as_of is not None:
        statement = statement.where(_EVENT.c.received_at <= chosen.as_of)
    rows = session.execute(statement).all()
    pairs = []
    for row in rows:
        owed = wants(_recorded(row))
        if owed is not None:
            pairs.append(_never_owed_pair(row, owed))
    return Page(pairs=pairs, cursor=rows[-1].id if len(rows) == limit else None)


def _never_owed_pair(row: Any, owed: Owed) -> Selected:
    return Selected(
        event_id=row.id,
        event_type=row.type,
        subject=row.subject,
        age=Age(version=row.version, occurred_at=row.occurred_at),
        destination=owed.destination,
        lane_subject=owed.subject,
        delivery_id=None,
        webhook_id=None,
    )


def _selected(row: Any) -> Selected:
    return Selected(
        event_id=row.event_id,
        event_type=row.type,
        subject=row.subject,
        age=Age(version=row.version, occurred_at=row.occurred_at),
        destination=row.destination,
        lane_subject=row.lane_subject,
        delivery_id=row.id,
        webhook_id=row.webhook_id,
    )


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
