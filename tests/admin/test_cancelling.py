"""Many deliveries cancelled at once: counted first, in bounded steps, each with its audit entry."""

from __future__ import annotations

import pytest

from bridge.admin.access import Role
from bridge.admin.cancelling import AT_ONCE, CancelStep, cancel_next, count_cancellable
from bridge.admin.search.delivery_ids import DeliveryFilter
from bridge.database import Database
from bridge.errors import Invalid
from bridge.outbox.contract import ClaimedDelivery, Delivered, Outcome
from tests.admin.desk import Desk
from tests.fakes import FakeClock
from tests.outbox.replays import DEAD, kill, many_dead, order, progress_of, step
from tests.outbox.yard import NOTES, FakeDestination, actions, delivery, dispatcher, owe, states

TO_ERP = DeliveryFilter(destination="erp")
WHY = {"reason": "the ERP was replaced"}


def cancel(
    database: Database, clock: FakeClock, wanted: DeliveryFilter = TO_ERP, after: str | None = None
) -> CancelStep:
    with database.write() as session:
        return cancel_next(session, wanted, after=after, reason="x", actor="cli:eva", now=clock.now(), notes=NOTES)


def test_what_is_pending_is_cancelled_and_the_rest_stays(database: Database, clock: FakeClock) -> None:
    kill(database, clock, "conversation:dead")
    mine = [owe(database, clock.now(), subject=f"conversation:{number}")[0] for number in range(4)]
    (other,) = owe(database, clock.now(), destinations=["crm"])
    with database.read() as session:
        counts = count_cancellable(session, TO_ERP, now=clock.now())
    assert (counts.matched, counts.more, counts.by_destination) == (4, False, {"erp": 4})
    assert cancel(database, clock) == CancelStep(cancelled=4, skipped=0, next=None)
    assert {delivery(database, one).state for one in mine} == {"cancelled"}
    assert delivery(database, other).state == "pending"
    assert actions(database).count("delivery.cancelled") == 4
    dispatcher(database, clock, erp := FakeDestination()).deliver_due()
    assert erp.sent == []


def test_many_are_cancelled_in_bounded_steps(database: Database, clock: FakeClock) -> None:
    many_dead(database, clock.now(), AT_ONCE + 30)
    clock.advance(1)
    replay_id = order(database, clock, DEAD, rate=1000)
    clock.advance(1)
    step(database, clock.now())
    (late,) = owe(database, clock.now())
    first = cancel(database, clock)
    assert (first.cancelled, first.next is None) == (AT_ONCE, False)
    (later,) = owe(database, clock.now(), subject="conversation:later")
    assert cancel(database, clock, after=first.next) == CancelStep(cancelled=31, skipped=0, next=None)
    assert (delivery(database, late).state, delivery(database, later).state) == ("cancelled", "pending")
    assert progress_of(database, replay_id).cancelled == AT_ONCE + 30


def test_what_is_being_sent_ends_by_itself(database: Database, clock: FakeClock) -> None:
    for number in range(30):
        owe(database, clock.now(), subject=f"conversation:{number}")
    done: list[CancelStep] = []

    def answer(_: ClaimedDelivery) -> Outcome:
        if not done:
            done.append(CancelStep(cancelled=0, skipped=0, next=None))
            done.append(cancel(database, clock))
        return Delivered()

    dispatcher(database, clock, erp := FakeDestination(answer=answer)).deliver_due()
    out = len(erp.sent)
    assert done[1].cancelled == 30 - out > 0
    assert sorted(states(database)) == ["cancelled"] * (30 - out) + ["delivered"] * out


def test_only_pending_ones_can_be_asked_for(database: Database, clock: FakeClock) -> None:
    with pytest.raises(Invalid) as refused:
        cancel(database, clock, DeliveryFilter(state="dead"))
    assert [one.field for one in refused.value.errors] == ["filter.state"]


def test_over_the_api_it_is_counted_ordered_and_noted(desk: Desk) -> None:
    for number in range(3):
        owe(desk.database, desk.clock.now(), subject=f"conversation:{number}")
    seat = desk.sits(Role.OPERATOR)
    wanted = {"destination": "erp", "type": "custom_object.record.updated"}
    assert seat.get("/deliveries/cancellable", **wanted).get_json() == {
        "matched": 3,
        "more": False,
        "by_destination": {"erp": 3},
    }
    assert seat.post("/deliveries/cancel", {"filter": wanted}).status_code == 422
    assert seat.post("/deliveries/cancel", {"filter": {"state": "dead"}, **WHY}).status_code == 422
    assert seat.post("/deliveries/cancel", {"filter": wanted, "cursor": "x", **WHY}).status_code == 422
    answered = {"filter": {**wanted, "status": 503}, **WHY}
    assert seat.post("/deliveries/cancel", answered).get_json() == {"cancelled": 0, "skipped": 0, "next": None}
    answer = seat.post("/deliveries/cancel", {"filter": wanted, **WHY})
    assert answer.get_json() == {"cancelled": 3, "skipped": 0, "next": None}
    assert states(desk.database) == ["cancelled"] * 3
    assert desk.sits(Role.VIEWER).post("/deliveries/cancel", {"filter": wanted, **WHY}).status_code == 403
