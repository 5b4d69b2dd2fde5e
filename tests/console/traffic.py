"""A day's traffic as the bridge leaves it in its tables, made in a second. It may not look at a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import insert

from bridge.clock import new_lane_id, rfc3339
from bridge.database import Database
from bridge.tables import AttemptRow, AuditEntryRow, DeliveryRow, EventRow, LaneRow, core
from tests.admin.stock import id_at

Row = dict[str, Any]
#: Milliseconds within which half of a destination's answers come.
MEDIAN = {"erp": 84, "crm": 41, "lake": 190, "governance": 30, "genesys": 120}
_SCHEMAS = ("InventoryItem", "PurchaseOrder", "StoreLocation")
_TABLES = (EventRow, LaneRow, DeliveryRow, AttemptRow, AuditEntryRow)


@dataclass(frozen=True, kw_only=True)
class Try:
    """One try of a delivery, and what it ran into."""

    status: int | None = 200
    error: str | None = None
    error_class: str | None = None
    answer: str | None = '{"accepted": true}'
    #: None: as long as the destination usually takes.
    duration_ms: int | None = None
    is_final: bool = False


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What becomes of a delivery; `state` pending: its lane waits with it."""

    state: str = "delivered"
    tries: Sequence[Try] = (Try(),)
    is_blocked: bool = False


#: The fate of a delivery to a destination that is owed at a time.
Fates = Callable[[Random, str, datetime], Fate]
WELL = Fate()
OVERLOADED = Try(status=503, error="the receiver answered 503", error_class="status", answer="upstream connect error")


def all_well(rng: Random, _destination: str, _at: datetime) -> Fate:
    """One in fifty needs a second try."""
    return Fate(tries=(OVERLOADED, Try())) if rng.random() < 0.02 else WELL


@dataclass
class Traffic:
    """Rows by table, oldest first."""

    now: datetime
    fates: Fates = all_well
    rng: Random = field(default_factory=lambda: Random(42))
    rows: list[list[Row]] = field(default_factory=lambda: [[], [], [], [], []])
    lanes: dict[tuple[str, str], Row] = field(default_factory=dict)

    def flow(self, span: timedelta, per_hour: float) -> Traffic:
        """Events over `span` until now, more of them by day than by night; gives itself."""
        at = self.now - span
        while at < self.now - timedelta(seconds=3):
            busy = 0.45 if at.hour < 6 or at.hour > 20 else 1.2
            at += timedelta(seconds=self.rng.expovariate(per_hour * busy / 3600))
            if at < self.now:
                self.happen(at, *_anything(self.rng, at))
        return self

    def happen(
        self, at: datetime, type_: str, subject: str, payload: Mapping[str, object], owed: Sequence[str], **more: object
    ) -> Row:
        """One event, and what becomes of its deliveries."""
        event = {
            "id": id_at(at, self.rng), "source": "genesys", "type": type_, "subject": subject, "version": None,
            "occurred_at": at - timedelta(milliseconds=self.rng.randrange(200, 2500)), "received_at": at,
            "state": "recorded", "payload": payload, "body": orjson.dumps(payload), "errors": None, "duplicates": 0,
            "correlation_id": None, **more,
        }  # fmt: skip
        self.rows[0].append(event)
        self._note(at, "event.recorded", subject, "source:genesys", eventType=type_)
        for destination in owed:
            self._owe(event, destination, at)
        return event

    def put(self, database: Database) -> Traffic:
        """Store everything; gives itself."""
        self.rows[1] = list(self.lanes.values())
        with database.write() as session:
            for table, rows in zip(_TABLES, self.rows, strict=True):
                for begin in range(0, len(rows), 5000):
                    session.execute(insert(core(table)), rows[begin : begin + 5000])
        return self

    def deliveries(self, destination: str, state: str) -> list[Row]:
        """Newest first."""
        found = [one for one in self.rows[2] if one["destination"] == destination and one["state"] == state]
        return found[::-1]

    def _owe(self, event: Row, destination: str, at: datetime) -> None:
        lane = self._lane(destination, event["subject"])
        lane["last_seq"] += 1
        waits = lane["due_at"] is not None or lane["blocked_at"] is not None
        fate = Fate(state="pending", tries=()) if waits else self.fates(self.rng, destination, at)
        delivery_id = id_at(at + timedelta(milliseconds=1), self.rng)
        ended, last = self._try(delivery_id, destination, at, fate)
        final = fate.state != "pending"
        self.rows[2].append({
            "lane_id": lane["lane_id"], "seq": lane["last_seq"], "id": delivery_id, "event_id": event["id"],
            "destination": destination, "webhook_id": delivery_id, "carries": "state", "created_at": at,
            "state": fate.state, "attempts": len(fate.tries), "finished_at": ended if final else None,
            "last_status": last.status if last else None, "last_error": last.error if last else None,
            "error_class": last.error_class if last else None,
        })  # fmt: skip
        if final:
            self._note(ended, f"delivery.{fate.state}", event["subject"], "worker", destination=destination)
        self._move(lane, fate, ended)

    def _move(self, lane: Row, fate: Fate, ended: datetime) -> None:
        if fate.is_blocked:
            lane.update(head_seq=lane["last_seq"], blocked_at=ended, due_at=None)
        elif fate.state != "pending":
            lane["head_seq"] = lane["last_seq"] + 1
        elif lane["due_at"] is None and lane["blocked_at"] is None:
            due_at = max(self.now, ended) + timedelta(seconds=2 ** min(len(fate.tries), 6)) if fate.tries else ended
            lane.update(head_seq=lane["last_seq"], due_at=due_at, attempt=len(fate.tries))

    def _try(self, delivery_id: str, destination: str, at: datetime, fate: Fate) -> tuple[datetime, Try | None]:
        """Store its tries; gives when the last ended, and the last."""
        last, begun = None, at + timedelta(milliseconds=self.rng.randrange(20, 180))
        for number, last in enumerate(fate.tries, 1):
            took = last.duration_ms or round(MEDIAN[destination] * self.rng.lognormvariate(0, 0.45))
            failed = "rejected" if last.is_final else "retry_later"
            self.rows[3].append({
                "delivery_id": delivery_id, "number": number, "started_at": begun, "duration_ms": took,
                "outcome": "delivered" if last.error is None else failed, "status": last.status, "error": last.error,
                "error_class": last.error_class, "answer_excerpt": last.answer,
                "sent_bytes": self.rng.randrange(320, 900), "sent_sha256": f"{self.rng.getrandbits(256):064x}",
            })  # fmt: skip
            begun += timedelta(milliseconds=took)
            if number < len(fate.tries):
                begun += timedelta(seconds=2 ** (number - 1))
        return begun, last

    def _lane(self, destination: str, subject: str) -> Row:
        return self.lanes.setdefault(
            (destination, subject),
            {
                "lane_id": new_lane_id(), "destination": destination, "subject": subject, "last_seq": 0, "head_seq": 1,
                "due_at": None, "lease_token": None, "blocked_at": None, "attempt": 0, "background": False,
            },
        )  # fmt: skip

    def _note(self, at: datetime, action: str, subject: str, actor: str, **details: object) -> None:
        self.rows[4].append(note(at, action, subject, actor, None, self.rng, **details))


def note(
    at: datetime, action: str, subject: str, actor: str, reason: str | None, rng: Random, **details: object
) -> Row:
    """An audit entry of that time."""
    return {
        "id": id_at(at, rng), "at": at, "actor": actor, "action": action, "subject": subject, "reason": reason,
        "details": details,
    }  # fmt: skip


def _anything(rng: Random, at: datetime) -> tuple[str, str, Row, tuple[str, ...]]:
    """Type, subject, payload and who is owed it."""
    kind = rng.random()
    if kind < 0.62:
        schema, record_id = rng.choice(_SCHEMAS), f"WH-{1000 + rng.randrange(240)}"
        fields = {"sku": record_id, "quantity": rng.randrange(400), "price": f"{rng.randrange(100, 9900) / 100}"}
        payload = record_payload(schema, record_id, at, fields)
        return "custom_object.record.updated", f"record:{schema}/{record_id}", payload, ("erp",)
    conversation = _id(rng)
    if kind < 0.9:
        attributes = {"tier": rng.choice(("gold", "silver")), "customerPhone": "+1 202 555 0143", "language": "de"}
        payload = {"conversationId": conversation, "updatedAttributes": attributes, "processedAt": rfc3339(at)}
        return "conversation.attributes.updated", f"conversation:{conversation}", payload, ("crm",)
    attributes = {"wrapUp": "resolved", "email": "someone@example.com"}
    payload = {"interactionId": conversation, "updatedAttributes": attributes, "processedAt": rfc3339(at)}
    return "interaction.updated", f"interaction:{conversation}", payload, ("crm", "lake")


def record_payload(schema: str, record_id: str, at: datetime, fields: Mapping[str, object]) -> Row:
    """What the format makes of an update of a record."""
    return {
        "schemaName": schema, "recordId": record_id, "modifiedTime": rfc3339(at), "modifiedBy": "user-17",
        "fields": fields, "action": "update",
    }  # fmt: skip


def _id(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))
