"""Events are found by every filter, masked, with what became of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bridge.admin.search.events import MAX_PAGE_BYTES, EventFilter, FoundEvent, find_events, raw_body, show_event
from bridge.admin.search.pages import PageRequest, read_cursor
from bridge.admin.search.rarity import FEW
from bridge.clock import new_id
from bridge.database import Database
from bridge.errors import NotFound
from tests.admin.desk import MASKING
from tests.admin.stock import SUBJECTS, TYPES, Stock, crowd, ids, stock
from tests.fakes import VAULT, FakeClock
from tests.outbox.yard import owe


def everything(database: Database, wanted: EventFilter, clock: FakeClock, *, limit: int = 7) -> list[FoundEvent]:
    """All pages of what is wanted."""
    found: list[FoundEvent] = []
    request = PageRequest(limit=limit)
    while True:
        with database.read() as session:
            page = find_events(session, wanted, request, masking=MASKING, vault=VAULT, now=clock.now())
        found += page.items
        if page.next is None:
            return found
        request = replace(request, before_id=read_cursor("events", page.next))


def test_every_filter_finds_what_it_says(database: Database, clock: FakeClock) -> None:
    now = clock.now()
    made = stock(now, events=60).put(database)
    begin, end = (now - timedelta(minutes=7 * number) for number in (30, 10))  # when some of them came

    def check(wanted: EventFilter, **columns: Any) -> None:
        rows = [row for row in made.events if all(row[name] == value for name, value in columns.items())]
        assert [one.id for one in everything(database, wanted, clock)] == ids(rows), wanted

    check(EventFilter())
    check(EventFilter(source="engage"), source="engage")
    check(EventFilter(type=TYPES[1]), type=TYPES[1])
    check(EventFilter(subject=SUBJECTS[1]), subject=SUBJECTS[1])
    check(EventFilter(state="unreadable"), state="unreadable")
    check(EventFilter(type=TYPES[0], source="genesys"), type=TYPES[0], source="genesys")
    within = [row for row in made.events if begin <= row["received_at"] < end]  # type: ignore[operator]
    assert [one.id for one in everything(database, EventFilter(since=begin, until=end), clock)] == ids(within)
    assert 0 < len(within) < len(made.events)


@pytest.mark.parametrize(
    ("text", "subject"),
    [("100%", SUBJECTS[2]), ("a_B", SUBJECTS[3]), ("ITEM/2", SUBJECTS[1]), ("%", SUBJECTS[2]), ("_", SUBJECTS[3])],
)
def test_text_is_looked_for_as_it_stands_in_any_case(
    database: Database, clock: FakeClock, text: str, subject: str
) -> None:
    made = stock(clock.now(), events=30).put(database)
    found = everything(database, EventFilter(text=text), clock)
    assert [one.id for one in found] == ids(row for row in made.events if row["subject"] == subject)


def test_text_that_is_everywhere_is_found_too(database: Database, clock: FakeClock) -> None:
    made = crowd(clock.now(), FEW + 1).put(database)
    with database.read() as session:
        page = find_events(
            session, EventFilter(text="item"), PageRequest(), masking=MASKING, vault=VAULT, now=clock.now()
        )
    assert [one.id for one in page.items] == ids(made.events)[:50]


def test_times_decide_where_the_clocks_of_the_writers_differ(database: Database, clock: FakeClock) -> None:
    made = stock(clock.now(), events=40, every=timedelta(minutes=1))
    for number, row in enumerate(made.events):  # the ids stay: every other writer's clock was five minutes fast
        if number % 2:
            row["received_at"] -= timedelta(minutes=5)  # type: ignore[operator]
    Stock(events=made.events).put(database)
    moment = clock.now() - timedelta(minutes=20)
    since = [one.id for one in everything(database, EventFilter(since=moment), clock)]
    until = [one.id for one in everything(database, EventFilter(until=moment), clock)]
    assert since == ids(row for row in made.events if row["received_at"] >= moment)  # type: ignore[operator]
    assert until == ids(row for row in made.events if row["received_at"] < moment)  # type: ignore[operator]


def test_a_page_of_large_bodies_ends_early_and_goes_on(database: Database, clock: FakeClock) -> None:
    made = stock(clock.now(), events=5)
    for row, size in zip(
        made.events, (1, MAX_PAGE_BYTES + 1, MAX_PAGE_BYTES // 2, MAX_PAGE_BYTES // 2, 1), strict=True
    ):
        row["body"] = bytes(size)
    Stock(events=made.events).put(database)
    seen, request = [], PageRequest(limit=50)
    while True:
        with database.read() as session:
            page = find_events(session, EventFilter(), request, masking=MASKING, vault=VAULT, now=clock.now())
        seen.append([one.id for one in page.items])
        if page.next is None:
            break
        request = PageRequest(limit=50, before_id=read_cursor("events", page.next))
    assert [len(one) for one in seen] == [2, 1, 1, 1]
    assert [one for page_ids in seen for one in page_ids] == ids(made.events)


def test_an_event_shows_what_became_of_it_and_no_personal_data(database: Database, clock: FakeClock) -> None:
    made = stock(clock.now(), events=20).put(database)
    for row in made.events:
        with database.read() as session:
            shown = show_event(session, str(row["id"]), masking=MASKING, vault=VAULT, now=clock.now())
        owed = [one for one in made.deliveries if one["event_id"] == row["id"]]
        assert [one.id for one in shown.deliveries] == ids(owed)[::-1]
        assert "15112345689" not in str(shown)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("7", 7), ("0", 0), ("07", "07"), ("v7", "v7"), (None, None), ("9" * 15, 10**15 - 1), ("9" * 40, "9" * 40)],
)
def test_a_version_is_a_number_where_that_loses_nothing(
    database: Database, clock: FakeClock, stored: str | None, shown: int | str | None
) -> None:
    owe(database, clock.now(), version=stored)
    (event,) = everything(database, EventFilter(), clock)
    assert event.version == shown
    assert type(event.version) is type(shown)


def test_the_raw_body_is_the_very_bytes(database: Database, clock: FakeClock) -> None:
    made = stock(clock.now(), events=1).put(database)
    with database.read() as session:
        assert raw_body(session, str(made.events[0]["id"]), VAULT) == made.events[0]["body"]


def test_an_unknown_event_is_not_found(database: Database, clock: FakeClock) -> None:
    with database.read() as session:
        with pytest.raises(NotFound):
            show_event(session, new_id(), masking=MASKING, vault=VAULT, now=clock.now())
        with pytest.raises(NotFound):
            raw_body(session, new_id(), VAULT)
