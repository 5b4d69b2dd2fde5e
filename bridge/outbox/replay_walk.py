"""Carries out replay orders: every step appends what the rate allows and remembers where it stands.

Any worker may take the next step; the order's `due_at` keeps the rate and keeps two workers apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, select, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import new_id
from bridge.outbox.ledger.append import NewDelivery, append
from bridge.outbox.selection import Selected, Wants, is_newest_of_its_subject, loaded_filter, select_page
from bridge.tables import DeliveryRow, ReplayRow, core

_REPLAY = core(ReplayRow)
_DELIVERY = core(DeliveryRow)

STEP = timedelta(seconds=1)


def step_replays(session: Session, wanted: Mapping[str, Wants], *, now: datetime, notes: AuditNotes) -> int:
    """Take one step of every order that is due, complete those whose deliveries have all ended.

    Returns how many deliveries were appended. Idle orders cost one indexed read.
    """
    appended = 0
    for replay_id in session.scalars(_DUE, {"now": now}).all():
        order = session.execute(_TAKE_STEP, {"replay": replay_id, "now": now, "next": now + STEP}).one_or_none()
        if order is not None:  # else another worker took this step
            appended += _step(session, order, wanted, now)
    for replay_id in session.scalars(_ENDED).all():
        if session.scalar(_COMPLETE, {"replay": replay_id, "now": now}) is not None:
            subject = f"replay:{replay_id}"
            notes.write(session, [AuditEntry(actor="worker", action="replay.completed", subject=subject)], now)
    return appended


def has_steps(session: Session) -> bool:
    """True while any order runs: what a worker looks at before it takes a write lock."""
    return bool(session.scalar(_ANY_RUNNING))


def _step(session: Session, order: Any, wanted: Mapping[str, Wants], now: datetime) -> int:
    chosen = loaded_filter(order.filter)
    limit = max(1, round(order.rate * STEP.total_seconds()))
    page = select_page(session, chosen, wanted, after=order.cursor, limit=limit)
    pairs = page.pairs
    if order.mode == "latest":
        pairs = [one for one in pairs if is_newest_of_its_subject(session, one, chosen, wanted)]
    append(session, [_replayed(one, order.id) for one in pairs], now=now)
    done = page.cursor is None
    place = {"replay": order.id, "stand": page.cursor or order.cursor, "due": None if done else now + STEP}
    session.execute(_REMEMBER, place)
    return len(pairs)


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


_ANY_RUNNING = select(exists().where(_REPLAY.c.state == "running"))
_DUE = select(_REPLAY.c.id).where(_REPLAY.c.state == "running", _REPLAY.c.due_at <= bindparam("now"))
_TAKE_STEP = (
    update(_REPLAY)
    .where(_REPLAY.c.id == bindparam("replay"), _REPLAY.c.state == "running", _REPLAY.c.due_at <= bindparam("now"))
    .values(due_at=bindparam("next"))
    .returning(_REPLAY.c.id, _REPLAY.c.filter, _REPLAY.c.mode, _REPLAY.c.rate, _REPLAY.c.cursor)
)
_REMEMBER = (
    update(_REPLAY)
    .where(_REPLAY.c.id == bindparam("replay"))
    .values(cursor=bindparam("stand"), due_at=bindparam("due"))
)
_still_owed = exists().where(_DELIVERY.c.replay_id == _REPLAY.c.id, _DELIVERY.c.state == "pending")
_ENDED = select(_REPLAY.c.id).where(_REPLAY.c.state == "running", _REPLAY.c.due_at.is_(None), ~_still_owed)
_COMPLETE = (
    update(_REPLAY)
    .where(_REPLAY.c.id == bindparam("replay"), _REPLAY.c.state == "running")
    .values(state="completed", finished_at=bindparam("now"))
    .returning(_REPLAY.c.id)
)
