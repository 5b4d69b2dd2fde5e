"""Two workers, one row; a worker that overslept; a worker that stops: who may write what."""

from __future__ import annotations

import threading
from datetime import timedelta
from random import Random

import pytest

from bridge.database import Database
from bridge.errors import Conflict, NotFound
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome, RetryLater
from bridge.outbox.ledger.cancel import cancel
from bridge.outbox.ledger.claim import claim
from bridge.outbox.ledger.settle import Settlement, give_back, settle
from bridge.outbox.retry import decide
from bridge.outbox.wakeup import Announcer
from tests.fakes import VAULT, FakeClock
from tests.outbox.yard import NOTES, FakeDestination, attempts, delivery, dispatcher, lane, owe, states

POLICY = DeliveryPolicy(lease=timedelta(seconds=30), timeout=5)


def claims(database: Database, clock: FakeClock, limit: int = 10) -> list[ClaimedDelivery]:
    with database.write() as session:
        return claim(session, "erp", limit=limit, policy=POLICY, now=clock.now(), notes=NOTES, vault=VAULT)


def result(one: ClaimedDelivery, outcome: Outcome, clock: FakeClock) -> Settlement:
    verdict = decide(outcome, one, POLICY, clock.now(), Random(1))
    return Settlement(delivery=one, outcome=outcome, verdict=verdict, started_at=clock.now(), duration_ms=1)


def settled(database: Database, clock: FakeClock, one: ClaimedDelivery, outcome: Outcome) -> bool:
    with database.write() as session:
        return bool(settle(session, [result(one, outcome, clock)], now=clock.now(), notes=NOTES))


def test_a_claimed_lane_is_nobody_elses_until_its_lease_ends(database: Database, clock: FakeClock) -> None:
    owe(database, clock.now())
    (first,) = claims(database, clock)
    assert claims(database, clock) == []
    clock.advance(30)
    (second,) = claims(database, clock)
    assert second.delivery_id == first.delivery_id
    assert second.token != first.token


def test_a_worker_that_overslept_its_lease_writes_nothing(database: Database, clock: FakeClock) -> None:
    (owed,) = owe(database, clock.now())
    (overslept,) = claims(database, clock)
    clock.advance(31)
    (later,) = claims(database, clock)
    assert not settled(database, clock, overslept, RetryLater(reason="too late", error_class="timeout"))
    assert lane(database).lease_token == later.token
    assert settled(database, clock, later, Delivered())
    assert not settled(database, clock, overslept, RetryLater(reason="too late", error_class="timeout"))
    assert delivery(database, owed).state == "delivered"
    assert [one.outcome for one in attempts(database, owed)] == ["delivered"]


def test_a_lost_lease_in_a_batch_does_not_touch_the_others(database: Database, clock: FakeClock) -> None:
    for name in "ab":
        owe(database, clock.now(), subject=f"conversation:{name}")
    batch = claims(database, clock)
    clock.advance(31)
    (taken,) = claims(database, clock, limit=1)
    with database.write() as session:
        kept = settle(session, [result(one, Delivered(), clock) for one in batch], now=clock.now(), notes=NOTES)
    assert [one.delivery.lane_id for one in kept] == [one.lane_id for one in batch if one.lane_id != taken.lane_id]
    assert sorted(states(database)) == ["delivered", "pending"]


def test_many_workers_share_the_lanes_without_sharing_a_row(database: Database, clock: FakeClock) -> None:
    for number in range(60):
        owe(database, clock.now(), subject=f"conversation:{number}")
    taken: list[ClaimedDelivery] = []
    lock, start = threading.Lock(), threading.Barrier(4)

    def work() -> None:
        start.wait()
        while batch := claims(database, clock, limit=3):
            with lock:
                taken.extend(batch)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
    assert len(taken) == 60
    assert len({one.delivery_id for one in taken}) == 60


def test_a_try_that_could_outlive_its_lease_is_not_begun(database: Database, clock: FakeClock) -> None:
    (owed,) = owe(database, clock.now())
    erp = FakeDestination(policy=DeliveryPolicy(lease=timedelta(seconds=4), timeout=5))
    worker = dispatcher(database, clock, erp)
    worker._look_everywhere()
    worker._turn()
    worker._collect(timeout=5)
    assert erp.sent == []
    worker._turn()
    assert delivery(database, owed).attempts == 0


def test_a_claim_given_back_is_due_at_once_and_counts_no_attempt(database: Database, clock: FakeClock) -> None:
    (owed,) = owe(database, clock.now())
    with database.write() as session:
        give_back(
            session,
            claim(session, "erp", limit=1, policy=POLICY, now=clock.now(), notes=NOTES, vault=VAULT),
            now=clock.now(),
        )
    assert delivery(database, owed).attempts == 0
    assert len(claims(database, clock)) == 1


def test_stopping_settles_what_is_being_sent_and_gives_back_the_rest(database: Database, clock: FakeClock) -> None:
    for number in range(12):
        owe(database, clock.now(), subject=f"conversation:{number}")
    sending, go = threading.Semaphore(0), threading.Event()

    def hold(_: ClaimedDelivery) -> Outcome:
        sending.release()
        go.wait(timeout=10)
        return Delivered()

    erp = FakeDestination(answer=hold)
    worker = dispatcher(database, clock, erp)
    running = threading.Thread(target=worker.run)
    running.start()
    for _ in range(4):
        assert sending.acquire(timeout=10)
    worker.stop()
    go.set()
    running.join(timeout=10)
    assert not running.is_alive()
    begun = len(erp.sent)
    assert begun < 12
    assert sorted(states(database)) == ["delivered"] * begun + ["pending"] * (12 - begun)
    assert len(claims(database, clock, limit=50)) == 12 - begun, "what was not begun is due at once"


def test_a_running_worker_hears_of_work_without_waiting_for_the_poll(database: Database, clock: FakeClock) -> None:
    arrived = threading.Event()

    def answer(_: ClaimedDelivery) -> Outcome:
        arrived.set()
        return Delivered()

    announcer = Announcer(database)  # what a web process has on PostgreSQL; SQLite needs nobody to tell
    announcer.start()
    worker = dispatcher(database, clock, FakeDestination(answer=answer))
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        owe(database, clock.now())
        announcer.announce(None)
        assert arrived.wait(timeout=10), "the clock stands still, so that only the hint can have woken it"
    finally:
        worker.stop()
        running.join(timeout=10)
        announcer.stop()


def test_cancelling_a_head_lets_the_next_go_on_at_once(database: Database, clock: FakeClock) -> None:
    head, following = (
        owe(database, clock.now(), event_type=CONVERSATION_ATTRIBUTES_UPDATED, version=one)[0] for one in "12"
    )
    refused = FakeDestination(answer=lambda _: RetryLater(reason="down", error_class="connect"))
    dispatcher(database, clock, refused).deliver_due()
    with database.write() as session:
        cancel(session, head, now=clock.now())
    dispatcher(database, clock, fine := FakeDestination()).deliver_due()
    assert [one.delivery_id for one in fine.sent] == [following]
    assert states(database) == ["cancelled", "delivered"]


def test_cancelling_one_in_the_middle_leaves_the_order_of_the_others(database: Database, clock: FakeClock) -> None:
    ids = [owe(database, clock.now(), event_type=CONVERSATION_ATTRIBUTES_UPDATED, version=one)[0] for one in "123"]
    with database.write() as session:
        cancel(session, ids[1], now=clock.now())
    dispatcher(database, clock, erp := FakeDestination()).deliver_due()
    assert [one.delivery_id for one in erp.sent] == [ids[0], ids[2]]


def test_what_is_being_sent_or_final_cannot_be_cancelled(database: Database, clock: FakeClock) -> None:
    (owed,) = owe(database, clock.now())
    (one,) = claims(database, clock)
    with pytest.raises(Conflict, match="being sent"), database.write() as session:
        cancel(session, owed, now=clock.now())
    assert settled(database, clock, one, Delivered())
    with pytest.raises(Conflict, match="delivered already"), database.write() as session:
        cancel(session, owed, now=clock.now())
    with pytest.raises(NotFound), database.write() as session:
        cancel(session, "no such id", now=clock.now())
