"""What an administrator may find: an empty bridge, a normal day, trouble, and values meant to break the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

from sqlalchemy import insert, update

from bridge.admin.holds import place_hold, release
from bridge.audit.notes import AuditEntry
from bridge.audit.seal import seal as seal_batch
from bridge.clock import SystemClock, new_id, rfc3339
from bridge.database import Database
from bridge.privacy.holds import LegalHolds
from bridge.settings.model import LegalHold
from bridge.tables import (
    AttemptRow,
    AuditEntryRow,
    DeliveryRow,
    DestinationStateRow,
    EventRow,
    LaneRow,
    PurgeRow,
    RejectionRow,
    ReplayRow,
    core,
)
from tests.admin.desk import SIGNER
from tests.admin.stock import Stock, id_at, stock
from tests.commands.office import purge_policy
from tests.fakes import VAULT
from tests.outbox.yard import NOTES

#: What a hostile sender puts wherever text may stand.
SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
#: Turns the direction of writing around, hides characters, ends the line.
BIDI = "invoice\u202egpj.exe\u200b\u2066x\u2069"
LONG = "W" * 10_000


def normal(database: Database, now: datetime) -> Stock:
    """A day of deliveries in every state, with attempts, audit entries and a rejection."""
    made = stock(now, events=60, every=timedelta(minutes=1))
    for delivery in made.deliveries:
        if delivery["state"] == "dead":
            delivery.update(last_error="the receiver answered 503: database is being restarted", error_class="status")
    made.put(database)
    attempts = [row for delivery in made.deliveries for row in _attempts(delivery)]
    ends = [_end(made, one) for one in made.deliveries if one["state"] in ("delivered", "dead")]
    with database.write() as session:
        session.execute(insert(core(AttemptRow)), attempts)
        session.execute(insert(core(AuditEntryRow)), ends)
        session.add(_rejection(now - timedelta(minutes=9), "genesys", "signature-mismatch", "203.0.113.9"))
    return made


def healthy(database: Database, now: datetime) -> None:
    """Nothing to do: everything was delivered."""
    made = stock(now, events=40, every=timedelta(minutes=1))
    for event in made.events:
        event["state"] = "recorded"
    for delivery in made.deliveries:
        delivery.update(
            state="delivered", attempts=1, finished_at=delivery["created_at"], last_status=200,
            last_error=None, error_class=None,
        )  # fmt: skip
    for lane in made.lanes.values():
        lane.update(head_seq=int(str(lane["last_seq"])) + 1, due_at=None, lease_token=None, background=False)
    made.put(database)
    with database.write() as session:
        session.execute(insert(core(AttemptRow)), [row for one in made.deliveries for row in _attempts(one)])


def trouble(database: Database, now: datetime) -> Stock:
    """A normal day on which `erp` fails, a lane is blocked, `crm` is paused and somebody knocks with a wrong key."""
    made = normal(database, now)
    blocked = _block_a_lane(database, made, now)
    with database.write() as session:
        session.execute(
            insert(core(DestinationStateRow)),
            [
                {
                    "name": "erp", "paused_at": None, "paused_reason": None, "failures": 9, "probing": False,
                    "open_until": now + timedelta(seconds=48), "window_tries": 20, "window_failures": 18,
                },
                {
                    "name": "crm", "paused_at": now - timedelta(minutes=12), "paused_reason": "maintenance until 13:00",
                    "failures": 0, "probing": False, "open_until": None, "window_tries": 0, "window_failures": 0,
                },
            ],
        )  # fmt: skip
        for minute in range(7):
            session.add(_rejection(now - timedelta(minutes=minute), "genesys", "signature-missing", "198.51.100.7"))
    assert blocked
    return made


def hostile(database: Database, now: datetime) -> tuple[str, str]:
    """One event and its dead delivery full of scripts, turned writing and endless words; gives both ids."""
    rng = Random(7)
    event_id, delivery_id, lane_id = id_at(now, rng), id_at(now + timedelta(milliseconds=1), rng), 77
    subject = f"record:{SCRIPT}/{BIDI}"[:600]
    error = f"{SCRIPT} {BIDI} {LONG}"
    with database.write() as session:
        session.execute(
            insert(core(EventRow)),
            {
                "id": event_id, "source": "genesys", "type": ("t." + SCRIPT)[:255], "subject": subject,
                "version": SCRIPT[:255], "occurred_at": now, "received_at": now, "state": "unreadable",
                "payload": {SCRIPT: BIDI, "long": LONG, "nested": [[[SCRIPT]]]},
                "body": f'{{"a": "{BIDI}", "long": "{LONG}"}}'.encode(), "duplicates": 3,
                "errors": [{"field": SCRIPT, "rule": "x", "message": error[:3000]}], "correlation_id": SCRIPT[:255],
            },
        )  # fmt: skip
        session.execute(
            insert(core(LaneRow)),
            {
                "lane_id": lane_id, "destination": "erp", "subject": subject, "last_seq": 1, "head_seq": 2,
                "due_at": None, "lease_token": None, "attempt": 0, "background": False,
            },
        )  # fmt: skip
        session.execute(
            insert(core(DeliveryRow)),
            {
                "lane_id": lane_id, "seq": 1, "id": delivery_id, "event_id": event_id, "destination": "erp",
                "webhook_id": delivery_id, "carries": "change", "created_at": now, "state": "dead", "attempts": 1,
                "finished_at": now, "last_status": 500, "last_error": error, "error_class": "status",
            },
        )  # fmt: skip
        session.execute(
            insert(core(AttemptRow)),
            {
                "delivery_id": delivery_id, "number": 1, "started_at": now, "duration_ms": 12, "outcome": "rejected",
                "status": 500, "error": error, "error_class": "status",
                "answer_excerpt": f"{SCRIPT}{BIDI}{LONG[:3000]}", "sent_bytes": 10, "sent_sha256": "0" * 64,
            },
        )  # fmt: skip
        NOTES.write(
            session,
            [AuditEntry(actor="token:x", action="event.recorded", subject=subject, reason=error[:900],
                        details={SCRIPT: BIDI})],
            now,
        )  # fmt: skip
        session.add(_rejection(now, BIDI[:64], SCRIPT[:64], "203.0.113.1"))
    return event_id, delivery_id


def planned_purge(database: Database, now: datetime, *, planner: str = "paul") -> str:
    """A purge that awaits approval; gives its id."""
    policy = purge_policy()
    purge = PurgeRow(
        id=new_id(),
        state="awaiting_approval",
        policy=policy,
        interaction_type="chat",
        range_start=datetime(2023, 1, 1, tzinfo=UTC),
        range_end=datetime(2023, 2, 1, tzinfo=UTC),
        planned_at=now - timedelta(hours=2),
        planner=planner,
    )
    with database.write() as session:
        session.add(purge)
    return purge.id


def held(database: Database, now: datetime) -> list[str]:
    """Holds on a subject, a customer and a type, the first one released; gives their ids."""
    wanted = [
        LegalHold(subject="conversation:4f1c-77", reason="asked by the regulator"),
        LegalHold(customer="C-4711", reason="case 7 of 2026, Meier against us"),
        LegalHold(type="voice", from_=date(2026, 3, 1), to=date(2026, 3, 31), reason="audit of the March campaign"),
    ]
    holds = LegalHolds((), VAULT)
    with database.write() as session:
        earlier = now - timedelta(hours=3)
        placed = [place_hold(session, holds, one, actor="cli:eva", now=earlier, notes=NOTES) for one in wanted]
        ids = [one.hold.id for one in placed]
        release(session, holds, ids[0], reason="the regulator is content", actor="cli:eva", now=now, notes=NOTES)
    return ids


def running_replay(database: Database, now: datetime) -> str:
    """A replay that has begun, of which another replay and `latest` have taken their share; gives its id."""
    other, running = new_id(), new_id()
    common = {"created_at": now - timedelta(seconds=40), "created_by": "token:eva", "rate": 20.0, "mode": "latest"}
    counts = {"matched": 1840, "left_out": 212, "skipped_for": {other: 3, "single": 1}}
    chosen = {"destination": "erp", "state": "dead"}
    with database.write() as session:
        for replay_id, state in ((other, "paused"), (running, "running")):
            reason = "the ERP is mended"
            session.add(
                ReplayRow(id=replay_id, state=state, reason=reason, due_at=now, filter=chosen, **counts, **common)
            )
    return running


def running_merge(database: Database, now: datetime, *, destination: str = "genesys") -> str:
    """A merge that waits for Genesys, two steps done; gives the command's id."""
    rng = Random(3)
    begun = now - timedelta(seconds=40)
    command_id, delivery_id = id_at(begun, rng), id_at(begun + timedelta(milliseconds=1), rng)
    steps = [
        {"at": rfc3339(begun), "outcome": "delivered", "status": 200, "detail": "both interactions read"},
        {"at": rfc3339(begun + timedelta(seconds=2)), "outcome": "retry_later", "status": 429, "detail": "rate limit"},
    ]
    with database.write() as session:
        session.execute(
            insert(core(EventRow)),
            {
                "id": command_id, "source": "bridge", "type": "interaction.merge", "subject": "merge:0f3a",
                "received_at": begun, "state": "recorded", "payload": {"interactions": ["i-1", "i-2"]},
                "body": b"{}", "duplicates": 0,
            },
        )  # fmt: skip
        session.execute(
            insert(core(LaneRow)),
            {
                "lane_id": 78, "destination": destination, "subject": "merge:0f3a", "last_seq": 1, "head_seq": 1,
                "due_at": now + timedelta(seconds=4), "lease_token": None, "attempt": 0, "background": False,
            },
        )  # fmt: skip
        session.execute(
            insert(core(DeliveryRow)),
            {
                "lane_id": 78, "seq": 1, "id": delivery_id, "event_id": command_id, "destination": destination,
                "webhook_id": delivery_id, "carries": "change", "created_at": begun, "state": "pending",
                "attempts": 1, "finished_at": None,
                "progress": {"steps": steps, "measures": {"latency_ms": 2100, "retries": 1, "conflicts": 0},
                             "work": {"merge_request_id": "mr-77", "status": "PROCESSING", "polls": 3}},
            },
        )  # fmt: skip
    return command_id


def seal(database: Database) -> None:
    """Seal every audit entry there is."""
    later = SystemClock().now() + timedelta(days=1)  # ids are made by the real clock, and entries settle first
    with database.write() as session:
        while seal_batch(session, SIGNER, now=later) is not None:
            pass


def dead(made: Stock, destination: str = "erp") -> list[str]:
    """Ids of the dead deliveries to `destination`, newest first."""
    wanted = [str(one["id"]) for one in made.deliveries if one["state"] == "dead" and one["destination"] == destination]
    return sorted(wanted, reverse=True)


def _block_a_lane(database: Database, made: Stock, now: datetime) -> str:
    lane = made.lanes["erp", "record:Item/1"]
    of_lane = [one for one in made.deliveries if one["lane_id"] == lane["lane_id"]]
    head = next(one for one in of_lane if one["state"] == "pending")
    with database.write() as session:
        session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.id == head["id"])
            .values(state="dead", finished_at=now, attempts=8, last_status=422, error_class="rejected",
                    last_error="the receiver refused it: 422, field `quantity` may not be negative")
        )  # fmt: skip
        session.execute(
            update(LaneRow)
            .where(LaneRow.lane_id == lane["lane_id"])
            .values(blocked_at=now - timedelta(minutes=31), due_at=None, lease_token=None)
        )
    return str(head["id"])


def _attempts(delivery: dict[str, object]) -> Sequence[dict[str, object]]:
    """As many as the delivery says; all but the last of them failed."""
    count, state, at = int(str(delivery["attempts"])), delivery["state"], delivery["created_at"]
    assert isinstance(at, datetime)
    return [
        {
            "delivery_id": delivery["id"], "number": number, "started_at": at + timedelta(seconds=2**number),
            "duration_ms": 37 + number * 11,
            "outcome": "delivered" if state == "delivered" and number == count else "retry_later",
            "status": 200 if state == "delivered" and number == count else 503,
            "error": None if state == "delivered" and number == count else "the receiver answered 503",
            "error_class": None if state == "delivered" and number == count else "status",
            "answer_excerpt": '{"accepted":true}' if state == "delivered" else "<h1>Service Unavailable</h1>",
            "sent_bytes": 412, "sent_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        }
        for number in range(1, count + 1)
    ]  # fmt: skip


def _end(made: Stock, delivery: dict[str, object]) -> dict[str, object]:
    """The audit entry of a delivery that has ended, with an id of that time."""
    at = delivery["finished_at"]
    assert isinstance(at, datetime)
    return {
        "id": id_at(at, Random(str(delivery["id"]))),
        "at": at,
        "actor": "worker",
        "action": f"delivery.{delivery['state']}",
        "subject": _subject(made, delivery),
        "reason": None,
        "details": {"deliveryId": delivery["id"], "destination": delivery["destination"]},
    }


def _subject(made: Stock, delivery: dict[str, object]) -> str:
    return next(str(event["subject"]) for event in made.events if event["id"] == delivery["event_id"])


def _rejection(at: datetime, source: str, cause: str, address: str) -> RejectionRow:
    return RejectionRow(
        id=new_id(), at=at, source=source, cause=cause, status=401, address=address, size=512, body=None
    )
