"""`--follow`: what comes appears once, oldest first, also what was committed late; Ctrl-C ends it well."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from bridge.admin.search.delivery_ids import DeliveryFilter
from bridge.admin.search.events import LISTED, EventFilter, FoundEvent, find_events
from bridge.admin.search.pages import Page, PageRequest
from bridge.cli.delivery_feed import DeliveryFeed
from bridge.cli.watching import Changes, Lines, Newest
from bridge.clock import new_id
from bridge.database import Database
from bridge.outbox.contract import ClaimedDelivery, Outcome, Rejected
from bridge.outbox.replay import cancel_delivery
from tests.admin.desk import MASKING
from tests.admin.stock import Stock, id_at, stock
from tests.cli.conftest import Commands
from tests.cli.test_processes import set_up
from tests.fakes import VAULT, FakeClock
from tests.outbox.yard import NOTES, FakeDestination, dispatcher, owe
from tests.processes import BridgeFolder
from tests.receivers import Receiver


def newest_events(
    database: Database, clock: FakeClock, *, first: int = 50, text: str | None = None, examined: int = 1000
) -> Newest[FoundEvent]:
    def page(which: PageRequest) -> Page[FoundEvent]:
        asked = replace(which, examined=examined)
        with database.read() as session:
            wanted = EventFilter(text=text)
            return find_events(session, wanted, asked, masking=MASKING, vault=VAULT, now=clock.now())

    return Newest(LISTED, page, lambda one: one.id, first=first)


def put(database: Database, clock: FakeClock, *seconds_ago: float, subject: str = "record:Item/1") -> list[str]:
    """Commit events whose ids were made so long ago; gives the ids in that order."""
    (row,) = stock(clock.now(), events=1).events
    ids = [id_at(clock.now() - timedelta(seconds=ago), Random(str(ago))) for ago in seconds_ago]
    Stock(events=[{**row, "id": one, "subject": subject} for one in ids]).put(database)
    return ids


def ids(found: list[FoundEvent]) -> list[str]:
    return [one.id for one in found]


def test_the_newest_come_first_and_then_each_that_comes_once(database: Database, clock: FakeClock) -> None:
    old = put(database, clock, 40, 30, 20)
    look = newest_events(database, clock, first=2)
    assert ids(look()) == old[1:]
    assert look() == []
    more = put(database, clock, 2, 1)
    assert ids(look()) == more
    assert look() == []


def test_what_was_committed_late_is_not_missed(database: Database, clock: FakeClock) -> None:
    look = newest_events(database, clock)
    look()
    (early,) = put(database, clock, 1)
    assert ids(look()) == [early]
    (late,) = put(database, clock, 9)
    assert ids(look()) == [late], "its id is older than one that was shown"
    assert look() == []


def test_more_than_a_page_between_two_looks_all_appear(database: Database, clock: FakeClock) -> None:
    look = newest_events(database, clock)
    look()
    made = put(database, clock, *(100 - number / 10 for number in range(450)))
    assert ids(look()) == made
    clock.advance(60)
    again = put(database, clock, *(30 - number / 10 for number in range(250)))
    assert ids(look()) == again


def test_what_is_rare_appears_though_the_pages_before_it_are_empty(database: Database, clock: FakeClock) -> None:
    (rare,) = put(database, clock, 90, subject="record:Item/rare")
    put(database, clock, *range(80, 60, -1))
    look = newest_events(database, clock, first=1, text="rare", examined=4)
    assert ids(look()) == [rare]
    assert look() == []
    (again,) = put(database, clock, 30, subject="record:Item/rare")
    put(database, clock, *range(29, 5, -1))
    assert ids(look()) == [again]
    assert look() == []


def reject(_: ClaimedDelivery) -> Outcome:
    return Rejected(reason="answered 422", error_class="status")


def test_a_delivery_appears_when_it_is_owed_and_when_it_has_ended(database: Database, clock: FakeClock) -> None:
    (old,) = owe(database, clock.now(), subject="record:Item/old")
    feed = DeliveryFeed(database, clock, DeliveryFilter(), first=0)
    assert feed() == []
    (new,) = owe(database, clock.now(), subject="record:Item/new")
    assert [(one.id, one.state) for one in feed()] == [(new, "pending")]
    dispatcher(database, clock, FakeDestination()).deliver_due()
    assert sorted((one.id, one.state) for one in feed()) == sorted([(old, "delivered"), (new, "delivered")])
    assert feed() == []


def test_only_what_is_wanted_of_deliveries_that_end_appears(database: Database, clock: FakeClock) -> None:
    for number in range(3):
        owe(database, clock.now(), subject=f"record:Item/{number}")
    feed = DeliveryFeed(database, clock, DeliveryFilter(state="dead", destination="erp"), first=10)
    other = DeliveryFeed(database, clock, DeliveryFilter(state="dead", destination="crm"), first=10)
    cancelled = DeliveryFeed(database, clock, DeliveryFilter(state="cancelled"), first=10)
    assert (feed(), other(), cancelled()) == ([], [], [])
    (called_off,) = owe(database, clock.now(), subject="record:Item/off")
    with database.write() as session:
        cancel_delivery(session, called_off, reason="x", actor="cli:tests", now=clock.now(), notes=NOTES)
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    assert [one.state for one in feed()] == ["dead"] * 3
    assert other() == []
    assert [one.id for one in cancelled()] == [called_off]


def test_what_says_the_same_does_not_appear_again_but_what_returns_does() -> None:
    states = iter(["active", "active", "paused", "active"])
    look = Changes(lambda: [next(states)], key=lambda _: "erp", says=lambda state: state)
    assert [look() for _ in range(4)] == [["active"], [], ["paused"], ["active"]]


def test_columns_only_become_wider(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines({"A": lambda row: row[0], "B": lambda row: row[1]}, as_json=False)
    for row in (("x", "y"), ("longer", "y"), ("x", "\x1b[31m")):
        lines.print(row)
    assert capsys.readouterr().out.splitlines() == ["A  B", "x  y", "longer  y", "x       �[31m"]


@pytest.mark.parametrize("arguments", [["--cursor", "x"], ["--until", "2026-01-01"]])
@pytest.mark.parametrize("listed", ["events", "deliveries", "audit"])
def test_what_has_an_end_cannot_be_followed(bridge: Commands, listed: str, arguments: list[str]) -> None:
    result = bridge(listed, "list", "--follow", *arguments)
    assert result.exit_code == 2
    assert "leave out --cursor and --until" in result.stderr


def test_following_prints_a_line_each_and_ctrl_c_ends_it_with_0(folder: BridgeFolder) -> None:
    with Receiver() as erp:
        set_up(folder, erp)
    followers = [
        folder.start("audit", "list", "--follow", "--json"),
        folder.start("destinations", "list", "--follow", "--json"),
    ]
    followers[1].wait_output('"name":"crm"')
    made = folder.run("token", "create", "--name", new_id(), "--role", "viewer")
    assert made.code == 0, made
    followers[0].wait_output("token.created")
    for each in followers:
        each.signal(signal.SIGINT)
    assert [each.wait() for each in followers] == [0, 0]
    (entry,) = (json.loads(line) for line in followers[0].output().splitlines())
    assert entry["action"] == "token.created"
    assert {json.loads(line)["name"] for line in followers[1].output().splitlines()} == {"erp", "crm"}
