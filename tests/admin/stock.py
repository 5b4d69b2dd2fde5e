"""Rows as the bridge leaves them, many and in every state, without the time it takes to make them by delivering."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from sqlalchemy import insert

from bridge.clock import new_id, new_lane_id
from bridge.database import Database
from bridge.tables import DeliveryRow, EventRow, LaneRow, core

SUBJECTS = ("record:Item/1", "record:Item/2", "conversation:100%", "conversation:A_b")
TYPES = ("custom_object.record.updated", "conversation.attributes.updated", "interaction.merged")
DESTINATIONS = ("crm", "erp", "lake")
FINAL = ("delivered", "delivered", "dead", "superseded", "cancelled")


@dataclass
class Stock:
    """The rows that were put in, oldest first, as dictionaries of their columns."""

    events: list[dict[str, object]] = field(default_factory=list)
    deliveries: list[dict[str, object]] = field(default_factory=list)
    lanes: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)

    def put(self, database: Database) -> Stock:
        """Store all rows; gives itself."""
        with database.write() as session:
            for row, rows in ((EventRow, self.events), (LaneRow, self.lanes.values()), (DeliveryRow, self.deliveries)):
                if rows:
                    session.execute(insert(core(row)), list(rows))
        return self


def stock(now: datetime, *, events: int, seed: int = 1, every: timedelta = timedelta(minutes=7)) -> Stock:
    """So many events, the last of them at `now`, each owed to some destinations.

    Every lane ends in pending deliveries: due, to be tried later, being sent, or left behind by a crash.
    """
    rng = Random(seed)
    made = Stock()
    for number in range(events):
        at = now - every * (events - 1 - number)
        event = _event(rng, at, number)
        made.events.append(event)
        for destination in rng.sample(DESTINATIONS, rng.randrange(len(DESTINATIONS) + 1)):
            made.deliveries.append(_delivery(made, rng, event, destination, at))
    for lane in made.lanes.values():
        _open(lane, [one for one in made.deliveries if one["lane_id"] == lane["lane_id"]], rng, now)
    return made


def crowd(now: datetime, events: int, subject: str = SUBJECTS[0]) -> Stock:
    """So many events of one type and subject, each delivered to `erp`, one a second."""
    made = Stock()
    rng = Random(1)
    for number in range(events):
        at = now - timedelta(seconds=events - number)
        event = {**_event(rng, at, number), "type": TYPES[0], "subject": subject}
        made.events.append(event)
        delivery = _delivery(made, rng, event, "erp", at)
        made.deliveries.append({**delivery, **_ended("delivered", at)})
        made.lanes["erp", subject]["head_seq"] = number + 2
    return made


def id_at(moment: datetime, rng: Random) -> str:
    """A UUIDv7 of that moment."""
    ms = int(moment.timestamp() * 1000)
    return str(UUID(int=ms << 80 | 7 << 76 | rng.getrandbits(12) << 64 | 2 << 62 | rng.getrandbits(62)))


def ids(rows: Iterable[dict[str, object]]) -> list[str]:
    """Their ids, newest first."""
    return sorted((str(row["id"]) for row in rows), reverse=True)


def _event(rng: Random, at: datetime, number: int) -> dict[str, object]:
    return {
        "id": id_at(at, rng),
        "source": rng.choice(("genesys", "engage")),
        "type": rng.choice(TYPES),
        "subject": rng.choice(SUBJECTS),
        "version": str(number),
        "occurred_at": at,
        "received_at": at,
        "state": "unreadable" if rng.random() < 0.1 else "recorded",
        "payload": {"customer": {"phoneNumber": "+4915112345689"}},
        "body": b'{"customer": {"phoneNumber": "+4915112345689"}, "n": 1.50}',
        "duplicates": 0,
    }


def _delivery(made: Stock, rng: Random, event: dict[str, object], destination: str, at: datetime) -> dict[str, object]:
    subject = str(event["subject"])
    lane = made.lanes.setdefault(
        (destination, subject),
        {
            "lane_id": new_lane_id(),
            "destination": destination,
            "subject": subject,
            "last_seq": 0,
            "head_seq": 1,
            "due_at": None,
            "lease_token": None,
            "attempt": 0,
            "background": False,
        },
    )
    last_seq = int(str(lane["last_seq"])) + 1
    lane["last_seq"] = last_seq
    delivery_id = id_at(at + timedelta(milliseconds=1), rng)
    return {
        "lane_id": lane["lane_id"],
        "seq": last_seq,
        "id": delivery_id,
        "event_id": event["id"],
        "destination": destination,
        "webhook_id": delivery_id,
        "carries": "change",
        "created_at": at,
        **_ended(rng.choice(FINAL), at),
    }


def _ended(state: str, at: datetime) -> dict[str, object]:
    failed = state == "dead"
    return {
        "state": state,
        "attempts": 1,
        "finished_at": at,
        "last_status": 503 if failed else 200,
        "last_error": "answered 503" if failed else None,
        "error_class": "status" if failed else None,
    }


def _open(lane: dict[str, object], deliveries: list[dict[str, object]], rng: Random, now: datetime) -> None:
    """Make the newest of the lane pending: not yet tried, to be tried again later, or being sent."""
    waiting = deliveries[len(deliveries) - rng.randrange(1, 5) :]
    for one in waiting:
        one.update(state="pending", finished_at=None, attempts=0, last_status=None, last_error=None, error_class=None)
    fate = rng.choice(("due", "later", "leased", "lease over"))
    lane.update(
        head_seq=int(str(lane["last_seq"])) - len(waiting) + 1,
        due_at=now + timedelta(seconds=30 if fate in ("later", "leased") else -30),
        lease_token=new_id() if fate in ("leased", "lease over") else None,
        background=rng.random() < 0.5,
    )
