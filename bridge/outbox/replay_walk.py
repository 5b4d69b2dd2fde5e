"""Carries out replay orders: every step appends a few deliveries and remembers where it stands.

Any worker may take the next step; the order's `due_at` keeps the rate and keeps two workers apart. A step is one short
transaction that holds the order's row from its first statement on: whoever pauses or cancels waits for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditNotes
from bridge.clock import new_id
from bridge.outbox.ledger.append import NewDelivery, append, hold_lanes
from bridge.outbox.replay_ends import complete, ended_replays, sweep
from bridge.outbox.selecting import Page, Selected, newest_among, select_page
from bridge.outbox.selection import ReplayFilter, Wants, loaded_filter
from bridge.outbox.taken import Taken, taken_among
from bridge.tables import ReplayRow, core

_REPLAY = core(ReplayRow)

#: Deliveries appended in one step at most: live events are recorded between two.
AT_ONCE = 50
#: Workers look about so often; what the rate allows in it may go at once, and not more.
SECOND = timedelta(seconds=1)
#: Rows looked at in one step at most, where few of them are to be sent.
MOST_LOOKED_AT = 2000
#: Rows looked at together at least, however low the rate is.
FEWEST_LOOKED_AT = 50


def due_replays(session: Session, *, now: datetime) -> list[str]:
    """Orders that `step_replay` is for: those that walk, those that are cancelled, those that have come to their end.

    Idle orders cost a read of the orders, which are few.
    """
    return [*session.scalars(_DUE, {"now": now}), *ended_replays(session)]


def step_replay(
    session: Session, replay_id: str, wanted: Mapping[str, Wants], *, now: datetime, notes: AuditNotes
) -> int:
    """Take the next step of one order, if nobody else has; returns how many deliveries it appended or cancelled."""
    order = session.execute(_TAKE_STEP, {"replay": replay_id, "now": now}).one_or_none()
    if order is not None:
        return _walk_on(session, order, wanted, now)
    if complete(session, replay_id, now=now, notes=notes):
        return 0
    return sweep(session, replay_id, now=now, notes=notes)


@dataclass(frozen=True, kw_only=True)
class _Stride:
    """What a step goes over: the pairs to be sent, the ones left to others, and where the walk stands then."""

    sent: Sequence[Selected]
    #: By the places of their pairs.
    taken: Mapping[str, Taken]
    #: None: at the end.
    cursor: str | None


def _walk_on(session: Session, order: Any, wanted: Mapping[str, Wants], now: datetime) -> int:
    chosen = loaded_filter(order.filter)
    if chosen.destination is not None and chosen.destination not in wanted:
        return 0  # this worker's configuration does not know it; another's may
    steps = ceil(order.rate / AT_ONCE)  # of a second, all alike: none would be left over for the next
    quota = max(1, int(order.rate / steps))
    stride = _stride(session, order, chosen, wanted, quota)
    append(session, [_replayed(one, order.id) for one in stride.sent], now=now)
    skipped, matched = _counted(order, stride)
    pause = timedelta(microseconds=int(1_000_000 * len(stride.sent) / order.rate))
    next_due = max(order.due_at, now - max(SECOND - pause, timedelta(0))) + pause
    session.execute(
        _REMEMBER,
        {
            "replay": order.id,
            "stand": stride.cursor or order.cursor,
            "due": None if stride.cursor is None else next_due,
            "skipped": skipped,
            "number": matched,
        },
    )
    return len(stride.sent)


def _stride(session: Session, order: Any, chosen: ReplayFilter, wanted: Mapping[str, Wants], quota: int) -> _Stride:
    """The next `quota` pairs, from no more rows than MOST_LOOKED_AT."""
    as_of = chosen.as_of or order.created_at
    ahead = _look_ahead(session, order, chosen, wanted, quota, as_of)
    # Locked first: of two orders that select the same pair, the second waits here and then finds the first's. All of
    # them at once, so in the order that recorders lock in: by the page, the two could wait for each other.
    hold_lanes(session, [(one.destination, one.lane_subject) for one in ahead.pairs])
    others = taken_among(session, ahead.pairs, as_of)
    sent: list[Selected] = []
    taken: dict[str, Taken] = {}
    cursor = order.cursor
    for one in ahead.pairs:
        if len(sent) == quota:
            return _Stride(sent=sent, taken=taken, cursor=cursor)
        cursor = one.place
        other = others.get(one.place)
        if other is not None:
            taken[one.place] = other
        if _is_free(other):
            sent.append(one)
    return _Stride(sent=sent, taken=taken, cursor=ahead.cursor)


def _look_ahead(
    session: Session, order: Any, chosen: ReplayFilter, wanted: Mapping[str, Wants], quota: int, as_of: datetime
) -> Page:
    """The next pairs, page by page, until `quota` of them are free as far as can be told without their lanes."""
    pairs: list[Selected] = []
    cursor, looked_at, free = order.cursor, 0, 0
    while True:
        limit = max(quota - free, FEWEST_LOOKED_AT)
        page = select_page(session, chosen, wanted, after=cursor, limit=limit)
        found = newest_among(session, page.pairs, chosen, wanted) if order.mode == "latest" else page.pairs
        others = taken_among(session, found, as_of)
        free += sum(_is_free(others.get(one.place)) for one in found)
        pairs += found
        looked_at += limit
        cursor = page.cursor
        if cursor is None or free >= quota or looked_at >= MOST_LOOKED_AT:
            return Page(pairs=pairs, cursor=cursor)


def _is_free(other: Taken | None) -> bool:
    return other is None or other.cancelled


def _counted(order: Any, stride: _Stride) -> tuple[dict[str, int], int]:
    """The order's `skipped_for` and `matched`, brought up to date by what was not known when it was given."""
    skipped, matched = Counter[str](order.skipped_for or {}), order.matched
    for other in stride.taken.values():
        if other.before and other.cancelled:  # counted as skipped, but free again
            skipped[other.by] -= 1
            matched += 1
        elif not other.before and not other.cancelled:
            skipped[other.by] += 1
            matched -= 1
    return dict(+skipped), matched


def _replayed(one: Selected, replay_id: str) -> NewDelivery:
    return NewDelivery(
        id=new_id(),
        event_id=one.event_id,
        event_type=one.event_type,
        destination=one.destination,
        subject=one.lane_subject,
        webhook_id=one.webhook_id,
        replay_of=one.delivery_id,
        replay_id=replay_id,
        background=True,
    )


_walks = and_(_REPLAY.c.state == "running", _REPLAY.c.due_at <= bindparam("now"))
_is_swept = and_(
    _REPLAY.c.state == "cancelled",
    _REPLAY.c.finished_at.is_(None),
    or_(_REPLAY.c.due_at.is_(None), _REPLAY.c.due_at <= bindparam("now")),
)
_DUE = select(_REPLAY.c.id).where(or_(_walks, _is_swept)).order_by(_REPLAY.c.id)
_TAKE_STEP = (
    update(_REPLAY)
    .where(_REPLAY.c.id == bindparam("replay"), _walks)
    .values(due_at=_REPLAY.c.due_at)  # only to hold the row until the step is committed
    .returning(
        *(
            _REPLAY.c[name]
            for name in ("id", "created_at", "filter", "mode", "rate", "cursor", "matched", "skipped_for", "due_at")
        )
    )
)
_REMEMBER = (
    update(_REPLAY)
    .where(_REPLAY.c.id == bindparam("replay"))
    .values(
        cursor=bindparam("stand"),
        due_at=bindparam("due"),
        skipped_for=bindparam("skipped"),
        matched=bindparam("number"),
    )
)
