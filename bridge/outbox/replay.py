"""Orders about one delivery: send it again, or not at all.

A replay is a new delivery at the end of its lane, so that it cannot overtake anything. It may not know how an order
is given (API, command line) nor how a destination sends; orders about many are in `replay_orders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, select
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import new_id
from bridge.errors import Conflict, FieldError, Invalid, NotFound
from bridge.events import Carries
from bridge.outbox.ledger.append import NewDelivery, append
from bridge.outbox.ledger.cancel import cancel
from bridge.outbox.staleness import Age
from bridge.privacy.vault import IS_KEY, IS_READABLE, KEYS, erased
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

_DELIVERY = core(DeliveryRow)
_EVENT = core(EventRow)
_LANE = core(LaneRow)


@dataclass(frozen=True, kw_only=True)
class ReplayedDelivery:
    """The delivery that carries a replay."""

    id: str
    #: True: something newer of the same subject was delivered already: this may be superseded, or tell old news.
    newer_delivered: bool


def replay_delivery(
    session: Session,
    delivery_id: str,
    *,
    reason: str,
    actor: str,
    fresh_id: bool,
    now: datetime,
    notes: AuditNotes,
) -> ReplayedDelivery:
    """Owe a final delivery again, at the end of its lane and with the same `webhook-id` unless `fresh_id`.

    Raises NotFound; Gone where its event was erased; Conflict while it is pending or while a replay of it is; Invalid
    without a reason.
    """
    check_reason(reason)
    found = session.execute(_LOCK_ORIGINAL, {"delivery": delivery_id}).one_or_none()
    if found is None:
        raise NotFound("no delivery has this id; see GET /api/v1/deliveries")
    if not found.is_readable:
        raise erased()
    if found.state == "pending":
        raise Conflict("the delivery is still pending; it will be tried without a replay, or cancel it first")
    running = session.scalar(_OPEN_REPLAY, {"event": found.event_id, "to": found.destination})
    if running is not None:
        raise Conflict(f"this event is owed to {found.destination} again already, by delivery {running}")
    new = NewDelivery(
        id=new_id(),
        event_id=found.event_id,
        event_type=found.type,
        destination=found.destination,
        subject=found.lane_subject,
        webhook_id=None if fresh_id else found.webhook_id,
        replay_of=delivery_id,
        background=True,
    )
    append(session, [new], now=now)
    newer = _newer_delivered(session, found)
    details = {"deliveryId": delivery_id, "replayedAs": new.id, "destination": found.destination, "freshId": fresh_id}
    _note(session, "replay.delivery", found.subject, reason, details, actor, now, notes)
    return ReplayedDelivery(id=new.id, newer_delivered=newer)


def cancel_delivery(
    session: Session, delivery_id: str, *, reason: str, actor: str, now: datetime, notes: AuditNotes
) -> None:
    """Take a pending delivery out of its lane. Raises NotFound, Conflict, Invalid without a reason."""
    check_reason(reason)
    cancel(session, delivery_id, now=now)
    subject = session.scalar(_SUBJECT_OF, {"delivery": delivery_id}) or ""
    _note(session, "delivery.cancelled", subject, reason, {"deliveryId": delivery_id}, actor, now, notes)


def check_reason(reason: str) -> None:
    """Raises Invalid where there is nothing in it."""
    if not reason.strip():
        error = FieldError(field="reason", rule="required", message="say why, in a sentence: the audit keeps it")
        raise Invalid("a reason is missing", errors=[error])


def _newer_delivered(session: Session, original: Any) -> bool:
    if original.carries == Carries.STATE:
        last = Age(version=original.last_version, occurred_at=original.last_occurred_at)
        if Age(version=original.version, occurred_at=original.occurred_at).is_older_than(last):
            return True
    place = {"lane": original.lane_id, "after": original.seq, "event": original.event_id}
    return bool(session.scalar(_DELIVERED_AFTER, place))


def _note(
    session: Session,
    action: str,
    subject: str,
    reason: str,
    details: Mapping[str, object],
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> None:
    entry = AuditEntry(actor=actor, action=action, subject=subject, reason=reason, details=details)
    notes.write(session, [entry], now)


_LOCK_ORIGINAL = (
    select(
        *(
            _DELIVERY.c[name]
            for name in ("lane_id", "seq", "event_id", "destination", "webhook_id", "state", "carries")
        ),
        *(_EVENT.c[name] for name in ("type", "subject", "version", "occurred_at")),
        _LANE.c.subject.label("lane_subject"),
        _LANE.c.last_version,
        _LANE.c.last_occurred_at,
        IS_READABLE.label("is_readable"),
    )
    .join(_EVENT, _EVENT.c.id == _DELIVERY.c.event_id)
    .outerjoin(KEYS, IS_KEY)
    .join(_LANE, _LANE.c.lane_id == _DELIVERY.c.lane_id)
    .where(_DELIVERY.c.id == bindparam("delivery"))
    .with_for_update(of=_LANE)  # two orders for one delivery: the second waits here, then finds the first's
)
_OPEN_REPLAY = (
    select(_DELIVERY.c.id)
    .where(_DELIVERY.c.event_id == bindparam("event"), _DELIVERY.c.destination == bindparam("to"))
    .where(_DELIVERY.c.state == "pending")
    .limit(1)
)
_DELIVERED_AFTER = select(
    exists().where(
        _DELIVERY.c.lane_id == bindparam("lane"),
        _DELIVERY.c.seq > bindparam("after"),
        _DELIVERY.c.event_id != bindparam("event"),
        _DELIVERY.c.state == "delivered",
    )
)
_SUBJECT_OF = (
    select(_EVENT.c.subject)
    .join(_DELIVERY, _DELIVERY.c.event_id == _EVENT.c.id)
    .where(_DELIVERY.c.id == bindparam("delivery"))
)
