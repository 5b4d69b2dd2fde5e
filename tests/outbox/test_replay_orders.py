"""Replays as a whole: paused, resumed, cancelled, counted; two of them over the same rows."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import event, select, text

from bridge.database import Database
from bridge.errors import Conflict, Invalid, NotFound
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, RECORD_UPDATED
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome, RetryLater
from bridge.outbox.replay import replay_delivery
from bridge.outbox.replay_ends import SWEPT_AT_ONCE
from bridge.outbox.replay_orders import Steer, cancel_replay, pause_replay, resume_replay
from bridge.outbox.replay_progress import ReplayProgress, count_deliveries
from bridge.outbox.replay_walk import step_replay
from bridge.outbox.selection import ReplayFilter, Wants
from bridge.outbox.taken import SINGLE
from bridge.tables import LaneRow
from tests.fakes import FakeClock
from tests.outbox.replays import (
    DEAD,
    FILLS_CRM,
    WANTED,
    counted,
    kill,
    many_dead,
    order,
    progress_of,
    reject,
    steer,
    step,
    step_of,
    subjects,
)
from tests.outbox.yard import NOTES, FakeDestination, actions, dispatcher, lane, owe

NOBODY = "00000000-0000-7000-8000-000000000000"


def test_a_paused_walk_adds_nothing_and_goes_on_from_where_it_stood(database: Database, clock: FakeClock) -> None:
    many_dead(database, clock.now(), 10)
    clock.advance(1)
    replay_id = order(database, clock, DEAD, rate=4)
    assert step(database, clock.now()) == 4
    paused = steer(database, clock, pause_replay, replay_id)
    assert (paused.state, paused.pending, paused.walking) == ("paused", 4, True)
    for _ in range(3):
        clock.advance(1)
        assert step(database, clock.now()) == 0
    dispatcher(database, clock, erp := FakeDestination()).deliver_due()
    assert len(erp.sent) == 4, "what is in its lane already is sent"
    steer(database, clock, resume_replay, replay_id)
    while not progress_of(database, replay_id).is_over:
        step(database, clock.now())
        dispatcher(database, clock, erp).deliver_due()
        clock.advance(1)
    assert Counter(one.event.subject for one in erp.sent) == dict.fromkeys(subjects(10), 1)
    assert progress_of(database, replay_id).state == "completed"
    noted = [action for action in actions(database) if action.startswith("replay.")]
    assert noted == ["replay.ordered", "replay.paused", "replay.resumed", "replay.completed"]


@pytest.mark.parametrize(
    ("brought_by", "refused", "told"),
    [
        ((), resume_replay, "the replay is running"),
        ((pause_replay,), pause_replay, "the replay is paused"),
        ((cancel_replay,), pause_replay, "the replay is cancelled"),
        ((cancel_replay,), resume_replay, "the replay is cancelled"),
        ((pause_replay, cancel_replay), cancel_replay, "the replay is cancelled"),
    ],
)
def test_what_the_state_does_not_allow_is_a_conflict_that_names_the_state(
    database: Database, clock: FakeClock, brought_by: tuple[Steer, ...], refused: Steer, told: str
) -> None:
    kill(database, clock, "conversation:a")
    replay_id = order(database, clock, DEAD)
    for how in brought_by:
        steer(database, clock, how, replay_id)
    with pytest.raises(Conflict, match=told):
        steer(database, clock, refused, replay_id)


def test_a_walk_that_is_over_cannot_be_paused_and_says_why(database: Database, clock: FakeClock) -> None:
    kill(database, clock, "conversation:a")
    replay_id = order(database, clock, DEAD)
    step(database, clock.now())
    assert not progress_of(database, replay_id).walking
    with pytest.raises(Conflict, match="all its deliveries are in their lanes"):
        steer(database, clock, pause_replay, replay_id)
    with pytest.raises(NotFound):
        steer(database, clock, cancel_replay, NOBODY)
    with pytest.raises(Invalid), database.write() as session:
        cancel_replay(session, replay_id, reason=" ", actor="cli:eva", now=clock.now(), notes=NOTES)


def test_a_cancelled_replay_takes_its_deliveries_out_of_their_lanes(database: Database, clock: FakeClock) -> None:
    many_dead(database, clock.now(), 10)
    clock.advance(1)
    replay_id = order(database, clock, DEAD, rate=5)
    step(database, clock.now())
    dispatcher(database, clock, erp := FakeDestination()).deliver_due()
    clock.advance(1)
    step(database, clock.now())
    (live,) = owe(database, clock.now(), subject="conversation:7", event_type=CONVERSATION_ATTRIBUTES_UPDATED)
    cancelled = steer(database, clock, cancel_replay, replay_id)
    assert (cancelled.state, cancelled.delivered, cancelled.cancelled, cancelled.pending) == ("cancelled", 5, 5, 0)
    assert cancelled.is_over
    assert (lane(database, "conversation:8").due_at, lane(database, "conversation:8").head_seq) == (None, 3)
    dispatcher(database, clock, erp).deliver_due()
    clock.advance(1)
    assert step(database, clock.now()) == 0
    assert [one.delivery_id for one in erp.sent[5:]] == [live], "what waits behind is not held up"
    assert actions(database).count("delivery.cancelled") == 5


def test_of_a_cancelled_replay_what_is_being_sent_ends_by_itself(database: Database, clock: FakeClock) -> None:
    many_dead(database, clock.now(), 30)
    clock.advance(1)
    replay_id = order(database, clock, DEAD)
    step(database, clock.now())
    lock = threading.Lock()
    seen: list[ReplayProgress] = []

    def answer(_: ClaimedDelivery) -> Outcome:
        with lock:
            if seen:
                return Delivered()
            seen.append(steer(database, clock, cancel_replay, replay_id))
            return RetryLater(reason="503", error_class="status")

    worker = dispatcher(database, clock, erp := FakeDestination(answer=answer))
    worker.deliver_due()
    out = len(erp.sent)
    assert (seen[0].pending, seen[0].cancelled, seen[0].is_over) == (out, 30 - out, False)
    clock.advance(1)
    assert step(database, clock.now()) == 1, "the one whose try has failed is not tried again"
    ended = progress_of(database, replay_id)
    assert (ended.sent, ended.delivered, ended.cancelled, ended.is_over) == (out, out - 1, 31 - out, True)
    clock.advance(60)
    worker.deliver_due()
    assert len(erp.sent) == out < 30


def test_a_cancelled_replay_is_cleared_in_bounded_steps(database: Database, clock: FakeClock) -> None:
    many_dead(database, clock.now(), SWEPT_AT_ONCE + 20)
    clock.advance(1)
    replay_id = order(database, clock, DEAD, rate=1000)
    clock.advance(1)
    step(database, clock.now())
    first = steer(database, clock, cancel_replay, replay_id)
    assert (first.cancelled, first.pending, first.is_over) == (SWEPT_AT_ONCE, 20, False)
    assert step(database, clock.now()) == 20
    last = progress_of(database, replay_id)
    assert (last.cancelled, last.pending, last.is_over) == (SWEPT_AT_ONCE + 20, 0, True)
    with database.read() as session:
        assert session.scalars(select(LaneRow.due_at).where(LaneRow.due_at.is_not(None))).all() == []


def test_what_a_cancelled_replay_did_not_send_can_be_ordered_again(database: Database, clock: FakeClock) -> None:
    kill(database, clock, *subjects(3))
    first = order(database, clock, DEAD)
    step(database, clock.now())
    assert counted(database, clock, DEAD).skipped_for == {first: 3}
    steer(database, clock, cancel_replay, first)
    clock.advance(1)
    assert counted(database, clock, ReplayFilter(state="cancelled")).matched == 0
    assert counted(database, clock, DEAD).matched == 3
    second = order(database, clock, DEAD)
    step(database, clock.now())
    assert progress_of(database, second).pending == 3


def test_rows_that_another_replay_is_sending_are_left_to_it_and_counted(database: Database, clock: FakeClock) -> None:
    dead = kill(database, clock, *subjects(5))
    with database.write() as session:
        replay_delivery(session, dead[4], reason="x", actor="cli:eva", fresh_id=False, now=clock.now(), notes=NOTES)
    first = order(database, clock, DEAD, rate=2)
    step(database, clock.now())
    counts = counted(database, clock, DEAD)
    assert (counts.matched, counts.skipped, counts.skipped_for) == (2, 3, {first: 2, SINGLE: 1})
    second = order(database, clock, DEAD)
    assert progress_of(database, second).skipped_for == {first: 2, SINGLE: 1}
    clock.advance(1)
    step_of(database, clock.now(), first)  # it is faster
    step(database, clock.now())
    late = progress_of(database, second)
    assert (late.matched, late.pending, late.skipped_for) == (0, 0, {first: 4, SINGLE: 1})
    dispatcher(database, clock, erp := FakeDestination()).deliver_due()
    assert Counter(one.event.subject for one in erp.sent) == dict.fromkeys(subjects(5), 1)
    clock.advance(1)
    step(database, clock.now())
    assert progress_of(database, second).state == "completed"


def test_what_was_left_out_and_what_is_sent_make_up_what_the_filter_selects(
    database: Database, clock: FakeClock
) -> None:
    for version in ("1", "3", "2"):
        kill(database, clock, "conversation:a", version=version)
    kill(database, clock, "conversation:b", version="1")
    counts = counted(database, clock, DEAD, "latest")
    assert (counts.matched, counts.left_out, counts.by_destination) == (2, 2, {"erp": 2})
    every = counted(database, clock, DEAD, "every")
    assert (every.matched, every.left_out) == (4, 0)
    replay_id = order(database, clock, DEAD, "latest", rate=1)
    for _ in range(4):
        step(database, clock.now())
        dispatcher(database, clock, FakeDestination()).deliver_due()
        clock.advance(1)
    step(database, clock.now())
    told = progress_of(database, replay_id)
    assert (told.state, told.matched, told.delivered, told.left_out) == ("completed", 2, 2, 2)


def test_a_low_rate_does_not_stop_at_rows_that_are_left_out(database: Database, clock: FakeClock) -> None:
    for version in range(30):
        kill(database, clock, "conversation:a", version=str(version))
    replay_id = order(database, clock, DEAD, "latest", rate=1)
    assert step(database, clock.now()) == 1
    assert not progress_of(database, replay_id).walking


def test_what_became_of_it_is_known_after_its_deliveries_are_forgotten(database: Database, clock: FakeClock) -> None:
    kill(database, clock, *subjects(3))
    replay_id = order(database, clock, DEAD)
    step(database, clock.now())
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    step(database, clock.now())
    ended = progress_of(database, replay_id)
    assert (ended.state, ended.sent, ended.failed) == ("completed", 3, 3)
    with database.write() as session:
        session.execute(text("DELETE FROM attempt"))
        session.execute(text("DELETE FROM delivery"))
    assert progress_of(database, replay_id) == ended


def test_an_order_for_a_destination_that_this_worker_does_not_know_waits_for_one_that_does(
    database: Database, clock: FakeClock
) -> None:
    owe(database, clock.now())
    replay_id = order(database, clock, FILLS_CRM)
    unknowing: dict[str, Wants] = {"erp": WANTED["erp"]}
    with database.write() as session:
        assert step_replay(session, replay_id, unknowing, now=clock.now(), notes=NOTES) == 0
    clock.advance(1)
    assert step(database, clock.now()) == 1


def test_counting_what_became_of_a_replay_reads_no_delivery(database: Database) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    with database.read() as session:
        event.listen(database.engine, "before_cursor_execute", note)
        assert count_deliveries(session, [NOBODY]) == {}
        event.remove(database.engine, "before_cursor_execute", note)
        if not database.is_sqlite:  # an empty table is read faster without an index
            session.execute(text("SET LOCAL enable_seqscan = off"))
            session.execute(text("SET LOCAL enable_bitmapscan = off"))
        statement, parameters = asked[-1]
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        plan = str(session.connection().exec_driver_sql(f"{explain} {statement}", parameters).all())
    assert "COVERING INDEX delivery_of_replay" in plan or "Index Only Scan using delivery_of_replay" in plan


def test_no_entry_of_a_delivery_tells_of_a_person_by_its_subject(database: Database, clock: FakeClock) -> None:
    """Delivered, dead, superseded, and cancelled with its replay."""
    person = "record:Caller/+4989123456789"
    kill(database, clock, person)
    owe(database, clock.now(), subject=person, event_type=RECORD_UPDATED, version="1")
    owe(database, clock.now(), subject=person, event_type=RECORD_UPDATED, version="2")
    dispatcher(database, clock, FakeDestination(policy=DeliveryPolicy(skip_stale=True))).deliver_due()
    replay_id = order(database, clock, DEAD)
    step(database, clock.now())
    steer(database, clock, cancel_replay, replay_id)
    assert {"delivery.delivered", "delivery.dead", "delivery.superseded", "delivery.cancelled"} <= set(
        actions(database)
    )
    with database.read() as session:
        told = session.scalars(text("SELECT subject FROM audit_entry WHERE action LIKE 'delivery.%'")).all()
    assert set(told) == {"record:Caller/+49******89"}
