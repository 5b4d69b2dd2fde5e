"""Deliveries are found by every filter, in order, page by page, and fast however many there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from random import Random
from typing import Any

import pytest

from bridge.admin.search.deliveries import FoundDelivery, attempt_log, find_deliveries, show_delivery
from bridge.admin.search.delivery_ids import STATES, DeliveryFilter
from bridge.admin.search.pages import PageRequest, read_cursor
from bridge.admin.search.rarity import FEW
from bridge.clock import new_id
from bridge.database import Database
from bridge.errors import NotFound
from bridge.lists.walk import EXAMINED
from bridge.outbox.contract import ClaimedDelivery, Delivered, Outcome, Rejected
from tests.admin.stock import DESTINATIONS, SUBJECTS, TYPES, Stock, crowd, ids, stock
from tests.fakes import FakeClock
from tests.outbox.yard import FakeDestination, dispatcher, owe


def everything(
    database: Database, wanted: DeliveryFilter, now: datetime, *, limit: int = 7, examined: int = EXAMINED
) -> list[FoundDelivery]:
    """All pages of what is wanted."""
    found: list[FoundDelivery] = []
    request = PageRequest(limit=limit, examined=examined)
    while True:
        with database.read() as session:
            page = find_deliveries(session, wanted, request, now=now)
        found += page.items
        if page.next is None:
            return found
        assert len(page.items) == limit or examined < EXAMINED
        request = replace(request, before_id=read_cursor("deliveries", page.next))


def shown_state(made: Stock, row: dict[str, Any], now: datetime) -> str:
    lane: dict[str, Any] = next(one for one in made.lanes.values() if one["lane_id"] == row["lane_id"])
    is_head = row["state"] == "pending" and row["seq"] == lane["head_seq"]
    return "sending" if is_head and lane["lease_token"] and lane["due_at"] > now else row["state"]


def expected(made: Stock, wanted: DeliveryFilter, now: datetime) -> list[str]:
    events = {row["id"]: row for row in made.events}

    def matches(row: dict[str, Any]) -> bool:
        event = events[row["event_id"]]
        return (
            (wanted.destination or row["destination"]) == row["destination"]
            and (wanted.state or shown_state(made, row, now)) == shown_state(made, row, now)
            and (wanted.type or event["type"]) == event["type"]
            and (wanted.subject or event["subject"]) == event["subject"]
            and (wanted.event_id or row["event_id"]) == row["event_id"]
            and (wanted.status or row["last_status"]) == row["last_status"]
            and (wanted.error_class or row["error_class"]) == row["error_class"]
            and (wanted.since is None or row["created_at"] >= wanted.since)
            and (wanted.until is None or row["created_at"] < wanted.until)
        )

    return ids(row for row in made.deliveries if matches(row))


def test_every_combination_of_filters_finds_what_it_says(database: Database, clock: FakeClock) -> None:
    now = clock.now()
    made = stock(now, events=100).put(database)
    exactly = [now - timedelta(minutes=7 * number) for number in (70, 20)]  # when some of them were made
    some_event = made.deliveries[40]["event_id"]
    choices: dict[str, tuple[Any, ...]] = {
        "destination": (None, *DESTINATIONS, "nobody"),
        "state": (None, *STATES),
        "type": (None, TYPES[0], "none.such"),
        "subject": (None, SUBJECTS[1]),
        "event_id": (None, some_event),
        "status": (None, 503),
        "error_class": (None, "status"),
        "since": (None, exactly[0]),
        "until": (None, exactly[1]),
    }
    filters = [DeliveryFilter(**dict(zip(choices, values, strict=True))) for values in product(*choices.values())]
    basic = [one for one in filters if sum(value is not None for value in vars(one).values()) <= 1]
    for wanted in basic + Random(1).sample(filters, 60):
        found = [one.id for one in everything(database, wanted, now, limit=50)]
        assert found == expected(made, wanted, now), wanted


def test_pages_join_without_a_gap_or_a_repeat(database: Database, clock: FakeClock) -> None:
    made = stock(clock.now(), events=60).put(database)
    for wanted in (DeliveryFilter(), DeliveryFilter(destination="erp"), DeliveryFilter(state="pending")):
        found = [one.id for one in everything(database, wanted, clock.now(), limit=3)]
        assert found == expected(made, wanted, clock.now())


def test_pages_stay_stable_while_deliveries_are_added(database: Database, clock: FakeClock) -> None:
    before = [owe(database, clock.now(), subject=f"conversation:{number}")[0] for number in range(6)]
    with database.read() as session:
        first = find_deliveries(session, DeliveryFilter(), PageRequest(limit=3), now=clock.now())
    owe(database, clock.now(), subject="conversation:new")
    assert first.next is not None
    rest = PageRequest(limit=50, before_id=read_cursor("deliveries", first.next))
    with database.read() as session:
        second = find_deliveries(session, DeliveryFilter(), rest, now=clock.now())
    assert [one.id for one in first.items + second.items] == before[::-1]


def test_what_is_common_is_found_like_what_is_rare(database: Database, clock: FakeClock) -> None:
    made = crowd(clock.now(), FEW + 1).put(database)
    for wanted in (
        DeliveryFilter(type=TYPES[0]),
        DeliveryFilter(type=TYPES[0], state="delivered"),
        DeliveryFilter(subject=SUBJECTS[0], destination="erp"),
    ):
        with database.read() as session:
            page = find_deliveries(session, wanted, PageRequest(), now=clock.now())
        assert [one.id for one in page.items] == ids(made.deliveries)[:50]
    with database.read() as session:
        rare = DeliveryFilter(type=TYPES[0], state="dead")
        assert find_deliveries(session, rare, PageRequest(), now=clock.now()).items == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # it counts the steps of SQLite's machine
def test_a_page_costs_the_same_however_many_deliveries_there_are(database: Database, clock: FakeClock) -> None:
    now = clock.now()
    crowd(now, 4000).put(database)
    long_ago = now - timedelta(seconds=3995)
    for wanted in (
        DeliveryFilter(),
        DeliveryFilter(destination="erp"),
        DeliveryFilter(state="delivered"),
        DeliveryFilter(state="dead"),
        DeliveryFilter(state="pending"),
        DeliveryFilter(state="sending"),
        DeliveryFilter(destination="erp", state="delivered"),
        DeliveryFilter(destination="erp", state="cancelled"),
        DeliveryFilter(destination="nobody"),
        DeliveryFilter(type="none.such"),
        DeliveryFilter(subject="none:such"),
        DeliveryFilter(event_id=new_id()),
        DeliveryFilter(error_class="none.such"),
        DeliveryFilter(until=long_ago),
        DeliveryFilter(until=long_ago, state="delivered"),
        DeliveryFilter(since=now, until=now + timedelta(days=1)),
        DeliveryFilter(status=599),
        DeliveryFilter(status=599, destination="erp"),
        DeliveryFilter(status=599, state="delivered"),
        DeliveryFilter(error_class="none.such", destination="erp"),
        DeliveryFilter(type=TYPES[0], state="dead"),
        DeliveryFilter(type=TYPES[0], status=599),
    ):
        assert steps(database, wanted, now) < 15_000, wanted


def test_a_short_page_goes_on_until_all_is_found(database: Database, clock: FakeClock) -> None:
    now = clock.now()
    made = stock(now, events=200).put(database)
    for wanted in (
        DeliveryFilter(status=503),
        DeliveryFilter(status=503, destination="erp"),
        DeliveryFilter(error_class="status", destination="crm"),
        DeliveryFilter(status=200, until=now - timedelta(minutes=700)),
        DeliveryFilter(state="dead", status=503, since=now - timedelta(minutes=700)),
        DeliveryFilter(state="pending", since=now - timedelta(minutes=100)),
    ):
        found = everything(database, wanted, now, limit=5, examined=20)
        assert [one.id for one in found] == expected(made, wanted, now), wanted


def steps(database: Database, wanted: DeliveryFilter, now: datetime) -> int:
    """How many steps SQLite's machine makes for one page: walking takes 8 a row and more."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 100
        return 0

    with database.read() as session:
        driver: Any = session.connection().connection.driver_connection
        driver.set_progress_handler(count, 100)
        find_deliveries(session, wanted, PageRequest(examined=100), now=now)
        driver.set_progress_handler(None, 0)
    return counted


def test_a_delivery_shows_whose_turn_it_is_and_when(database: Database, clock: FakeClock) -> None:
    head, behind = (owe(database, clock.now())[0] for _ in range(2))
    seen: list[tuple[str, datetime | None]] = []

    def look(_: ClaimedDelivery) -> Outcome:
        with database.read() as session:
            shown = show_delivery(session, head, now=clock.now())
        seen.append((shown.state, shown.next_attempt_at))
        return Delivered()

    with database.read() as session:
        shown = [show_delivery(session, one, now=clock.now()) for one in (head, behind)]
    assert [(one.state, one.next_attempt_at) for one in shown] == [("pending", clock.now()), ("pending", None)]
    dispatcher(database, clock, FakeDestination(answer=look)).deliver_due()
    assert seen[0] == ("sending", None), "the end of a lease is no promise of another try"
    with database.read() as session:
        assert show_delivery(session, head, now=clock.now()).state == "delivered"


def test_a_delivery_tells_of_its_attempts(database: Database, clock: FakeClock) -> None:
    (dead,) = owe(database, clock.now())
    reject = Rejected(reason="answered 422", error_class="status")
    dispatcher(database, clock, FakeDestination(answer=lambda _: reject)).deliver_due()
    with database.read() as session:
        shown = show_delivery(session, dead, now=clock.now())
        log = attempt_log(session, dead)
    assert (shown.state, shown.attempts, shown.error_class) == ("dead", 1, "status")
    assert [(one.number, one.outcome, one.error) for one in log] == [(1, "rejected", "answered 422")]


def test_an_unknown_delivery_is_not_found(database: Database, clock: FakeClock) -> None:
    with pytest.raises(NotFound), database.read() as session:
        show_delivery(session, new_id(), now=clock.now())
