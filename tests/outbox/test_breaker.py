"""The breaker: when it opens, what it costs while open, how it closes; one for all workers."""

from __future__ import annotations

import pytest

from bridge.database import Database
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Exchange, Outcome, RetryLater
from bridge.outbox.ledger.admission import next_due
from bridge.outbox.ledger.breaker import is_breaking
from bridge.outbox.ledger.gate import gate_of
from bridge.outbox.ledger.pause import pause
from tests.fakes import FakeClock
from tests.outbox.yard import NOTES, FakeDestination, actions, delivery, dispatcher, owe, states

POLICY = DeliveryPolicy(breaker_failures=10, breaker_cooldown=30, retry_base=0.001, retry_cap=0.001)


def down(_: ClaimedDelivery) -> Outcome:
    return RetryLater(reason="connection refused", error_class="connect")


def owe_many(database: Database, clock: FakeClock, number: int) -> list[str]:
    return [owe(database, clock.now(), subject=f"conversation:{one}")[0] for one in range(number)]


def open_breaker(database: Database, clock: FakeClock) -> FakeDestination:
    """Ten deliveries to a receiver that is down, tried until the breaker is open."""
    owe_many(database, clock, 10)
    erp = FakeDestination(answer=down, policy=POLICY)
    dispatcher(database, clock, erp).deliver_due()
    with database.read() as session:
        assert gate_of(session, "erp").open_until is not None
    return erp


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (RetryLater(reason="", error_class="connect"), True),
        (RetryLater(reason="", error_class="timeout"), True),
        (RetryLater(reason="", error_class="status", exchange=Exchange(status=503)), True),
        (RetryLater(reason="", error_class="status", exchange=Exchange(status=429)), False),
        (RetryLater(reason="", error_class="status", exchange=Exchange(status=401), slow=True), False),
        (RetryLater(reason="", error_class="internal"), False),
        (Delivered(), False),
    ],
)
def test_only_a_receiver_that_is_not_there_counts(outcome: Outcome, counts: bool) -> None:
    assert is_breaking(outcome) is counts


def test_while_it_is_open_deliveries_wait_without_a_failed_attempt(database: Database, clock: FakeClock) -> None:
    erp = open_breaker(database, clock)
    before = len(erp.sent)
    (waiting,) = owe(database, clock.now(), subject="conversation:new")
    clock.advance(10)
    dispatcher(database, clock, erp).deliver_due()
    assert len(erp.sent) == before
    assert delivery(database, waiting).attempts == 0
    assert "destination.breaker_opened" in actions(database)


def test_a_worker_rests_while_nothing_may_be_sent(database: Database, clock: FakeClock) -> None:
    open_breaker(database, clock)
    with database.write() as session:
        until = gate_of(session, "erp").open_until
        assert next_due(session, "erp") == until
        assert until is not None
        assert until > clock.now()
        pause(session, "erp", reason="maintenance", actor="cli:eva", now=clock.now(), notes=NOTES)
        assert next_due(session, "erp") is None


def test_half_open_lets_one_through_for_all_workers_together(database: Database, clock: FakeClock) -> None:
    erp = open_breaker(database, clock)
    before = len(erp.sent)
    clock.advance(31)
    one, two = dispatcher(database, clock, erp), dispatcher(database, clock, erp)
    one.deliver_due()
    two.deliver_due()
    assert len(erp.sent) == before + 1


def test_a_probe_that_arrives_closes_it_and_everything_goes_out(database: Database, clock: FakeClock) -> None:
    erp = open_breaker(database, clock)
    erp.answer = lambda _: Delivered()
    clock.advance(31)
    dispatcher(database, clock, erp).deliver_due()
    assert states(database) == ["delivered"] * 10
    assert "destination.breaker_closed" in actions(database)


def test_a_probe_lost_with_its_worker_is_followed_by_another(database: Database, clock: FakeClock) -> None:
    erp = open_breaker(database, clock)
    clock.advance(31)
    lost = dispatcher(database, clock, FakeDestination(policy=POLICY))
    lost._look_everywhere()
    with database.write() as session:
        assert len(lost._claim(session, lost._slots["erp"])) == 1
    clock.advance(POLICY.lease.total_seconds())
    erp.answer = lambda _: Delivered()
    dispatcher(database, clock, erp).deliver_due()
    assert states(database) == ["delivered"] * 10


def test_half_of_fifty_within_a_minute_opens_it_too(database: Database, clock: FakeClock) -> None:
    policy = DeliveryPolicy(breaker_failures=1000, retry_base=3600, max_in_flight=1)
    owe_many(database, clock, 80)
    count = [0]

    def every_other(_: ClaimedDelivery) -> Outcome:
        count[0] += 1
        return Delivered() if count[0] % 2 == 0 else down(_)

    erp = FakeDestination(answer=every_other, policy=policy)
    dispatcher(database, clock, erp).deliver_due()
    assert 50 <= len(erp.sent) < 60
