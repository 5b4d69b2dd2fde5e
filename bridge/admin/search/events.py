"""Events as administrators see them: personal data masked, with what became of them."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, literal_column, select
from sqlalchemy.orm import Session

from bridge.admin.search.pages import Page, PageRequest, cut
from bridge.admin.search.sending import SHOWN_STATE
from bridge.errors import NotFound
from bridge.events import version_number
from bridge.lists.spans import span_of
from bridge.lists.walk import Run, walk
from bridge.privacy.key_ring import CANNOT_OPEN
from bridge.privacy.masking import Masking
from bridge.privacy.vault import BODY, IS_KEY, KEYS, PAYLOAD, SealedRow, Vault, erased
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

LISTED = "events"
#: Bodies behind one page at most: the process that shows them also receives.
MAX_PAGE_BYTES = 8 * 1024 * 1024

_EVENT = core(EventRow)
_DELIVERY = core(DeliveryRow)
_LANE = core(LaneRow)


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """What is looked for; a field that is None does not narrow. Times are `received_at`, aware."""

    source: str | None = None
    type: str | None = None
    subject: str | None = None
    #: `recorded` or `unreadable`.
    state: str | None = None
    #: Part of the subject, in any case.
    text: str | None = None
    since: datetime | None = None
    #: Exclusive.
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class OwedDelivery:
    """A delivery of an event in one line."""

    id: str
    destination: str
    #: As `FoundDelivery.state`.
    state: str


@dataclass(frozen=True, kw_only=True)
class FoundEvent:
    """One event; `payload` is masked, and None where it was erased or cannot be opened."""

    id: str
    source: str
    type: str
    subject: str
    #: A number where it is one: such versions are compared.
    version: int | str | None
    occurred_at: datetime | None
    received_at: datetime
    duplicates: int
    state: str
    correlation_id: str | None
    payload: Any
    #: What is wrong with an unreadable event: {field, rule, message} each; else None.
    errors: list[dict[str, str]] | None
    #: True where its bodies were erased: the envelope is all that is left.
    erased: bool
    #: In the order in which they were owed.
    deliveries: list[OwedDelivery]


@dataclass(frozen=True, kw_only=True)
class EventBody:
    """One event with the exact bytes that it came in: an empty object where they were erased or cannot be opened."""

    id: str
    source: str
    type: str
    subject: str
    state: str
    received_at: datetime
    errors: list[dict[str, str]] | None
    body: bytes


def find_events(
    session: Session, wanted: EventFilter, page: PageRequest, *, masking: Masking, vault: Vault, now: datetime
) -> Page[FoundEvent]:
    """One page of events, newest first; it ends early where the bodies are larger than MAX_PAGE_BYTES together, or
    where it has looked at `page.examined` events."""
    run = _run(wanted)
    walked = walk(
        session,
        [run],
        _conditions(wanted, run),
        span=span_of(session, _EVENT, "received_at", wanted.since, wanted.until),
        before_id=page.before_id,
        most=page.limit + 1,
        examined=page.examined,
    )
    sizes = session.scalars(_SIZES, {"ids": walked.ids[: page.limit]}).all()
    found = cut(LISTED, replace(page, limit=_how_many_fit(sizes)), walked.ids, str, floor=walked.floor)
    rows = session.execute(_SHOWN.where(_EVENT.c.id.in_(found.items)).order_by(_EVENT.c.id.desc())).all()
    return Page(items=_with_deliveries(session, rows, masking, vault, now), next=found.next)


def unreadable_after(session: Session, wanted: EventFilter, after: str | None, *, limit: int) -> list[str]:
    """Ids of unreadable events, oldest first, from the one after `after` on."""
    found = _all_ids(session, replace(wanted, state="unreadable"))
    if after is not None:
        found = found.where(_EVENT.c.id > after)
    return list(session.scalars(found.order_by(None).order_by(_EVENT.c.id).limit(limit)))


def show_event(session: Session, event_id: str, *, masking: Masking, vault: Vault, now: datetime) -> FoundEvent:
    """One event. Raises NotFound."""
    row = session.execute(_SHOWN.where(_EVENT.c.id == event_id)).one_or_none()
    if row is None:
        raise _unknown()
    return _with_deliveries(session, [row], masking, vault, now)[0]


def raw_body(session: Session, event_id: str, vault: Vault) -> bytes:
    """The exact bytes that the event came in, unmasked: whoever asks must hide or account for them.

    Raises NotFound; Gone where they were erased.
    """
    row = session.execute(_RAW, {"event": event_id}).one_or_none()
    if row is None:
        raise _unknown()
    body = vault.body(event_id, row)
    if body is None:
        raise erased()
    return body


def newest_bodies(
    session: Session, wanted: EventFilter, before: str | None, vault: Vault, *, limit: int
) -> list[EventBody]:
    """Events with what they came in, newest first, below the id `before`. Unmasked, as `raw_body`."""
    ids = session.scalars(_all_ids(session, wanted, before=before).limit(limit)).all()
    return [
        EventBody(
            id=row.id,
            source=row.source,
            type=row.type,
            subject=row.subject,
            state=row.state,
            received_at=row.received_at,
            errors=row.errors,
            body=vault.readable_body(row.id, row) or b"{}",
        )
        for row in session.execute(_BODIES, {"ids": ids})
    ]


def _all_ids(session: Session, wanted: EventFilter, *, before: str | None = None) -> Select[str]:
    """However far back they lie, newest first."""
    run, span = _run(wanted), span_of(session, _EVENT, "received_at", wanted.since, wanted.until)
    found = run.ids(before=span.before(before), floor=span.begin)
    return found.where(*_conditions(wanted, run), *span.times)


def _run(wanted: EventFilter) -> Run:
    """By the index that narrows most; the rest of the filter is looked for on the way."""
    if wanted.subject is not None:
        return Run(table=_EVENT, values={"subject": wanted.subject})
    if wanted.state == "unreadable":
        # As a literal: SQLite takes a partial index only where the statement itself says its condition.
        return Run(table=_EVENT, partial=_EVENT.c.state == literal_column("'unreadable'"))
    if wanted.type is not None:
        return Run(table=_EVENT, values={"type": wanted.type})
    if wanted.source is not None:
        return Run(table=_EVENT, values={"source": wanted.source})
    return Run(table=_EVENT)


def _conditions(wanted: EventFilter, run: Run) -> list[ColumnElement[bool]]:
    """What the run does not say already."""
    conditions = [
        run.holds(name, value)
        for name in ("source", "type", "subject", "state")
        if (value := getattr(wanted, name)) is not None and name not in run.values
    ]
    if wanted.text is not None:
        conditions.append(func.lower(_EVENT.c.subject).contains(wanted.text.lower(), autoescape=True))
    return conditions


def _how_many_fit(sizes: Sequence[int]) -> int:
    """How many of the first bodies fit on a page: one at least, however large."""
    return max(1, bisect_right(list(accumulate(sizes)), MAX_PAGE_BYTES))


def _with_deliveries(
    session: Session, rows: Sequence[SealedRow], masking: Masking, vault: Vault, now: datetime
) -> list[FoundEvent]:
    owed: defaultdict[str, list[OwedDelivery]] = defaultdict(list)
    parameters = {"events": [row.id for row in rows], "now": now}
    for one in session.execute(_OWED, parameters):
        owed[one.event_id].append(OwedDelivery(id=one.id, destination=one.destination, state=one.state))
    return [_found(row, owed[row.id], masking, vault) for row in rows]


def _found(row: SealedRow, deliveries: list[OwedDelivery], masking: Masking, vault: Vault) -> FoundEvent:
    payload, trouble = _opened(row, vault)
    return FoundEvent(
        id=row.id,
        source=row.source,
        type=row.type,
        subject=row.subject,
        version=_shown_version(row.version),
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        duplicates=row.duplicates,
        state=row.state,
        correlation_id=row.correlation_id,
        payload=masking.tree(payload),
        errors=row.errors if trouble is None else [*(row.errors or []), trouble],
        erased=payload is None and trouble is None,
        deliveries=deliveries,
    )


def _opened(row: SealedRow, vault: Vault) -> tuple[dict[str, Any] | None, dict[str, str] | None]:
    """The payload; None where it was erased, or, with what is wrong, where it cannot be opened."""
    try:
        return vault.payload(row.id, row), None
    except CANNOT_OPEN as refusal:
        return None, {"field": "payload", "rule": "encrypted", "message": refusal.detail}


def _shown_version(version: str | None) -> int | str | None:
    number = version_number(version)
    # Only where the number is the text again, to every reader of JSON: not with leading zeros, nor beyond a double.
    return number if number is not None and str(number) == version and number < 2**53 else version


def _unknown() -> NotFound:
    return NotFound("no event has this id; see GET /api/v1/events")


#: The length of a body is read without the body.
_SIZES = (
    select(func.length(_EVENT.c.body))
    .where(_EVENT.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_EVENT.c.id.desc())
)
_SHOWN = select(
    *(_EVENT.c[name] for name in FoundEvent.__dataclass_fields__ if name in _EVENT.c and name != "payload"), *PAYLOAD
).outerjoin(KEYS, IS_KEY)
_RAW = select(*BODY).select_from(_EVENT).outerjoin(KEYS, IS_KEY).where(_EVENT.c.id == bindparam("event"))
_BODIES = (
    select(*(_EVENT.c[name] for name in ("id", "source", "type", "subject", "state", "received_at", "errors")), *BODY)
    .outerjoin(KEYS, IS_KEY)
    .where(_EVENT.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_EVENT.c.id.desc())
)
_OWED = (
    select(_DELIVERY.c.event_id, _DELIVERY.c.id, _DELIVERY.c.destination, SHOWN_STATE.label("state"))
    .join(_LANE, _LANE.c.lane_id == _DELIVERY.c.lane_id)
    .where(_DELIVERY.c.event_id.in_(bindparam("events", expanding=True)))
    .order_by(_DELIVERY.c.id)
)
