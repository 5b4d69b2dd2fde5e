"""Replay orders as tests give them, and a worker's seconds one by one."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, update

from bridge.clock import new_id
from bridge.database import Database
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, Owed, RecordedEvent
from bridge.outbox.contract import ClaimedDelivery, Outcome, Rejected
from bridge.outbox.ledger.append import NewDelivery, append
from bridge.outbox.replay_orders import ReplayCounts, Steer, order_replay, plan_replay
from bridge.outbox.replay_progress import ReplayProgress, replay_progress
from bridge.outbox.replay_walk import due_replays, step_replay
from bridge.outbox.selection import Mode, ReplayFilter, Wants
from bridge.tables import DeliveryRow, EventRow, LaneRow, core
from tests.fakes import FakeClock
from tests.outbox.yard import NOTES, FakeDestination, dispatcher, owe


def wants(name: str) -> Wants:
    def owes(event: RecordedEvent) -> Owed | None:
        return Owed(destination=name, subject=event.subject)

    return owes


WANTED = {"erp": wants("erp"), "crm": wants("crm")}
#: Selects what `kill` leaves.
DEAD = ReplayFilter(destination="erp", state="dead")
FILLS_CRM = ReplayFilter(destination="crm", state="none")


def subjects(number: int) -> list[str]:
    return [f"conversation:{index}" for index in range(number)]


def reject(_: ClaimedDelivery) -> Outcome:
    return Rejected(reason="422", error_class="status")


def kill(database: Database, clock: FakeClock, *subjects: str, version: str | None = None) -> list[str]:
    """A dead delivery about each of the subjects; their ids. Time goes on by a second."""
    made = [owe(database, clock.now(), subject=subject, version=version)[0] for subject in subjects]
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    clock.advance(1)
    return made


def order(database: Database, clock: FakeClock, chosen: ReplayFilter, mode: Mode = "every", rate: float = 50) -> str:
    """The order's id. Time goes on by a moment, as it does until a worker hears of it."""
    with database.write() as session:
        planned = plan_replay(session, chosen, mode, WANTED, now=clock.now())
        replay_id = order_replay(
            session, planned, reason="after the outage", rate=rate, actor="cli:eva", now=clock.now(), notes=NOTES
        )
    clock.advance(0.001)
    return replay_id


def counted(database: Database, clock: FakeClock, chosen: ReplayFilter, mode: Mode = "every") -> ReplayCounts:
    """What an order would do."""
    clock.advance(0.001)
    with database.read() as session:
        return plan_replay(session, chosen, mode, WANTED, now=clock.now()).counts


def step(database: Database, now: datetime) -> int:
    """A worker's second of replays; returns how many deliveries were appended or cancelled."""
    with database.read() as session:
        due = due_replays(session, now=now)
    moved = [0]
    while due:
        moved += [step_of(database, now, one) for one in due]
        due = [one for one, did in zip(due, moved[-len(due) :], strict=True) if did]
    return sum(moved)


def step_of(database: Database, now: datetime, replay_id: str) -> int:
    """One step of one order."""
    with database.write() as session:
        return step_replay(session, replay_id, WANTED, now=now, notes=NOTES)


def steer(database: Database, clock: FakeClock, how: Steer, replay_id: str) -> ReplayProgress:
    """Pause, resume or cancel it."""
    with database.write() as session:
        how(session, replay_id, reason="to try", actor="cli:eva", now=clock.now(), notes=NOTES)
        return replay_progress(session, replay_id)


def progress_of(database: Database, replay_id: str) -> ReplayProgress:
    with database.read() as session:
        return replay_progress(session, replay_id)


def many_dead(database: Database, now: datetime, number: int) -> None:
    """As `kill`, as many as one likes in a moment: `conversation:0`, `conversation:1`, …"""
    many_pending(database, now, number)
    with database.write() as session:
        session.execute(update(core(DeliveryRow)).values(state="dead", finished_at=now))
        session.execute(update(core(LaneRow)).values(head_seq=2, due_at=None))


def many_pending(database: Database, now: datetime, number: int) -> None:
    """As many deliveries to `erp` as one likes, about `conversation:0`, `conversation:1`, …"""
    event_ids = {f"conversation:{index}": new_id() for index in range(number)}
    columns = {"source": "genesys", "type": CONVERSATION_ATTRIBUTES_UPDATED, "payload": {}, "body": b"{}"}
    rows = [
        {**columns, "id": one, "subject": subject, "received_at": now, "duplicates": 0}
        for subject, one in event_ids.items()
    ]
    new = [
        NewDelivery(
            id=new_id(), event_id=one, event_type=CONVERSATION_ATTRIBUTES_UPDATED, destination="erp", subject=subject
        )
        for subject, one in event_ids.items()
    ]
    with database.write() as session:
        session.execute(insert(core(EventRow)), rows)
        append(session, new, now=now)
