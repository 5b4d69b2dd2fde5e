"""How a replay ends: completed when the last of its deliveries has ended, or cancelled, with what was not sent yet.

What it made is counted once more and kept with it, because retention forgets deliveries. Every statement is guarded
by the order's state, so any worker may run it.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import bindparam, exists, or_, select, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.outbox.ledger.cancel import cancel_of_replay
from bridge.outbox.replay_progress import Tally, count_deliveries
from bridge.tables import DeliveryRow, ReplayRow, core

_DELIVERY = core(DeliveryRow)
_REPLAY = core(ReplayRow)

#: Deliveries cancelled in one transaction.
SWEPT_AT_ONCE = 500
#: Until the next look at those that were being sent.
PAUSE = timedelta(seconds=1)


def ended_replays(session: Session) -> list[str]:
    """Running orders whose every delivery was made and has ended."""
    return list(session.scalars(_ENDED))


def complete(session: Session, replay_id: str, *, now: datetime, notes: AuditNotes) -> bool:
    """Write down that a running order has ended; False where it has not, or another worker did it."""
    if session.scalar(_COMPLETE, {"replay": replay_id, "now": now}) is None:
        return False
    tally = _keep_tally(session, replay_id)
    session.execute(_CORRECT_MATCHED, {"replay": replay_id, "made": tally.made})
    _note(session, "replay.completed", replay_id, tally, now, notes)
    return True


def sweep(session: Session, replay_id: str, *, now: datetime, notes: AuditNotes) -> int:
    """Cancel the next of a cancelled order's deliveries that are not being sent; returns how many.

    Those that are being sent end by themselves, or are found again when their try has ended.
    """
    # Also the fence: whoever else is at it waits here, and then finds fewer of them, or that it has ended.
    if session.scalar(_TAKE_SWEEP, {"replay": replay_id, "now": now}) is None:
        return 0
    cancelled = cancel_of_replay(session, replay_id, most=SWEPT_AT_ONCE, now=now)
    notes.write(
        session,
        [
            AuditEntry(
                actor="worker",
                action="delivery.cancelled",
                subject=one.subject,
                details={"deliveryId": one.id, "destination": one.destination, "replayId": replay_id},
                plain=True,
            )
            for one in cancelled
        ],
        now,
    )
    if session.scalar(_CLOSE, {"replay": replay_id, "now": now}) is not None:
        _note(session, "replay.swept", replay_id, _keep_tally(session, replay_id), now, notes)
    elif len(cancelled) < SWEPT_AT_ONCE:  # the rest is being sent
        session.execute(_LOOK_AGAIN, {"replay": replay_id, "due": now + PAUSE})
    return len(cancelled)


def _keep_tally(session: Session, replay_id: str) -> Tally:
    tally = count_deliveries(session, [replay_id]).get(replay_id, Tally())
    session.execute(_KEEP_TALLY, {"replay": replay_id, "counted": asdict(tally)})
    return tally


def _note(session: Session, action: str, replay_id: str, tally: Tally, now: datetime, notes: AuditNotes) -> None:
    subject = f"replay:{replay_id}"
    entry = AuditEntry(actor="worker", action=action, subject=subject, details=asdict(tally), plain=True)
    notes.write(session, [entry], now)


_this = _REPLAY.c.id == bindparam("replay")
_still_owed = exists().where(_DELIVERY.c.replay_id == _REPLAY.c.id, _DELIVERY.c.state == "pending")
_ENDED = select(_REPLAY.c.id).where(_REPLAY.c.state == "running", _REPLAY.c.due_at.is_(None), ~_still_owed)
_COMPLETE = (
    update(_REPLAY)
    .where(_this, _REPLAY.c.state == "running", _REPLAY.c.due_at.is_(None), ~_still_owed)
    .values(state="completed", finished_at=bindparam("now"))
    .returning(_REPLAY.c.id)
)
_TAKE_SWEEP = (
    update(_REPLAY)
    .where(_this, _REPLAY.c.state == "cancelled", _REPLAY.c.finished_at.is_(None))
    .where(or_(_REPLAY.c.due_at.is_(None), _REPLAY.c.due_at <= bindparam("now")))
    .values(due_at=bindparam("now"))
    .returning(_REPLAY.c.id)
)
_CLOSE = (
    update(_REPLAY)
    .where(_this, _REPLAY.c.state == "cancelled", ~_still_owed)
    .values(finished_at=bindparam("now"), due_at=None)
    .returning(_REPLAY.c.id)
)
_LOOK_AGAIN = update(_REPLAY).where(_this).values(due_at=bindparam("due"))
_KEEP_TALLY = update(_REPLAY).where(_this).values(tally=bindparam("counted"))
_CORRECT_MATCHED = update(_REPLAY).where(_this).values(matched=bindparam("made"))
