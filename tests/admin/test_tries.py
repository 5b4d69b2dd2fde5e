"""What is told of a destination's tries is what its attempts say, of a busy one by a sample."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert

from bridge.admin.access import Role
from bridge.admin.search.tries import FAILING, SAMPLE, STRETCHES, Span, Stretch, TriesSeen, tries_of
from bridge.database import Database
from bridge.tables import AttemptRow, core
from tests.admin.desk import Desk
from tests.admin.stock import Stock, crowd
from tests.fakes import FakeClock

MINUTE = timedelta(minutes=1)
Row = dict[str, object]


def seen(database: Database, now: datetime, destination: str = "erp", span: Span = Span.HOUR) -> TriesSeen:
    with database.read() as session:
        return tries_of(session, destination, span, now=now)


def told(found: TriesSeen) -> list[Stretch]:
    """The stretches in which there was a try."""
    return [one for one in found.stretches if one.tries]


def put(database: Database, made: Stock, attempts: list[Row]) -> None:
    made.put(database)
    with database.write() as session:
        session.execute(insert(core(AttemptRow)), attempts)


def answered(delivery: Row, duration_ms: int = 40) -> Row:
    return _attempt(delivery, 1, outcome="delivered", status=200, duration_ms=duration_ms)


def failed(delivery: Row, number: int = 1, *, after: timedelta = timedelta(0), status: int | None = 503) -> Row:
    return _attempt(delivery, number, after=after, outcome="retry_later", status=status, duration_ms=10_000)


def dead(delivery: Row, error: str, *, error_class: str = "status", status: int | None = 503) -> None:
    delivery.update(state="dead", last_error=error, error_class=error_class, last_status=status)


def test_a_stretch_tells_of_the_tries_that_began_in_it(database: Database, clock: FakeClock) -> None:
    made = crowd(clock.now(), 3)  # the last three seconds before a stretch begins
    first = made.deliveries[0]
    first["attempts"] = 2
    late = _attempt(first, 2, after=3 * MINUTE, outcome="delivered", status=200, duration_ms=30)
    put(database, made, [failed(first, status=None), late, *(answered(one) for one in made.deliveries[1:])])
    found = seen(database, clock.now() + 5 * MINUTE)
    assert [(one.at, one.tries, one.failed, one.p50_ms) for one in told(found)] == [
        (clock.now() - 2 * MINUTE, 3, 1, 40),
        (clock.now() + 2 * MINUTE, 1, 0, 30),
    ]


def test_stretches_follow_one_another_up_to_now(database: Database, clock: FakeClock) -> None:
    length, number = STRETCHES[Span.HOUR]
    found = [one.at for one in seen(database, clock.now() + MINUTE).stretches]
    assert found == [clock.now() - length * back for back in range(number - 1, -1, -1)]


def test_percentiles_are_of_the_tries_that_were_answered(database: Database, clock: FakeClock) -> None:
    made = crowd(clock.now(), 21)
    silent = made.deliveries.pop()
    dead(silent, "timed out", error_class="timeout", status=None)
    made.deliveries.append(silent)
    tries = [answered(one, 10 * (place + 1)) for place, one in enumerate(made.deliveries[:20])]
    put(database, made, [*tries, failed(silent, status=None)])
    [only] = told(seen(database, clock.now()))
    assert (only.p50_ms, only.p95_ms, only.tries, only.failed) == (100, 190, 21, 1)


def test_of_a_busy_stretch_the_newest_are_looked_at_of_one_time_for_both(database: Database, clock: FakeClock) -> None:
    made = crowd(clock.now(), 2 * SAMPLE)
    for place in (0, -1):  # the first lies before the sample of those that were delivered
        dead(made.deliveries[place], "answered 503")
    put(database, made, [failed(one) if one["state"] == "dead" else answered(one) for one in made.deliveries])
    [only] = told(seen(database, clock.now()))
    assert (only.tries, only.failed) == (SAMPLE + 1, 1)


def test_the_day_reaches_further_back_than_the_hour(database: Database, clock: FakeClock) -> None:
    made = crowd(clock.now() - timedelta(hours=5), 4)
    put(database, made, [answered(one) for one in made.deliveries])
    assert told(seen(database, clock.now())) == []
    assert sum(one.tries for one in seen(database, clock.now(), span=Span.DAY).stretches) == 4


def test_failures_are_grouped_by_kind_and_status_the_most_frequent_first(database: Database, clock: FakeClock) -> None:
    made = crowd(clock.now(), 6)
    for place, delivery in enumerate(made.deliveries):
        if place < 3:
            dead(delivery, f"answered 503, {place}")
        elif place < 5:
            dead(delivery, "no answer", error_class="timeout", status=None)
        else:
            dead(delivery, "answered 422", status=422)
    made.put(database)
    found = [(one.error_class, one.status, one.count, one.error) for one in seen(database, clock.now()).failures]
    assert found == [
        ("status", 503, 3, "answered 503, 2"),
        ("timeout", None, 2, "no answer"),
        ("status", 422, 1, "answered 422"),
    ]


def test_no_more_failures_are_looked_at_than_can_be_shown(database: Database, clock: FakeClock) -> None:
    made = crowd(clock.now(), FAILING + 20)
    for delivery in made.deliveries:
        dead(delivery, "answered 503")
    made.put(database)
    assert [one.count for one in seen(database, clock.now()).failures] == [FAILING]


@pytest.mark.parametrize("name", ["crm", "zzz", ""])
def test_what_others_have_does_not_count(database: Database, clock: FakeClock, name: str) -> None:
    made = crowd(clock.now(), 4)
    dead(made.deliveries[0], "answered 503")
    put(database, made, [answered(one) for one in made.deliveries])
    found = seen(database, clock.now(), name)
    assert (told(found), found.failures) == ([], [])


def test_the_api_tells_it_and_names_what_is_wrong(desk: Desk) -> None:
    eva = desk.sits(Role.VIEWER)
    answer = eva.get("/destinations/erp/tries", over="day").get_json()
    assert (answer["span"], len(answer["stretches"]), answer["failures"]) == ("day", 48, [])
    assert eva.get("/destinations/none/tries").status_code == 404
    wrong = eva.get("/destinations/erp/tries", over="year")
    assert wrong.status_code == 422
    assert wrong.get_json()["errors"][0]["field"] == "over"


def _attempt(delivery: Row, number: int, *, after: timedelta = timedelta(0), **more: object) -> Row:
    at = delivery["created_at"]
    assert isinstance(at, datetime)
    return {"delivery_id": delivery["id"], "number": number, "started_at": at + after, **more}
