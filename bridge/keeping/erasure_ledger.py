"""All SQL of cleaning up after an erasure. It may not decide who is erased, nor destroy a key.

The events of a subject are walked in the order of their ids, a page at a time; functions take a session and never
commit. Statements are built once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row, bindparam, case, func, select, update
from sqlalchemy.orm import Session

from bridge.privacy.vault import BODY, IS_KEY, KEYS
from bridge.tables import AttemptRow, DeliveryRow, EventRow, core

_ATTEMPT = core(AttemptRow)
_DELIVERY = core(DeliveryRow)
_EVENT = core(EventRow)

#: A row of `_PAGE` or `_CONTENTS`.
Found: TypeAlias = Row[*tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class DeliveredBefore:
    """What a destination was sent before the erasure; we cannot recall it. Times are aware, UTC."""

    destination: str
    deliveries: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How many events of a subject there are, and how many of them were erased before."""

    events: int
    erased: int


def newest_event(session: Session, subject: str) -> str:
    """Id of the newest event of a subject; "" where it has none."""
    return session.scalar(_NEWEST, {"about": subject}) or ""


def page_of(session: Session, subject: str, *, after: str, upto: str, most: int) -> Sequence[Found]:
    """`id`, `key_id`, `scope` and `wrapped` of the events of a subject after an id, up to another one."""
    return session.execute(_PAGE, {"about": subject, "after": after, "upto": upto, "most": most}).all()


def contents_of(session: Session, subject: str, *, after: str) -> Iterable[Found]:
    """`id`, `occurred_at`, `received_at` and what `Vault.body` opens, few in memory at once."""
    values = {"about": subject, "after": after}
    return session.execute(_CONTENTS, values, execution_options={"yield_per": 50})


def overwrite(session: Session, event_ids: Sequence[str], *, key_id: str) -> None:
    """Overwrite what is plain, or sealed with a key that others need, and name a destroyed key in its place."""
    if event_ids:
        session.execute(_OVERWRITE, {"events": list(event_ids), "destroyed": key_id})


def empty_leftovers(session: Session, event_ids: Sequence[str]) -> None:
    """Empty what else tells of the content: progress of commands, answers."""
    for statement in (_EMPTY_PROGRESS, _EMPTY_ANSWERS):
        session.execute(statement, {"events": list(event_ids)})


def free_content_keys(session: Session, event_ids: Sequence[str]) -> None:
    """Drop the hash of their content, by which a repeat is known. Before their lanes are locked."""
    if event_ids:
        session.execute(_FREE_CONTENT_KEYS, {"events": list(event_ids)})


def delivered_before(session: Session, event_ids: Sequence[str]) -> list[DeliveredBefore]:
    """Per destination what it was sent of these events."""
    return _delivered(session.execute(_DELIVERED, {"events": list(event_ids)}))


def kept_of(session: Session, subject: str) -> Kept:
    """How many events of a subject there are."""
    row = session.execute(_KEPT, {"about": subject}).one()
    return Kept(events=row.events, erased=row.erased or 0)


def owed_of(session: Session, subject: str) -> dict[str, int]:
    """Per destination what is still owed of a subject."""
    return {row.destination: row.deliveries for row in session.execute(_OWED, {"about": subject})}


def delivered_of(session: Session, subject: str) -> list[DeliveredBefore]:
    """As `delivered_before`, of all events of a subject."""
    return _delivered(session.execute(_DELIVERED_OF, {"about": subject}))


def together(counts: Collection[DeliveredBefore]) -> list[DeliveredBefore]:
    """One per destination, by name."""
    return [
        DeliveredBefore(
            destination=name,
            deliveries=sum(one.deliveries for one in mine),
            first_at=min(one.first_at for one in mine),
            last_at=max(one.last_at for one in mine),
        )
        for name in sorted({one.destination for one in counts})
        if (mine := [one for one in counts if one.destination == name])
    ]


def _delivered(rows: Iterable[Found]) -> list[DeliveredBefore]:
    return [
        DeliveredBefore(destination=row.destination, deliveries=row.deliveries, first_at=row.first, last_at=row.last)
        for row in rows
    ]


_is_about = _EVENT.c.subject == bindparam("about")
_among_events: Any = bindparam("events", expanding=True)
_NEWEST = select(func.max(_EVENT.c.id)).where(_is_about)
_PAGE = (
    select(_EVENT.c.id, _EVENT.c.key_id, KEYS.c.scope, KEYS.c.wrapped)
    .outerjoin(KEYS, IS_KEY)
    .where(_is_about, _EVENT.c.id > bindparam("after"), _EVENT.c.id <= bindparam("upto"))
    .order_by(_EVENT.c.id)
    .limit(bindparam("most"))
)
_CONTENTS = (
    select(_EVENT.c.id, _EVENT.c.occurred_at, _EVENT.c.received_at, *BODY)
    .outerjoin(KEYS, IS_KEY)
    .where(_is_about, _EVENT.c.id > bindparam("after"))
    .order_by(_EVENT.c.id)
)
_OVERWRITE = (
    update(_EVENT)
    .where(_EVENT.c.id.in_(_among_events))
    .values(key_id=bindparam("destroyed"), payload=None, sealed_payload=None, body=b"")
)
_EMPTY_PROGRESS = (
    update(_DELIVERY)
    .where(_DELIVERY.c.event_id.in_(_among_events), _DELIVERY.c.progress.is_not(None))
    .values(progress=None)
)
_EMPTY_ANSWERS = (
    update(_ATTEMPT)
    .where(
        _ATTEMPT.c.delivery_id.in_(select(_DELIVERY.c.id).where(_DELIVERY.c.event_id.in_(_among_events))),
        _ATTEMPT.c.answer_excerpt.is_not(None),
    )
    .values(answer_excerpt=None)
)
# Not the sender's own delivery id: a webhook that is sent again because its answer was lost must not bring it all back.
_FREE_CONTENT_KEYS = (
    update(_EVENT)
    .where(_EVENT.c.id.in_(_among_events), _EVENT.c.content_key.is_not(None))
    .values(content_key=None, content_key_until=None)
)
_BY_DESTINATION = select(
    _DELIVERY.c.destination,
    func.count().label("deliveries"),
    func.min(_DELIVERY.c.finished_at).label("first"),
    func.max(_DELIVERY.c.finished_at).label("last"),
).group_by(_DELIVERY.c.destination)
_DELIVERED = _BY_DESTINATION.where(_DELIVERY.c.event_id.in_(_among_events), _DELIVERY.c.state == "delivered")
_OF_SUBJECT = _BY_DESTINATION.join(_EVENT, _EVENT.c.id == _DELIVERY.c.event_id).where(_is_about)
_DELIVERED_OF = _OF_SUBJECT.where(_DELIVERY.c.state == "delivered")
_OWED = _OF_SUBJECT.where(_DELIVERY.c.state == "pending")
_was_erased = case((_EVENT.c.key_id.is_not(None) & KEYS.c.wrapped.is_(None), 1), else_=0)
_KEPT = (
    select(func.count().label("events"), func.sum(_was_erased).label("erased"))
    .select_from(_EVENT)
    .outerjoin(KEYS, IS_KEY)
    .where(_is_about)
)
