"""What the dispatcher makes of each outcome, on a real database."""

from __future__ import annotations

from datetime import timedelta

from bridge.database import Database
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, RECORD_DELETED
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome, Rejected, RetryLater, Waiting
from bridge.outbox.ledger.blocked import any_blocked, skip_overdue
from bridge.outbox.ledger.pause import paused
from tests.fakes import FakeClock
from tests.outbox.yard import NOTES, FakeDestination, actions, attempts, delivery, dispatcher, lane, owe, states

A, B = "conversation:a", "conversation:b"


def refuse(_: ClaimedDelivery) -> Outcome:
    return RetryLater(reason="connection refused", error_class="connect")


def reject(_: ClaimedDelivery) -> Outcome:
    return Rejected(reason="422: quantity", error_class="status")


def test_what_is_owed_is_delivered_once_with_an_attempt_and_an_audit_entry(
    database: Database, clock: FakeClock
) -> None:
    (owed,) = owe(database, clock.now())
    erp = FakeDestination()
    worker = dispatcher(database, clock, erp)
    assert worker.deliver_due() == 1
    assert worker.deliver_due() == 0
    row = delivery(database, owed)
    assert (row.state, row.attempts, row.finished_at) == ("delivered", 1, clock.now())
    assert [one.outcome for one in attempts(database, owed)] == ["delivered"]
    assert actions(database) == ["delivery.delivered"]
    assert lane(database).due_at is None


def test_a_failed_try_waits_alone_and_carries_the_same_webhook_id(database: Database, clock: FakeClock) -> None:
    (first,) = owe(database, clock.now(), subject=A, event_type=CONVERSATION_ATTRIBUTES_UPDATED)
    owe(database, clock.now(), subject=B, event_type=CONVERSATION_ATTRIBUTES_UPDATED)
    erp = FakeDestination(answer=lambda one: refuse(one) if one.event.subject == A else Delivered())
    worker = dispatcher(database, clock, erp)
    worker.deliver_due()
    assert states(database) == ["pending", "delivered"]
    assert worker.deliver_due() == 0, "not due yet"
    erp.answer = lambda _: Delivered()
    clock.advance(1.0)
    worker.deliver_due()
    assert delivery(database, first).state == "delivered"
    assert {one.webhook_id for one in erp.sent if one.event.subject == A} == {first}
    assert [one.number for one in attempts(database, first)] == [1, 2]
    assert [one.error for one in attempts(database, first)] == ["connection refused", None]


def test_the_waits_grow_and_start_anew_with_the_next_head(database: Database, clock: FakeClock) -> None:
    owe(database, clock.now(), event_type=CONVERSATION_ATTRIBUTES_UPDATED)
    owe(database, clock.now(), event_type=CONVERSATION_ATTRIBUTES_UPDATED)
    worker = dispatcher(database, clock, FakeDestination(answer=refuse, policy=DeliveryPolicy(max_attempts=4)))
    waits = []
    for _ in range(4):
        worker.deliver_due()
        due = lane(database).due_at
        assert due is not None
        waits.append((due - clock.now()).total_seconds())
        clock.advance(waits[-1])
    assert 0.5 <= waits[0] <= 1 < 2 <= waits[2] <= 4
    assert states(database)[0] == "dead"
    assert 0.5 <= waits[3] <= 1, "the next head begins with the first wait"


def test_a_dead_head_lets_the_next_go_on(database: Database, clock: FakeClock) -> None:
    dead, fine = (
        owe(database, clock.now(), event_type=CONVERSATION_ATTRIBUTES_UPDATED, version=version)[0]
        for version in ("1", "2")
    )
    erp = FakeDestination(answer=lambda one: reject(one) if one.event.version == "1" else Delivered())
    dispatcher(database, clock, erp).deliver_due()
    assert delivery(database, dead).state == "dead"
    assert delivery(database, dead).last_error == "422: quantity"
    assert delivery(database, fine).state == "delivered"
    assert actions(database) == ["delivery.dead", "delivery.delivered"]


def test_a_dead_head_holds_its_lane_where_the_destination_says_block(database: Database, clock: FakeClock) -> None:
    for version in ("1", "2"):
        owe(database, clock.now(), event_type=CONVERSATION_ATTRIBUTES_UPDATED, version=version)
    owe(database, clock.now(), subject=B, event_type=CONVERSATION_ATTRIBUTES_UPDATED, version="1")
    erp = FakeDestination(
        answer=lambda one: Delivered() if one.event.subject == B else reject(one),
        policy=DeliveryPolicy(block_on_dead=True),
    )
    worker = dispatcher(database, clock, erp)
    worker.deliver_due()
    assert states(database) == ["dead", "pending", "delivered"]
    assert lane(database).blocked_at == clock.now()
    owe(database, clock.now(), event_type=CONVERSATION_ATTRIBUTES_UPDATED, version="3")
    clock.advance(3600)
    assert worker.deliver_due() == 0, "appending to a blocked lane does not wake it"


def test_a_blocked_lane_goes_on_after_max_block(database: Database, clock: FakeClock) -> None:
    for version in ("1", "2"):
        owe(database, clock.now(), event_type=CONVERSATION_ATTRIBUTES_UPDATED, version=version)
    erp = FakeDestination(answer=reject, policy=DeliveryPolicy(block_on_dead=True))
    worker = dispatcher(database, clock, erp)
    worker.deliver_due()
    erp.answer = lambda _: Delivered()
    for passed, skipped in ((3599, 0), (1, 1)):
        clock.advance(passed)
        with database.write() as session:
            assert any_blocked(session, "erp")
            assert skip_overdue(session, "erp", max_block=timedelta(hours=1), now=clock.now(), notes=NOTES) == skipped
    worker.deliver_due()
    assert states(database) == ["dead", "delivered"]
    assert "lane.skipped" in actions(database)


def test_a_gone_receiver_pauses_its_destination(database: Database, clock: FakeClock) -> None:
    owe(database, clock.now(), subject=A)
    erp = FakeDestination(answer=lambda _: Rejected(reason="410", error_class="status", pause=True))
    worker = dispatcher(database, clock, erp)
    worker.deliver_due()
    owe(database, clock.now(), subject=B)
    assert worker.deliver_due() == 0
    with database.read() as session:
        assert paused(session) == {"erp": "410"}
    assert "destination.paused" in actions(database)


def test_a_waiting_step_is_no_attempt_and_keeps_its_progress(database: Database, clock: FakeClock) -> None:
    (owed,) = owe(database, clock.now())
    seen = []

    def poll(one: ClaimedDelivery) -> Outcome:
        seen.append(one.progress)
        if len(seen) < 3:
            return Waiting(progress={"polls": len(seen)}, wait=timedelta(seconds=2))
        return Delivered()

    worker = dispatcher(database, clock, FakeDestination(answer=poll))
    for _ in range(3):
        worker.deliver_due()
        clock.advance(2)
    assert seen == [None, {"polls": 1}, {"polls": 2}]
    row = delivery(database, owed)
    assert (row.state, row.attempts, row.progress) == ("delivered", 1, {"polls": 2})


def test_states_that_wait_are_coalesced_into_the_newest(database: Database, clock: FakeClock) -> None:
    older, newest, late = (owe(database, clock.now(), version=one)[0] for one in ("5", "10", "9"))
    erp = FakeDestination(policy=DeliveryPolicy(skip_stale=True))
    dispatcher(database, clock, erp).deliver_due()
    assert erp.versions("record:InventoryItem/r-1") == ["10"]
    assert delivery(database, older).superseded_by == newest
    assert delivery(database, late).superseded_by == newest
    assert sorted(actions(database)) == ["delivery.delivered", "delivery.superseded", "delivery.superseded"]


def test_a_delete_lets_a_record_made_anew_start_its_versions_again(database: Database, clock: FakeClock) -> None:
    worker = dispatcher(database, clock, erp := FakeDestination(policy=DeliveryPolicy(skip_stale=True)))
    owe(database, clock.now(), version="7")
    worker.deliver_due()
    owe(database, clock.now(), event_type=RECORD_DELETED, version="8")
    worker.deliver_due()
    owe(database, clock.now(), version="1")
    worker.deliver_due()
    assert erp.versions("record:InventoryItem/r-1") == ["7", "8", "1"]


def test_a_bug_in_a_destination_costs_a_retry_and_not_its_thread(database: Database, clock: FakeClock) -> None:
    (owed,) = owe(database, clock.now())
    erp = FakeDestination(answer=lambda _: 1 / 0)  # type: ignore[arg-type,return-value]
    worker = dispatcher(database, clock, erp)
    worker.deliver_due()
    assert delivery(database, owed).last_error == "the bridge itself failed: ZeroDivisionError"
    erp.answer = lambda _: Delivered()
    clock.advance(1)
    worker.deliver_due()
    assert delivery(database, owed).state == "delivered"


def test_a_rate_holds_the_claims_back(database: Database, clock: FakeClock) -> None:
    for number in range(10):
        owe(database, clock.now(), subject=f"conversation:{number}")
    worker = dispatcher(database, clock, erp := FakeDestination(policy=DeliveryPolicy(rate=2.0)))
    worker.deliver_due()
    before = len(erp.sent)
    assert before <= 2
    clock.advance(1.0)
    worker.deliver_due()
    assert len(erp.sent) == before + 2
