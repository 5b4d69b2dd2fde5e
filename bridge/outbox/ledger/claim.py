"""Claim lanes that are due: the only statement that hands out a lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Update, bindparam, select, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import new_id
from bridge.events import Carries
from bridge.outbox.contract import ClaimedDelivery, DeliveryPolicy
from bridge.outbox.ledger.admission import admitted
from bridge.outbox.ledger.erased import ERASED, cancel_unreadable
from bridge.outbox.ledger.opening import Head, claimed_delivery
from bridge.outbox.staleness import Age, Choice, InLine, choose
from bridge.privacy.vault import IS_KEY, KEYS, PAYLOAD, Vault, is_erased
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

_LANE = core(LaneRow)
_DELIVERY = core(DeliveryRow)
_EVENT = core(EventRow)

#: How far along a lane one look goes; a longer run is looked at in several.
WINDOW = 200


def claim(
    session: Session,
    destination: str,
    *,
    limit: int,
    policy: DeliveryPolicy,
    now: datetime,
    notes: AuditNotes,
    vault: Vault,
) -> list[ClaimedDelivery]:
    """Lease up to `limit` lanes that are due, live traffic before replays, and return the head of each.

    Marks what became stale as superseded, and cancels what was erased while it was owed. Fewer than `limit` may come
    back although more are due: lanes whose waiting deliveries were all stale or cancelled are emptied instead.
    """
    claimed: list[ClaimedDelivery] = []
    limit = min(limit, admitted(session, destination, now=now, probe_seconds=policy.timeout))
    for background in (False, True):
        if len(claimed) < limit:
            claimed += _claim_lanes(
                session, destination, limit - len(claimed), policy, now, notes, vault, background=background
            )
    return claimed


def _claim_lanes(
    session: Session,
    destination: str,
    limit: int,
    policy: DeliveryPolicy,
    now: datetime,
    notes: AuditNotes,
    vault: Vault,
    *,
    background: bool,
) -> list[ClaimedDelivery]:
    token = new_id()
    lease = _Lease(token=token, until=now + policy.lease, now=now)
    leased = session.scalars(
        _LEASE_DUE_LANES,
        {
            "to": destination,
            "wanted_background": background,
            "now": now,
            "limit": limit,
            "token": token,
            "until": lease.until,
        },
    ).all()
    if not leased:
        return []
    heads = session.execute(_HEADS, {"lanes": leased}).all()
    chosen = [_chosen(session, head, policy, lease, notes) for head in heads]
    return [
        claimed_delivery(head, vault, token=token, until=lease.until, is_newest=not _is_older_than_last(head))
        for head in chosen
        if head is not None
    ]


@dataclass(frozen=True, kw_only=True)
class _Lease:
    token: str
    until: datetime
    now: datetime


def _chosen(session: Session, head: Head, policy: DeliveryPolicy, lease: _Lease, notes: AuditNotes) -> Head | None:
    """What goes out of the lane next; None where nothing is left."""
    chosen: Head | None = head
    if _needs_a_choice(head, policy):
        chosen = _move_to_choice(session, head, policy, lease, notes)
    # Owed by a replay, say, while it was being erased: it is never sent.
    while chosen is not None and is_erased(chosen):
        cancel_unreadable(session, chosen.lane_id, chosen.seq, now=lease.now)
        details = {"deliveryId": chosen.delivery_id, "destination": chosen.destination}
        entry = AuditEntry(
            actor="worker", action="delivery.cancelled", subject=chosen.subject, reason=ERASED, details=details
        )
        notes.write(session, [entry], lease.now)
        chosen = _move_to_choice(session, chosen, policy, lease, notes)
    return chosen


def _needs_a_choice(head: Head, policy: DeliveryPolicy) -> bool:
    """False on the common path: the head waits, and nothing can have made it stale."""
    if head.state != "pending":
        return True
    if not policy.skip_stale or head.carries != Carries.STATE:
        return False
    return bool(head.last_seq > head.seq) or _is_older_than_last(head)


def _is_older_than_last(head: Head) -> bool:
    last = _last_delivered(head)
    return last is not None and _age(head).is_older_than(last)


def _move_to_choice(
    session: Session, head: Head, policy: DeliveryPolicy, lease: _Lease, notes: AuditNotes
) -> Head | None:
    """Look along the lane, supersede what is stale, move the head to what goes next; None where nothing is left."""
    position = head.seq
    while True:
        window = session.execute(_LINE, {"lane": head.lane_id, "from": position, "window": WINDOW}).all()
        choice = choose([_in_line(row) for row in window], _last_delivered(head), skip_stale=policy.skip_stale)
        _supersede(session, head, choice, lease.now, notes)
        if choice.head is not None:
            session.execute(_MOVE_HEAD, {"lane": head.lane_id, "token": lease.token, "to": choice.head.seq})
            return session.execute(_HEADS, {"lanes": [head.lane_id]}).one()
        if len(window) < WINDOW:
            session.execute(_EMPTY_LANE, {"lane": head.lane_id, "token": lease.token})
            return None
        position = window[-1].seq + 1


def _supersede(session: Session, head: Head, choice: Choice, now: datetime, notes: AuditNotes) -> None:
    if not choice.superseded:
        return
    by_delivered = session.scalar(_NEWEST_DELIVERED, {"lane": head.lane_id})
    session.execute(
        _SUPERSEDE,
        [{"lane": head.lane_id, "at": one.seq, "by": by or by_delivered, "now": now} for one, by in choice.superseded],
    )
    notes.write(
        session,
        [
            AuditEntry(
                actor="worker",
                action="delivery.superseded",
                subject=head.subject,
                details={
                    "deliveryId": one.delivery_id,
                    "destination": head.destination,
                    "supersededBy": by or by_delivered,
                },
                plain=True,
            )
            for one, by in choice.superseded
        ],
        now,
    )


def _in_line(row: Head) -> InLine:
    return InLine(
        seq=row.seq,
        delivery_id=row.id,
        carries=Carries(row.carries),
        age=Age(version=row.version, occurred_at=row.occurred_at),
        pending=row.state == "pending",
    )


def _age(head: Head) -> Age:
    return Age(version=head.version, occurred_at=head.occurred_at)


def _last_delivered(head: Head) -> Age | None:
    if head.last_version is None and head.last_occurred_at is None:
        return None
    return Age(version=head.last_version, occurred_at=head.last_occurred_at)


def _lease_due_lanes() -> Update:
    due = (
        select(_LANE.c.lane_id)
        .where(
            _LANE.c.destination == bindparam("to"),
            _LANE.c.background == bindparam("wanted_background"),
            _LANE.c.due_at <= bindparam("now"),
        )
        .order_by(_LANE.c.due_at, _LANE.c.lane_id)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)  # PostgreSQL; on SQLite the transaction has the database to itself
        .cte("due")
        # Inlined, PostgreSQL may run it once per row and lease more lanes than the limit.
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return (
        update(_LANE)
        .where(_LANE.c.lane_id.in_(select(due.c.lane_id)))
        .values(lease_token=bindparam("token"), due_at=bindparam("until"))
        .returning(_LANE.c.lane_id)
    )


_LEASE_DUE_LANES = _lease_due_lanes()
_HEADS = (
    select(
        _LANE.c.lane_id,
        _LANE.c.last_seq,
        _LANE.c.attempt.label("failures"),
        _LANE.c.last_version,
        _LANE.c.last_occurred_at,
        _DELIVERY.c.seq,
        _DELIVERY.c.id.label("delivery_id"),
        _DELIVERY.c.destination,
        _DELIVERY.c.webhook_id,
        _DELIVERY.c.state,
        _DELIVERY.c.carries,
        _DELIVERY.c.attempts,
        _DELIVERY.c.created_at,
        _DELIVERY.c.progress,
        _EVENT.c.id.label("event_id"),
        _EVENT.c.source,
        _EVENT.c.type,
        _EVENT.c.subject,
        *PAYLOAD,
        _EVENT.c.version,
        _EVENT.c.occurred_at,
        _EVENT.c.received_at,
        _EVENT.c.correlation_id,
        _EVENT.c.traceparent,
        _EVENT.c.caused_by,
    )
    .join(_DELIVERY, (_DELIVERY.c.lane_id == _LANE.c.lane_id) & (_DELIVERY.c.seq == _LANE.c.head_seq))
    .join(_EVENT, _EVENT.c.id == _DELIVERY.c.event_id)
    .outerjoin(KEYS, IS_KEY)
    .where(_LANE.c.lane_id.in_(bindparam("lanes", expanding=True)))
    .order_by(_DELIVERY.c.created_at)  # the one that waits longest is sent first
)
_LINE = (
    select(
        _DELIVERY.c.seq,
        _DELIVERY.c.id,
        _DELIVERY.c.carries,
        _DELIVERY.c.state,
        _EVENT.c.version,
        _EVENT.c.occurred_at,
    )
    .join(_EVENT, _EVENT.c.id == _DELIVERY.c.event_id)
    .where(_DELIVERY.c.lane_id == bindparam("lane"), _DELIVERY.c.seq >= bindparam("from"))
    .order_by(_DELIVERY.c.seq)
    .limit(bindparam("window"))
)
_MOVE_HEAD = (
    update(_LANE)
    .where(_LANE.c.lane_id == bindparam("lane"), _LANE.c.lease_token == bindparam("token"))
    .values(head_seq=bindparam("to"), attempt=0)
)
_EMPTY_LANE = (
    update(_LANE)
    .where(_LANE.c.lane_id == bindparam("lane"), _LANE.c.lease_token == bindparam("token"))
    .values(head_seq=_LANE.c.last_seq + 1, attempt=0, due_at=None, lease_token=None)
)
_SUPERSEDE = (
    update(_DELIVERY)
    .where(
        _DELIVERY.c.lane_id == bindparam("lane"),
        _DELIVERY.c.seq == bindparam("at"),
        _DELIVERY.c.state == "pending",
    )
    .values(state="superseded", superseded_by=bindparam("by"), finished_at=bindparam("now"))
)
_NEWEST_DELIVERED = (
    select(_DELIVERY.c.id)
    .where(_DELIVERY.c.lane_id == bindparam("lane"), _DELIVERY.c.state == "delivered")
    .order_by(_DELIVERY.c.seq.desc())
    .limit(1)
)
