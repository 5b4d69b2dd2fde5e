"""Settle what claims gave: the only statements by which a try changes a lane or a delivery, all fenced by the token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, insert, tuple_, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.database import UtcDateTime
from bridge.events import Carries, carries
from bridge.outbox.contract import ClaimedDelivery, Delivered, Outcome, Rejected, Waiting
from bridge.outbox.retry import State, Verdict
from bridge.tables import AttemptRow, DeliveryRow, LaneRow, core

_LANE = core(LaneRow)
_DELIVERY = core(DeliveryRow)
_ATTEMPT = core(AttemptRow)


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """One try, done: what came out of it and what follows."""

    delivery: ClaimedDelivery
    outcome: Outcome
    verdict: Verdict
    #: Aware, UTC.
    started_at: datetime
    duration_ms: int
    #: A dead head holds its lane (`on_dead = "block"`).
    block_on_dead: bool = False


def settle(
    session: Session, settlements: Sequence[Settlement], *, now: datetime, notes: AuditNotes
) -> list[Settlement]:
    """Write the results of those lanes that are still held under their token; return these settlements.

    The rest lost their lease to a later claim: nothing of them is written.
    """
    held = _release(session, [one.delivery for one in settlements])
    kept = [one for one in settlements if one.delivery.lane_id in held]
    if not kept:
        return []
    _write_lanes(session, kept, now)
    _write_deliveries(session, kept, now)
    _execute(session, _INSERT_ATTEMPT, [_attempt(one) for one in kept if not isinstance(one.outcome, Waiting)])
    notes.write(session, [_audit_entry(one) for one in kept if one.verdict.state is not State.PENDING], now)
    return kept


def give_back(session: Session, deliveries: Sequence[ClaimedDelivery], *, now: datetime) -> None:
    """Let go of claims that were never sent: due at once, no attempt counted."""
    held = _release(session, deliveries)
    _execute(session, _RETURN_LANE, [{"lane": lane_id, "due": now} for lane_id in sorted(held)])


def _release(session: Session, deliveries: Sequence[ClaimedDelivery]) -> set[int]:
    """The fence: take the token off every lane that still bears it. The rows stay locked until the commit."""
    if not deliveries:
        return set()
    tokens = [(one.lane_id, one.token) for one in deliveries]
    return set(session.scalars(_RELEASE, {"tokens": tokens}))


def _write_lanes(session: Session, kept: Iterable[Settlement], now: datetime) -> None:
    moved, ended, retried, blocked = [], [], [], []
    for one in kept:
        lane: dict[str, Any] = {"lane": one.delivery.lane_id, "now": now}
        if one.verdict.state is State.PENDING:
            failures = 0 if isinstance(one.outcome, Waiting) else one.delivery.failures + 1
            retried.append(lane | {"due": one.verdict.due_at, "failures": failures})
        elif one.verdict.state is State.DEAD and one.block_on_dead:
            blocked.append(lane)
        elif _is_now_the_newest(one):
            event = one.delivery.event
            gone = carries(event.type) is Carries.END  # a record made anew starts its versions again
            age = {"version": None, "time": None} if gone else {"version": event.version, "time": event.occurred_at}
            ended.append(lane | age | {"next": one.delivery.seq + 1})
        else:
            moved.append(lane | {"next": one.delivery.seq + 1})
    _execute(session, _MOVE_LANE_AND_AGE, ended)
    _execute(session, _MOVE_LANE, moved)
    _execute(session, _RETRY_LANE, retried)
    _execute(session, _BLOCK_LANE, blocked)


def _is_now_the_newest(one: Settlement) -> bool:
    tells_state = carries(one.delivery.event.type) is not Carries.CHANGE
    return one.verdict.state is State.DELIVERED and one.delivery.is_newest and tells_state


def _write_deliveries(session: Session, kept: Iterable[Settlement], now: datetime) -> None:
    tried, waiting = [], []
    for one in kept:
        row = {"lane": one.delivery.lane_id, "at": one.delivery.seq, "new_progress": _progress(one)}
        if isinstance(one.outcome, Waiting):
            waiting.append(row)
            continue
        tried.append(
            row
            | {
                "new_state": one.verdict.state.value,
                "number": one.delivery.attempt,
                "status": one.outcome.exchange.status,
                "error": one.verdict.error,
                "kind": one.verdict.error_class,
                "end": None if one.verdict.state is State.PENDING else now,
            }
        )
    _execute(session, _UPDATE_TRIED, tried)
    _execute(session, _UPDATE_WAITING, waiting)


def _progress(one: Settlement) -> Any:
    return one.delivery.progress if one.outcome.progress is None else one.outcome.progress


def _attempt(one: Settlement) -> dict[str, Any]:
    exchange = one.outcome.exchange
    match one.outcome:
        case Delivered():
            outcome = "delivered"
        case Rejected():
            outcome = "rejected"
        case _:
            outcome = "retry_later"
    return {
        "delivery_id": one.delivery.delivery_id,
        "number": one.delivery.attempt,
        "started_at": one.started_at,
        "duration_ms": one.duration_ms,
        "outcome": outcome,
        "status": exchange.status,
        "error": one.verdict.error,
        "error_class": one.verdict.error_class,
        "answer_excerpt": exchange.answer_excerpt,
        "sent_bytes": exchange.sent_bytes,
        "sent_sha256": exchange.sent_sha256,
    }


def _audit_entry(one: Settlement) -> AuditEntry:
    details: dict[str, object] = {
        "deliveryId": one.delivery.delivery_id,
        "eventId": one.delivery.event.id,
        "destination": one.delivery.destination,
        "attempts": one.delivery.attempt,
        "status": one.outcome.exchange.status,
    }
    if one.verdict.state is State.DEAD:
        details["error"] = one.verdict.error
    return AuditEntry(
        actor="worker",
        action=f"delivery.{one.verdict.state}",
        subject=one.delivery.event.subject,
        details=details,
        plain=True,  # ids, numbers, and an error that is masked already
    )


def _execute(session: Session, statement: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(statement, rows)


_this_lane = _LANE.c.lane_id == bindparam("lane")
# Typed by hand: inside CASE nothing tells SQLAlchemy that it is a time, and the driver would write it its own way.
_now = bindparam("now", type_=UtcDateTime())
_next_due = case((_LANE.c.last_seq >= bindparam("next"), _now), else_=None)
_RELEASE = (
    update(_LANE)
    .where(tuple_(_LANE.c.lane_id, _LANE.c.lease_token).in_(bindparam("tokens", expanding=True)))
    .values(lease_token=None)
    .returning(_LANE.c.lane_id)
)
# The four below follow `_release` in the same transaction: the fence is passed, the row is locked.
_RETURN_LANE = update(_LANE).where(_this_lane).values(due_at=bindparam("due"))
_MOVE_LANE = update(_LANE).where(_this_lane).values(head_seq=bindparam("next"), due_at=_next_due, attempt=0)
_MOVE_LANE_AND_AGE = _MOVE_LANE.values(last_version=bindparam("version"), last_occurred_at=bindparam("time"))
_RETRY_LANE = update(_LANE).where(_this_lane).values(due_at=bindparam("due"), attempt=bindparam("failures"))
_BLOCK_LANE = update(_LANE).where(_this_lane).values(due_at=None, blocked_at=bindparam("now"), attempt=0)
_this_delivery = (
    (_DELIVERY.c.lane_id == bindparam("lane"))
    & (_DELIVERY.c.seq == bindparam("at"))
    & (_DELIVERY.c.state == State.PENDING.value)
)
_UPDATE_TRIED = (
    update(_DELIVERY)
    .where(_this_delivery)
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("number"),
        last_status=bindparam("status"),
        last_error=bindparam("error"),
        error_class=bindparam("kind"),
        finished_at=bindparam("end"),
        progress=bindparam("new_progress"),
    )
)
_UPDATE_WAITING = update(_DELIVERY).where(_this_delivery).values(progress=bindparam("new_progress"))
_INSERT_ATTEMPT = insert(_ATTEMPT)
