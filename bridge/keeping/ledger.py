"""All SQL of forgetting events and rejections. It may not decide what is due.

Rows are walked in the order of their ids, the oldest first, a page at a time; functions take a session and never
commit. Every statement finds its rows by a key: none walks a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import CursorResult, Delete, Row, and_, bindparam, case, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from bridge.database import UtcDateTime
from bridge.events import event_subject
from bridge.keeping.rules import Until
from bridge.privacy.data_keys import remove_without_events
from bridge.privacy.vault import BODY, IS_KEY, KEYS
from bridge.tables import (
    AttemptRow,
    DeliveryRow,
    EventRow,
    LaneRow,
    OpenMergeRow,
    PurgeRow,
    RejectionRow,
    core,
)

#: One of a page of rows, the oldest first.
Old: TypeAlias = Row[*tuple[Any, ...]]

_ATTEMPT = core(AttemptRow)
_DELIVERY = core(DeliveryRow)
_EVENT = core(EventRow)
_LANE = core(LaneRow)
_OPEN_MERGE = core(OpenMergeRow)
_PURGE = core(PurgeRow)
_REJECTION = core(RejectionRow)


@dataclass(frozen=True, kw_only=True)
class Owed:
    """The deliveries of one event together."""

    #: Rows of them and of their attempts.
    rows: int
    #: True: one of them is still owed, still the head of its lane, or too young.
    stays: bool


def oldest_events(session: Session, *, after: str, most: int) -> Sequence[Old]:
    """`id`, `state`, `received_at` and `bytes` of the events after an id, the oldest first."""
    return session.execute(_OLDEST_EVENTS, {"after": after, "most": most}).all()


def owed_of(session: Session, event_ids: Sequence[str], old: Until) -> dict[str, Owed]:
    """By event id; an event that nobody was owed is not in it."""
    rows = session.execute(_OWED, {"events": event_ids, "dead": old.dead, "delivered": old.delivered})
    return {row.event_id: Owed(rows=row.rows, stays=bool(row.stays)) for row in rows}


def purged_by(session: Session, event_ids: Sequence[str]) -> set[str]:
    """Those of the events that are the command of a purge."""
    return set(session.scalars(_COMMANDS_OF_PURGES, {"events": event_ids}))


def contents(session: Session, event_ids: Sequence[str]) -> Iterable[Old]:
    """`id`, `subject`, `occurred_at`, `received_at` and what `Vault.body` opens, few in memory at once."""
    return session.execute(_CONTENTS, {"events": event_ids}, execution_options={"yield_per": 50})


def lock_events(session: Session, event_ids: Sequence[str]) -> list[str]:
    """Those of the events that nobody else works on; from here on nothing new can be owed for them."""
    return list(session.scalars(_LOCK_EVENTS, {"events": event_ids}))


def forget_events(session: Session, event_ids: Sequence[str]) -> Counter[str]:
    """Remove the events with all that hangs on them; how many rows of what."""
    rows = session.execute(_DELIVERIES, {"events": event_ids}).all()
    removed = Counter[str]()
    removed["attempts"] = _removed(session, _FORGET_ATTEMPTS, [row.id for row in rows])
    removed["deliveries"] = _removed(session, _FORGET_DELIVERIES, [row.id for row in rows])
    _removed(session, _FORGET_OPEN_MERGES, event_ids)
    sealed_by = session.execute(_SEALED_BY, {"events": event_ids}).all()
    removed["events"] = _removed(session, _FORGET_EVENTS, event_ids)
    removed["keys"] = remove_without_events(session, {(row.subject, row.key_id) for row in sealed_by})
    removed["lanes"] = _forget_lanes(session, sorted({row.lane_id for row in rows}), event_ids)
    return removed


def oldest_rejections(session: Session, *, after: str, most: int) -> Sequence[Old]:
    """`id`, `at` and `bytes` of the rejections after an id, the oldest first."""
    return session.execute(_OLDEST_REJECTIONS, {"after": after, "most": most}).all()


def rejected_bodies(session: Session, ids: Sequence[str]) -> Iterable[Old]:
    """`id`, `at` and what `Vault.rejected_body` opens, of those whose body is kept; few in memory at once."""
    return session.execute(_REJECTED_BODIES, {"keys": ids}, execution_options={"yield_per": 50})


def forget_rejections(session: Session, ids: Sequence[str]) -> int:
    return _removed(session, _FORGET_REJECTIONS, ids)


def _forget_lanes(session: Session, lane_ids: Sequence[int], event_ids: Sequence[str]) -> int:
    """Those that are empty and know no version, and those that belonged to one of the events alone."""
    own = [event_subject(event_id) for event_id in event_ids]
    # Locked first: the second statement then sees every delivery that was appended before.
    idle = list(session.scalars(_LOCK_IDLE_LANES, {"lanes": lane_ids, "own": own}))
    return _removed(session, _FORGET_LANES, idle)


def _removed(session: Session, statement: Delete, keys: Sequence[Any]) -> int:
    if not keys:
        return 0
    result = session.execute(statement, {"keys": list(keys)})
    assert isinstance(result, CursorResult)
    return result.rowcount


def _among(name: str) -> Any:
    return bindparam(name, expanding=True)


_OLDEST_EVENTS = (
    select(_EVENT.c.id, _EVENT.c.state, _EVENT.c.received_at, func.length(_EVENT.c.body).label("bytes"))
    .where(_EVENT.c.id > bindparam("after"))
    .order_by(_EVENT.c.id)
    .limit(bindparam("most"))
)
_old_enough = case(
    (_DELIVERY.c.state == "dead", bindparam("dead", type_=UtcDateTime())),
    else_=bindparam("delivered", type_=UtcDateTime()),
)
# A lane steps onto the place of its head, and never finds its way on where there is no row.
_stays = or_(_DELIVERY.c.state == "pending", _DELIVERY.c.seq >= _LANE.c.head_seq, _DELIVERY.c.finished_at > _old_enough)
_OWED = (
    select(
        _DELIVERY.c.event_id,
        (func.count() + func.sum(_DELIVERY.c.attempts)).label("rows"),
        func.max(case((_stays, 1), else_=0)).label("stays"),
    )
    .join(_LANE, _LANE.c.lane_id == _DELIVERY.c.lane_id)
    .where(_DELIVERY.c.event_id.in_(_among("events")))
    .group_by(_DELIVERY.c.event_id)
)
_COMMANDS_OF_PURGES = select(_PURGE.c.command_id).where(_PURGE.c.command_id.in_(_among("events")))
_CONTENTS = (
    select(_EVENT.c.id, _EVENT.c.subject, _EVENT.c.occurred_at, _EVENT.c.received_at, *BODY)
    .outerjoin(KEYS, IS_KEY)
    .where(_EVENT.c.id.in_(_among("events")))
)
_LOCK_EVENTS = select(_EVENT.c.id).where(_EVENT.c.id.in_(_among("events"))).with_for_update(skip_locked=True)
_SEALED_BY = select(_EVENT.c.subject, _EVENT.c.key_id).where(
    _EVENT.c.id.in_(_among("events")), _EVENT.c.key_id.is_not(None)
)
_DELIVERIES = select(_DELIVERY.c.id, _DELIVERY.c.lane_id).where(_DELIVERY.c.event_id.in_(_among("events")))
_FORGET_ATTEMPTS = delete(_ATTEMPT).where(_ATTEMPT.c.delivery_id.in_(_among("keys")))
_FORGET_DELIVERIES = delete(_DELIVERY).where(_DELIVERY.c.id.in_(_among("keys")))
_FORGET_OPEN_MERGES = delete(_OPEN_MERGE).where(_OPEN_MERGE.c.command_id.in_(_among("keys")))
_FORGET_EVENTS = delete(_EVENT).where(_EVENT.c.id.in_(_among("keys")))
_LOCK_IDLE_LANES = (
    select(_LANE.c.lane_id)
    .where(
        _LANE.c.lane_id.in_(_among("lanes")),
        _LANE.c.head_seq > _LANE.c.last_seq,
        _LANE.c.due_at.is_(None),
        or_(
            and_(_LANE.c.last_version.is_(None), _LANE.c.last_occurred_at.is_(None)),
            _LANE.c.subject.in_(_among("own")),
        ),
    )
    .with_for_update(skip_locked=True)
)
_FORGET_LANES = delete(_LANE).where(
    _LANE.c.lane_id.in_(_among("keys")), ~exists().where(_DELIVERY.c.lane_id == _LANE.c.lane_id)
)
_OLDEST_REJECTIONS = (
    select(_REJECTION.c.id, _REJECTION.c.at, func.coalesce(func.length(_REJECTION.c.body), 0).label("bytes"))
    .where(_REJECTION.c.id > bindparam("after"))
    .order_by(_REJECTION.c.id)
    .limit(bindparam("most"))
)
_REJECTED_BODIES = (
    select(_REJECTION.c.id, _REJECTION.c.at, _REJECTION.c.body, _REJECTION.c.key_id, KEYS.c.wrapped, KEYS.c.wrapped_by)
    .outerjoin(KEYS, KEYS.c.id == _REJECTION.c.key_id)
    .where(_REJECTION.c.id.in_(_among("keys")), _REJECTION.c.body.is_not(None))
)
_FORGET_REJECTIONS = delete(_REJECTION).where(_REJECTION.c.id.in_(_among("keys")))
