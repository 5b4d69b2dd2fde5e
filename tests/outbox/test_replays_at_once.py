"""Replays and their workers at the same moment, two sessions each: who waits, and that each row is sent once."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import suppress

import pytest
from sqlalchemy import event

from bridge.database import Database
from bridge.errors import Conflict
from bridge.events import Owed, RecordedEvent
from bridge.outbox.ledger.append import hold_lanes
from bridge.outbox.replay import replay_delivery
from bridge.outbox.replay_orders import pause_replay
from bridge.outbox.replay_walk import step_replay
from bridge.outbox.selection import ReplayFilter
from bridge.outbox.taken import SINGLE
from tests.fakes import FakeClock
from tests.outbox.replays import (
    DEAD,
    FILLS_CRM,
    WANTED,
    kill,
    order,
    progress_of,
    steer,
    step,
    step_of,
    subjects,
    wants,
)
from tests.outbox.yard import NOTES, FakeDestination, count, dispatcher, owe


def test_once_a_pause_is_committed_the_worker_in_the_middle_of_a_step_adds_nothing(
    database: Database, clock: FakeClock
) -> None:
    for subject in subjects(4):
        owe(database, clock.now(), subject=subject)
    replay_id = order(database, clock, FILLS_CRM)
    in_the_middle, go_on, paused = threading.Event(), threading.Event(), threading.Event()
    seen: list[int] = []

    def slow(recorded: RecordedEvent) -> Owed | None:
        in_the_middle.set()
        assert go_on.wait(10)
        return wants("crm")(recorded)

    def walk() -> None:
        with database.write() as session:
            step_replay(session, replay_id, {"crm": slow}, now=clock.now(), notes=NOTES)

    def pause() -> None:
        with suppress(Conflict):  # the step was the last one
            steer(database, clock, pause_replay, replay_id)
        seen.append(count(database, "delivery"))
        paused.set()

    threads = [threading.Thread(target=walk), threading.Thread(target=pause)]
    threads[0].start()
    assert in_the_middle.wait(10)
    threads[1].start()
    assert not paused.wait(0.2), "it waits for the step"
    go_on.set()
    for thread in threads:
        thread.join(timeout=20)
    clock.advance(1)
    step(database, clock.now())
    assert seen == [count(database, "delivery")] == [8]


@pytest.mark.parametrize("chosen", [DEAD, FILLS_CRM], ids=["dead", "never-owed"])
def test_of_two_replays_that_walk_over_the_same_rows_at_once_each_row_is_sent_once(
    database: Database, clock: FakeClock, chosen: ReplayFilter
) -> None:
    kill(database, clock, *subjects(8))
    orders = [order(database, clock, chosen, rate=5) for _ in range(2)]
    reached = threading.Event()
    second = threading.Thread(target=lambda: step_of(database, clock.now(), orders[1]))

    def at_the_lanes(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread() is second and "INSERT INTO lane" in statement:
            reached.set()

    event.listen(database.engine, "before_cursor_execute", at_the_lanes)
    with database.write() as session:
        step_replay(session, orders[0], WANTED, now=clock.now(), notes=NOTES)
        second.start()
        assert database.is_sqlite or reached.wait(10)  # it has read its rows, and does not see the first's yet
    second.join(timeout=20)
    event.remove(database.engine, "before_cursor_execute", at_the_lanes)
    destination = FakeDestination(name=chosen.destination or "")
    for _ in range(6):
        dispatcher(database, clock, destination).deliver_due()
        clock.advance(1)
        step(database, clock.now())
    told = [progress_of(database, one) for one in orders]
    assert Counter(one.event.subject for one in destination.sent) == dict.fromkeys(subjects(8), 1)
    assert sum(one.delivered for one in told) == sum(one.matched for one in told) == 8
    assert [one.matched + one.skipped for one in told] == [8, 8], "each order knows of every row that it selected"
    assert told[1].skipped_for[orders[0]] >= 5


def test_an_order_for_one_and_a_walk_at_once_send_it_once(database: Database, clock: FakeClock) -> None:
    (dead,) = kill(database, clock, "conversation:a")
    replay_id = order(database, clock, DEAD)
    reached = threading.Event()
    walk = threading.Thread(target=lambda: step_of(database, clock.now(), replay_id))

    def at_the_lanes(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread() is walk and "INSERT INTO lane" in statement:
            reached.set()

    event.listen(database.engine, "before_cursor_execute", at_the_lanes)
    with database.write() as session:
        replay_delivery(session, dead, reason="x", actor="cli:eva", fresh_id=False, now=clock.now(), notes=NOTES)
        walk.start()
        assert database.is_sqlite or reached.wait(10)
    walk.join(timeout=20)
    event.remove(database.engine, "before_cursor_execute", at_the_lanes)
    dispatcher(database, clock, erp := FakeDestination()).deliver_due()
    assert len(erp.sent) == 1
    assert progress_of(database, replay_id).skipped_for == {SINGLE: 1}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_walk_over_many_rows_and_a_recorder_do_not_wait_for_each_other(database: Database, clock: FakeClock) -> None:
    """A walk that leaves most rows out looks at several pages in one step; each has lanes of its own."""
    last, first = "conversation:z", "conversation:a"
    kill(database, clock, last)
    for version in range(60):
        kill(database, clock, "conversation:m", version=str(version))
    kill(database, clock, first)
    replay_id = order(database, clock, DEAD, "latest", rate=3)
    walk = threading.Thread(target=lambda: step_of(database, clock.now(), replay_id))
    begun, go_on, has_first = threading.Event(), threading.Event(), threading.Event()

    def before(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread() is walk and begun.is_set() and not go_on.is_set():
            go_on.set()
            has_first.wait(0.3)  # it never has, where the walk holds every lane by now

    def after(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread() is walk and "INSERT INTO lane" in statement:
            begun.set()

    event.listen(database.engine, "before_cursor_execute", before)
    event.listen(database.engine, "after_cursor_execute", after)
    with database.write() as session:
        walk.start()
        assert go_on.wait(10)
        hold_lanes(session, [("erp", first)])
        has_first.set()
        hold_lanes(session, [("erp", last)])
    walk.join(timeout=20)
    assert progress_of(database, replay_id).pending == 3
