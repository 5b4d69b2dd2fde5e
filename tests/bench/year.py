"""What a year of work leaves behind, as rows: events, deliveries, attempts, a sealed audit. It may not store them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bridge.database import Base
from bridge.tables import AttemptRow, AuditEntryRow, AuditSealRow, DeliveryRow, EventRow, LaneRow
from tests.admin.stock import id_at

SUBJECTS = 50_000
EVERY = timedelta(seconds=20)
#: The newest deliveries wait: this share of all.
WAITING = 0.05
DEAD = 0.01
TYPES = (
    ("genesys", "custom_object.record.updated", "record:InventoryItem/item-{}"),
    ("genesys", "conversation.attributes.updated", "conversation:conv-{}"),
    ("genesys", "interaction.updated", "interaction:int-{}"),
    ("engage", "engage.chat_ended", "interaction:chat-{}"),
    ("bridge", "conversation.attributes.update", "conversation:conv-{}"),
)
_WEIGHTS = (60, 25, 10, 4, 1)
_FAILURES = ((503, "status"), (422, "status"), (None, "timeout"), (None, "connect"))
_PEOPLE = ("token:01970000-0000-7000-8000-000000000001", "cli:eva")
_BODY = b'{"action":"update","schemaName":"InventoryItem","fields":{"sku":"WH-1042","quantity":5,"note":"%s"}}'

Row = dict[str, Any]
#: Rows by table, the tables in an order that foreign keys allow.
Rows = dict[type[Base], list[Row]]


@dataclass
class Year:
    """So many events, the newest at `now`; the same ones for the same seed."""

    events: int
    now: datetime
    rng: Random = field(default_factory=lambda: Random(7))
    lanes: dict[tuple[str, str], Row] = field(default_factory=dict)
    _seals: int = 0

    def batches(self, size: int) -> Iterator[Rows]:
        """All of it, so many events at a time; lanes come with their first event, and are brought up to date later."""
        for begin in range(0, self.events, size):
            known = len(self.lanes)
            rows: Rows = {row: [] for row in (EventRow, LaneRow, DeliveryRow, AttemptRow, AuditEntryRow, AuditSealRow)}
            for number in range(begin, min(begin + size, self.events)):
                self._add(rows, number)
            rows[LaneRow] = [
                {**lane, "last_seq": 0, "head_seq": 1, "due_at": None} for lane in list(self.lanes.values())[known:]
            ]
            yield rows

    def _add(self, rows: Rows, number: int) -> None:
        at = self.now - EVERY * (self.events - number)
        event = self._event(at, number)
        delivery = self._delivery(event, at, waits=number >= self.events * (1 - WAITING))
        entries = [self._entry(at, 0, "genesys", "event.recorded", event["subject"])]
        if delivery["attempts"]:
            rows[AttemptRow].append(self._attempt(delivery))
            entries.append(self._entry(at, 2, "worker", f"delivery.{delivery['state']}", event["subject"]))
        if self.rng.random() < 0.0001:
            entries.append(self._entry(at, 4, self.rng.choice(_PEOPLE), "replay.delivery", event["subject"]))
        rows[EventRow].append(event)
        rows[DeliveryRow].append(delivery)
        rows[AuditEntryRow] += entries
        for entry in entries:
            self._seals += 1
            rows[AuditSealRow].append({"position": self._seals, "entry_id": entry["id"], "hash": bytes(32)})

    def _event(self, at: datetime, number: int) -> Row:
        source, type_, subject = self.rng.choices(TYPES, _WEIGHTS)[0]
        return {
            "id": id_at(at, self.rng),
            "source": source,
            "type": type_,
            "subject": subject.format(self.rng.randrange(SUBJECTS)),
            "version": str(number),
            "occurred_at": at,
            "received_at": at,
            "duplicates": 0,
            "state": "unreadable" if self.rng.random() < 0.001 else "recorded",
            "payload": {"body": {"attributes": {"tier": "gold"}}, "number": number},
            "body": _BODY % (b"x" * 200),
            "delivery_key": self.rng.randbytes(32),
            "content_key": self.rng.randbytes(32),
        }

    def _delivery(self, event: Row, at: datetime, *, waits: bool) -> Row:
        to = "genesys" if event["source"] == "bridge" else self.rng.choices(("erp", "crm"), (7, 3))[0]
        lane = self._lane(to, event["subject"])
        lane["last_seq"] += 1
        if not waits:
            lane["head_seq"] = lane["last_seq"] + 1
        elif lane["due_at"] is None:
            lane["due_at"] = self.now
        dead = not waits and self.rng.random() < DEAD
        status, error_class = self.rng.choice(_FAILURES) if dead else (200, None)
        delivery_id = id_at(at + timedelta(milliseconds=1), self.rng)
        return {
            "lane_id": lane["lane_id"],
            "seq": lane["last_seq"],
            "id": delivery_id,
            "event_id": event["id"],
            "destination": to,
            "webhook_id": delivery_id,
            "carries": "change",
            "state": "pending" if waits else "dead" if dead else "delivered",
            "attempts": 0 if waits else 1,
            "created_at": at,
            "finished_at": None if waits else at,
            "last_status": None if waits else status,
            "last_error": "the receiver failed" if dead else None,
            "error_class": error_class,
        }

    def _attempt(self, delivery: Row) -> Row:
        return {
            "delivery_id": delivery["id"],
            "number": 1,
            "started_at": delivery["created_at"],
            "duration_ms": self.rng.randrange(5, 300),
            "outcome": "rejected" if delivery["state"] == "dead" else "delivered",
            "status": delivery["last_status"],
            "error": delivery["last_error"],
            "error_class": delivery["error_class"],
        }

    def _lane(self, to: str, subject: str) -> Row:
        if (to, subject) not in self.lanes:
            self.lanes[to, subject] = {
                "lane_id": self.rng.getrandbits(62),
                "destination": to,
                "subject": subject,
                "last_seq": 0,
                "head_seq": 1,
                "due_at": None,
                "attempt": 0,
                "background": False,
            }
        return self.lanes[to, subject]

    def _entry(self, at: datetime, later_ms: int, actor: str, action: str, subject: str) -> Row:
        moment = at + timedelta(milliseconds=later_ms)
        return {
            "id": id_at(moment, self.rng),
            "at": moment,
            "actor": actor,
            "action": action,
            "subject": subject,
            "reason": None,
            "details": {"status": 200},
        }
