"""The two ways out of a lane that a dead head holds, and what they may not do: overtake, or send twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bridge.clock import new_id
from bridge.database import Database
from bridge.errors import Conflict, NotFound
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, RECORD_UPDATE, RECORD_UPDATED
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome, Rejected, RetryLater
from bridge.outbox.ledger.blocked import release_lane, skip_lane
from bridge.outbox.replay import replay_delivery
from bridge.tables import AuditEntryRow
from tests.fakes import FakeClock
from tests.outbox.yard import NOTES, FakeDestination, attempts, delivery, dispatcher, lane, owe, states

LANE = "conversation:a/1"
Order = Callable[..., str]


def reject(_: ClaimedDelivery) -> Outcome:
    return Rejected(reason="422: quantity", error_class="status")


def deliver(_: ClaimedDelivery) -> Outcome:
    return Delivered()


class Yard:
    """A lane of an ERP that blocks, with a dead head and what waits behind it."""

    def __init__(
        self, database: Database, clock: FakeClock, event_type: str = CONVERSATION_ATTRIBUTES_UPDATED, **policy: object
    ) -> None:
        self.database, self.clock = database, clock
        self.ids = [
            owe(database, clock.now(), subject=LANE, event_type=event_type, version=version)[0]
            for version in ("1", "2", "3")
        ]
        self.erp = FakeDestination(
            answer=reject,
            policy=DeliveryPolicy(block_on_dead=True, **policy),  # type: ignore[arg-type]
        )
        self.worker = dispatcher(database, clock, self.erp)
        self.worker.deliver_due()
        assert lane(database, LANE).blocked_at == clock.now()

    def order(self, how: Order, *, head: str | None = None, subject: str = LANE) -> str:
        with self.database.write() as session:
            return how(
                session,
                "erp",
                subject,
                head=head,
                reason="mended by hand",
                actor="cli:eva",
                now=self.clock.now(),
                notes=NOTES,
            )

    def goes_on(self, answer: Callable[[ClaimedDelivery], Outcome] = deliver) -> list[str | None]:
        """The versions that are sent when the worker goes on."""
        self.erp.answer = answer
        before = len(self.erp.sent)
        self.worker.deliver_due()
        return [one.event.version for one in self.erp.sent[before:]]


@pytest.fixture
def yard(database: Database, clock: FakeClock) -> Yard:
    return Yard(database, clock)


def noted(database: Database) -> list[tuple[str, str, str, str | None, object]]:
    with database.read() as session:
        rows = session.query(AuditEntryRow).filter(AuditEntryRow.action.like("lane.%")).order_by(AuditEntryRow.id)
        return [(row.action, row.actor, row.subject, row.reason, row.details) for row in rows]


def test_a_skipped_head_stays_dead_and_the_next_goes_on(yard: Yard) -> None:
    assert yard.order(skip_lane) == yard.ids[0]
    assert yard.goes_on() == ["2", "3"]
    assert states(yard.database) == ["dead", "delivered", "delivered"]
    details = {"destination": "erp", "deliveryId": yard.ids[0]}
    assert noted(yard.database) == [("lane.skipped", "cli:eva", LANE, "mended by hand", details)]


def test_a_lane_that_nothing_waits_in_sleeps_after_a_skip(database: Database, clock: FakeClock) -> None:
    (only,) = owe(database, clock.now(), subject=LANE, event_type=CONVERSATION_ATTRIBUTES_UPDATED)
    erp = FakeDestination(answer=reject, policy=DeliveryPolicy(block_on_dead=True))
    dispatcher(database, clock, erp).deliver_due()
    with database.write() as session:
        skip_lane(session, "erp", LANE, head=only, reason="wrong", actor="cli:eva", now=clock.now(), notes=NOTES)
    row = lane(database, LANE)
    assert (row.blocked_at, row.due_at, row.head_seq) == (None, None, row.last_seq + 1)
    owe(database, clock.now(), subject=LANE, event_type=CONVERSATION_ATTRIBUTES_UPDATED, version="2")
    erp.answer = deliver
    assert dispatcher(database, clock, erp).deliver_due() == 1


def test_a_released_head_is_tried_again_before_what_waits_behind_it(yard: Yard) -> None:
    assert yard.order(release_lane) == yard.ids[0]
    assert delivery(yard.database, yard.ids[0]).state == "pending"
    assert yard.goes_on() == ["1", "2", "3"]
    assert states(yard.database) == ["delivered"] * 3
    assert {one.webhook_id for one in yard.erp.sent[:2]} == {yard.ids[0]}, "a repeat that the receiver can tell"
    assert [one.number for one in attempts(yard.database, yard.ids[0])] == [1, 2]
    details = {"destination": "erp", "deliveryId": yard.ids[0]}
    assert noted(yard.database) == [("lane.released", "cli:eva", LANE, "mended by hand", details)]


def test_a_released_head_that_dies_again_blocks_again(yard: Yard) -> None:
    yard.order(release_lane)
    yard.clock.advance(60)
    assert yard.goes_on(reject) == ["1"]
    assert states(yard.database) == ["dead", "pending", "pending"]
    assert lane(yard.database, LANE).blocked_at == yard.clock.now()


def test_a_released_head_waits_between_its_tries_like_a_new_one(database: Database, clock: FakeClock) -> None:
    yard = Yard(database, clock, max_attempts=2)
    yard.order(release_lane)
    assert yard.goes_on(lambda _: RetryLater(reason="refused", error_class="connect")) == ["1"]
    assert states(database)[0] == "pending", "the tries before its death do not count"
    due = lane(database, LANE).due_at
    assert due is not None
    assert due - clock.now() <= timedelta(seconds=1)


def test_a_released_head_past_its_age_gets_one_try(database: Database, clock: FakeClock) -> None:
    yard = Yard(database, clock, max_age=timedelta(hours=1))
    clock.advance(7200)
    yard.order(release_lane)
    assert yard.goes_on(lambda _: RetryLater(reason="refused", error_class="connect")) == ["1"]
    assert states(database)[0] == "dead"
    yard.order(release_lane)
    assert yard.goes_on()[0] == "1"


def test_a_release_of_a_state_that_is_stale_by_now_sends_the_newest(database: Database, clock: FakeClock) -> None:
    yard = Yard(database, clock)
    subject = "record:Item/1"
    (old,) = owe(database, clock.now(), subject=subject, event_type=RECORD_UPDATED, version="1")
    yard.erp.policy = DeliveryPolicy(block_on_dead=True, skip_stale=True)
    yard.goes_on(reject)
    (new,) = owe(database, clock.now(), subject=subject, event_type=RECORD_UPDATED, version="2")
    yard.order(release_lane, subject=subject)
    assert yard.goes_on() == ["2"]
    assert delivery(database, old).superseded_by == new


def test_a_head_that_is_owed_again_by_a_replay_is_not_released(yard: Yard) -> None:
    with yard.database.write() as session:
        replay_delivery(
            session,
            yard.ids[0],
            reason="sent again",
            actor="cli:eva",
            fresh_id=False,
            now=yard.clock.now(),
            notes=NOTES,
        )
    with pytest.raises(Conflict, match="owed to erp again already"):
        yard.order(release_lane)
    yard.order(skip_lane)
    assert yard.goes_on() == ["2", "3", "1"]


def test_a_released_head_cannot_be_replayed_as_well(yard: Yard) -> None:
    yard.order(release_lane)
    with pytest.raises(Conflict, match="still pending"), yard.database.write() as session:
        replay_delivery(
            session, yard.ids[0], reason="x", actor="cli:eva", fresh_id=False, now=yard.clock.now(), notes=NOTES
        )


def test_a_command_is_not_released(database: Database, clock: FakeClock) -> None:
    yard = Yard(database, clock, event_type=RECORD_UPDATE)
    with pytest.raises(Conflict, match="a command that failed"):
        yard.order(release_lane)
    yard.order(skip_lane)
    assert yard.goes_on() == ["2", "3"]


@pytest.mark.parametrize("how", [skip_lane, release_lane])
def test_what_is_not_blocked_is_a_conflict_and_what_is_not_there_not_found(yard: Yard, how: Order) -> None:
    yard.order(skip_lane)
    with pytest.raises(Conflict, match="not blocked"):
        yard.order(how)
    yard.goes_on()
    with pytest.raises(Conflict, match="not blocked"):
        yard.order(how)  # the lane is empty
    with pytest.raises(NotFound):
        yard.order(how, subject="conversation:b")
    assert len(noted(yard.database)) == 1


@pytest.mark.parametrize("how", [skip_lane, release_lane])
def test_another_head_than_the_operator_saw_is_left_alone(yard: Yard, how: Order) -> None:
    yard.order(skip_lane, head=yard.ids[0])
    yard.goes_on(reject)
    with pytest.raises(Conflict, match=yard.ids[1]):
        yard.order(how, head=yard.ids[0])
    with pytest.raises(Conflict):
        yard.order(how, head=new_id())
    assert yard.order(how, head=yard.ids[1]) == yard.ids[1]


@pytest.mark.parametrize("how", [skip_lane, release_lane])
def test_of_two_operators_at_once_one_is_told(yard: Yard, how: Order) -> None:
    together = threading.Barrier(2)

    def order(_: int) -> str | None:
        together.wait()
        try:
            return yard.order(how)
        except Conflict:
            return None

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(order, range(2)))
    assert sorted(done, key=str) == sorted([None, yard.ids[0]], key=str)
    assert len(noted(yard.database)) == 1
    assert yard.goes_on() == (["2", "3"] if how is skip_lane else ["1", "2", "3"])
