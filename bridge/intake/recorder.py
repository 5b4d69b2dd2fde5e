"""From arrivals to recorded events and what is owed for them, in a transaction that it is given. It may not commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy.orm import Session

from bridge import signals
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import new_id
from bridge.events import Owed, RecordedEvent
from bridge.intake.arrivals import Arrival, Receipt
from bridge.intake.canonical import awaiting_key
from bridge.intake.ledger import Recorded
from bridge.intake.repeats import insert_new, same_content
from bridge.privacy.data_keys import remove_unused, scope_of
from bridge.privacy.vault import BODY_COLUMN, PAYLOAD_COLUMN, DataKey, Vault

__all__ = ["Arrival", "Receipt", "record"]


def record(
    session: Session,
    arrivals: Sequence[Arrival],
    *,
    notes: AuditNotes,
    vault: Vault,
    now: datetime,
    dedupe_window: timedelta,
) -> list[Receipt]:
    """Record what is new of `arrivals`, owe it to whoever wants it, and note it for the audit; one receipt each.

    Uniqueness is the database's: an insert that a unique key bars is a repeat. `now` is aware. Bodies are sealed.
    Raises TemporarilyUnavailable where the keys are moving faster than we can follow (nothing is to be committed).
    """
    keys = vault.keys(session, {_scope(arrival) for arrival in arrivals}, now=now)
    rows = [_row(arrival, keys.by_scope[_scope(arrival)], now=now, dedupe_window=dedupe_window) for arrival in arrivals]
    repeats = insert_new(session, rows, arrivals, vault=vault, now=now)
    new = [
        (_as_recorded(row["id"], arrival), arrival)
        for row, arrival in zip(rows, arrivals, strict=True)
        if row["id"] not in repeats
    ]
    key_ids = {row["id"]: row["key_id"] for row in rows if row["id"] not in repeats}
    vault.index(session, [(_telling(event, arrival), key_ids[event.id]) for event, arrival in new], now=now)
    if repeats and (unused := keys.made - set(key_ids.values())):
        remove_unused(session, sorted(unused))
    recorded = [(event, arrival.awaits_fact) for event, arrival in new if arrival.state == "recorded"]
    owed = _fan_out(session, recorded, now)
    if new:
        notes.write(session, [_audit_entry(event, arrival, owed) for event, arrival in new], now)
    return [
        _receipt(row["id"], arrival, repeats.get(row["id"]), owed) for row, arrival in zip(rows, arrivals, strict=True)
    ]


def _scope(arrival: Arrival) -> str:
    return scope_of(arrival.event.subject, arrival.source)


def _row(arrival: Arrival, sealing: DataKey, *, now: datetime, dedupe_window: timedelta) -> dict[str, Any]:
    event, event_id = arrival.event, new_id() if arrival.replaces is None else arrival.replaces.id
    windowed = event.content_key is not None and not event.content_is_unique
    key = event.content_key
    if key is not None and arrival.awaits_fact:
        key = awaiting_key(key)
    return {
        "id": event_id,
        "source": arrival.source,
        "type": event.type,
        "subject": event.subject,
        "version": event.version,
        "occurred_at": event.occurred_at,
        "received_at": arrival.received_at,
        "state": arrival.state,
        "key_id": sealing.id,
        "payload": None,
        "sealed_payload": sealing.seal(orjson.dumps(event.payload), row=event_id, column=PAYLOAD_COLUMN),
        "body": sealing.seal(arrival.body, row=event_id, column=BODY_COLUMN),
        "errors": [vars(error) for error in arrival.errors] or None,
        "delivery_key": event.delivery_key,
        "content_key": key,
        "content_key_until": now + dedupe_window if windowed else None,
        "duplicates": 0 if arrival.replaces is None else arrival.replaces.duplicates,
        "correlation_id": arrival.correlation_id,
        "traceparent": arrival.traceparent,
        "caused_by": arrival.caused_by,
    }


def _as_recorded(event_id: str, arrival: Arrival) -> RecordedEvent:
    event = arrival.event
    return RecordedEvent(
        id=event_id,
        source=arrival.source,
        type=event.type,
        subject=event.subject,
        payload=event.payload,
        version=event.version,
        occurred_at=event.occurred_at,
        received_at=arrival.received_at,
        correlation_id=arrival.correlation_id,
        traceparent=arrival.traceparent,
        caused_by=arrival.caused_by,
    )


def _telling(event: RecordedEvent, arrival: Arrival) -> RecordedEvent:
    """`event` with everything by which it may name somebody: of what could not be read, all that came in."""
    if arrival.state != "unreadable":
        return event
    try:
        return replace(event, payload={"body": orjson.loads(arrival.body)})
    except orjson.JSONDecodeError:
        return event


def _fan_out(
    session: Session, recorded: Sequence[tuple[RecordedEvent, bool]], now: datetime
) -> dict[str, tuple[str, ...]]:
    """Ask the forwarders, hand all that they want to the outbox; the destinations by event id.

    Of an event that awaits its fact (the pair's second) everybody hears the signal, and nobody is owed it.
    """
    owed: list[tuple[RecordedEvent, Owed]] = []
    destinations: dict[str, tuple[str, ...]] = {}
    for event, awaits_fact in recorded:
        answers = signals.event_recorded.send(event.source, event=event, session=session)
        wanted = [] if awaits_fact else [answer for _, answer in answers if answer is not None]
        owed.extend((event, one) for one in wanted)
        destinations[event.id] = tuple(sorted(one.destination for one in wanted))
    if owed:
        signals.deliveries_owed.send(record, owed=owed, session=session, now=now)
    return destinations


def _audit_entry(event: RecordedEvent, arrival: Arrival, owed: dict[str, tuple[str, ...]]) -> AuditEntry:
    return AuditEntry(
        actor=arrival.actor,
        action="event.recorded",
        subject=event.subject,
        details={
            "event": event.id,
            "source": event.source,
            "type": event.type,
            "destinations": list(owed.get(event.id, ())),
        },
        plain=True,
    )


def _receipt(event_id: str, arrival: Arrival, repeated: Recorded | None, owed: dict[str, tuple[str, ...]]) -> Receipt:
    event = arrival.event
    if repeated is None:
        return Receipt(
            event_id=event_id,
            type=event.type,
            subject=event.subject,
            duplicate=False,
            deliveries=owed.get(event_id, ()),
        )
    return Receipt(
        event_id=repeated.id,
        type=repeated.type,
        subject=repeated.subject,
        duplicate=True,
        conflicting=(
            event.delivery_key is not None
            and event.delivery_key == repeated.delivery_key
            and not same_content(event, repeated)
        ),
    )
