"""The figures of a destination are those of its rows, whoever else has rows, and cost the same however many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from bridge.admin.search.figures import SAMPLE, Figures, Latency, figures_of
from bridge.database import Database
from bridge.outbox.contract import (
    ClaimedDelivery,
    Delivered,
    DeliveryPolicy,
    Exchange,
    Outcome,
    Rejected,
    RetryLater,
)
from tests.admin.stock import DESTINATIONS, crowd, stock
from tests.fakes import FakeClock
from tests.outbox.yard import FakeDestination, dispatcher, owe

NOTHING = Figures(
    backlog=0,
    oldest_at=None,
    dead=0,
    blocked_lanes=0,
    rate_1m=0.0,
    success_rate_1h=None,
    latency_ms=None,
    last_error=None,
    last_error_at=None,
)


def figures(database: Database, now: datetime, destination: str = "erp") -> Figures:
    with database.read() as session:
        return figures_of(session, destination, now=now)


def deliver(database: Database, clock: FakeClock, outcomes: Sequence[Outcome], **policy: Any) -> FakeDestination:
    """Owe one event for each outcome, in a lane of its own, and try each once."""
    subjects = [f"conversation:{clock.now():%H%M%S}-{number}" for number, _ in enumerate(outcomes)]
    by_subject = dict(zip(subjects, outcomes, strict=True))
    for subject in subjects:
        owe(database, clock.now(), subject=subject)
    erp = FakeDestination(
        answer=lambda one: by_subject.get(one.event.subject, Delivered()), policy=DeliveryPolicy(**policy)
    )
    dispatcher(database, clock, erp).deliver_due()
    return erp


def answered(status: int = 200) -> Delivered:
    return Delivered(exchange=Exchange(status=status))


def test_a_destination_that_was_never_owed_anything_has_no_figures(database: Database, clock: FakeClock) -> None:
    stock(clock.now(), events=30).put(database)
    assert figures(database, clock.now(), "nobody") == NOTHING
    assert figures(database, clock.now(), "zzz") == NOTHING
    assert figures(database, clock.now(), "") == NOTHING


def test_counts_are_those_of_the_rows(database: Database, clock: FakeClock) -> None:
    made = stock(clock.now(), events=60).put(database)
    for name in DESTINATIONS:
        mine = [one for one in made.deliveries if one["destination"] == name]
        pending = [one for one in mine if one["state"] == "pending"]
        found = figures(database, clock.now(), name)
        assert found.backlog == len(pending)
        assert found.oldest_at == min(one["created_at"] for one in pending)  # type: ignore[type-var]
        assert found.dead == len([one for one in mine if one["state"] == "dead"])


def test_a_blocked_lane_counts_and_what_waits_in_it(database: Database, clock: FakeClock) -> None:
    for _ in range(3):
        owe(database, clock.now(), subject="conversation:a")
    erp = FakeDestination(
        answer=lambda _: Rejected(reason="422: no", error_class="status", exchange=Exchange(status=422)),
        policy=DeliveryPolicy(block_on_dead=True),
    )
    dispatcher(database, clock, erp).deliver_due()
    found = figures(database, clock.now())
    assert (found.blocked_lanes, found.dead, found.backlog) == (1, 1, 2)
    assert (found.last_error, found.last_error_at) == ("422: no", clock.now())
    assert figures(database, clock.now(), "crm") == NOTHING


def test_rates_tell_of_the_tries_of_the_last_hour(database: Database, clock: FakeClock) -> None:
    down = RetryLater(reason="answered 503", error_class="status", exchange=Exchange(status=503))
    deliver(database, clock, [answered()] * 7)
    clock.advance(3601)
    deliver(database, clock, [answered(), answered(), answered(), down], retry_base=3600)
    found = figures(database, clock.now())
    assert (found.rate_1m, found.success_rate_1h) == (0.05, 0.75)
    assert found.last_error == "answered 503"
    clock.advance(61)
    assert figures(database, clock.now()).rate_1m == 0.0
    assert figures(database, clock.now()).success_rate_1h == 0.75


def test_a_try_counts_once_whatever_became_of_its_delivery(database: Database, clock: FakeClock) -> None:
    dead = Rejected(reason="answered 422", error_class="status", exchange=Exchange(status=422))
    deliver(database, clock, [answered(), dead, dead, dead])
    assert figures(database, clock.now()).success_rate_1h == 0.25
    assert figures(database, clock.now()).rate_1m == 0.017


def test_of_several_errors_the_newest_is_told(database: Database, clock: FakeClock) -> None:
    for error in ("first", "second", "third"):
        clock.advance(1)
        deliver(database, clock, [Rejected(reason=error, error_class="status")])
    found = figures(database, clock.now())
    assert (found.last_error, found.last_error_at) == ("third", clock.now())


def test_a_delivery_that_took_several_tries_counts_each(database: Database, clock: FakeClock) -> None:
    erp = deliver(database, clock, [RetryLater(reason="refused", error_class="connect")])
    clock.advance(1)
    erp.answer = lambda _: answered()
    dispatcher(database, clock, erp).deliver_due()
    found = figures(database, clock.now())
    assert found.success_rate_1h == 0.5
    assert found.last_error == "refused", "what went wrong within the hour is told though it is over"
    assert found.last_error_at == clock.now() - timedelta(seconds=1)


def test_an_error_of_long_ago_is_told_while_its_delivery_is_dead(database: Database, clock: FakeClock) -> None:
    deliver(database, clock, [Rejected(reason="422: old", error_class="status")])
    died_at = clock.now()
    clock.advance(86_400)
    deliver(database, clock, [answered()])
    found = figures(database, clock.now())
    assert (found.success_rate_1h, found.last_error, found.last_error_at) == (1.0, "422: old", died_at)


def test_latency_is_of_tries_that_were_answered(database: Database, clock: FakeClock) -> None:
    owed = [answered()] * 20
    milliseconds = iter(range(10, 210, 10))

    def answer(one: ClaimedDelivery) -> Outcome:
        if one.event.subject.endswith("refused"):
            return RetryLater(reason="refused", error_class="connect")
        clock.advance(next(milliseconds) / 1000)
        return answered()

    for number, _ in enumerate(owed):
        owe(database, clock.now(), subject=f"conversation:{number}")
    owe(database, clock.now(), subject="conversation:refused")
    erp = FakeDestination(answer=answer, policy=DeliveryPolicy(max_in_flight=1))
    dispatcher(database, clock, erp).deliver_due()
    assert figures(database, clock.now()).latency_ms == Latency(p50=100, p95=200)


def test_a_fast_destination_is_measured_by_its_newest(database: Database, clock: FakeClock) -> None:
    crowd(clock.now(), SAMPLE + 200).put(database)  # one a second
    assert figures(database, clock.now()).rate_1m == pytest.approx(1.0, abs=0.05)
    sooner = clock.now() - timedelta(seconds=300)
    assert figures(database, sooner + timedelta(seconds=1)).rate_1m > 0


def test_more_than_the_sample_in_a_minute_is_counted_by_its_span(database: Database, clock: FakeClock) -> None:
    made = crowd(clock.now(), SAMPLE + 100)
    for number, one in enumerate(made.deliveries):
        one["finished_at"] = clock.now() - timedelta(milliseconds=10 * (SAMPLE + 100 - number))
    made.put(database)
    assert figures(database, clock.now()).rate_1m == pytest.approx(100.0, rel=0.01)


def test_failures_of_an_hour_are_not_set_against_successes_of_a_moment(database: Database, clock: FakeClock) -> None:
    deliver(database, clock, [Rejected(reason="422", error_class="status")] * 30)
    clock.advance(1800)
    deliver(database, clock, [answered()] * SAMPLE)
    assert figures(database, clock.now()).success_rate_1h == 1.0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it counts the steps of SQLite's machine
def test_rates_cost_the_same_however_many_deliveries_there_are(database: Database, clock: FakeClock) -> None:
    crowd(clock.now(), 1000).put(database)
    few = _steps(database, clock.now())
    crowd(clock.now() - timedelta(hours=2), 5000, subject="record:Item/3").put(database)
    assert _steps(database, clock.now()) < few * 1.2


def _steps(database: Database, now: datetime) -> int:
    """How many steps SQLite's machine makes for the figures of a destination without a backlog."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 100
        return 0

    with database.read() as session:
        driver: Any = session.connection().connection.driver_connection
        driver.set_progress_handler(count, 100)
        figures_of(session, "erp", now=now)
        driver.set_progress_handler(None, 0)
    return counted
