"""Facts about room: when there is none, who is told, and what the count costs. On both databases."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import event, update

from bridge import signals
from bridge.clock import new_id
from bridge.database import Database
from bridge.errors import TemporarilyUnavailable
from bridge.intake.backlog import Backlog
from bridge.tables import LaneRow
from tests.fakes import FakeClock
from tests.intake.conftest import Desk
from tests.intake.test_recorder import change


@pytest.fixture
def alarms() -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(_sender: object, *, cause: str, **_rest: object) -> None:
        heard.append(cause)

    with signals.needs_attention.connected_to(hear):
        yield heard


def cause(backlog: Backlog) -> str:
    """Why there is no room, or "" where there is."""
    backlog.refresh()
    try:
        backlog.check()
    except TemporarilyUnavailable as refused:
        return refused.cause if refused.retry_after else "without a time to come back"
    return ""


def test_over_the_limit_there_is_no_room_until_something_was_delivered(
    desk: Desk, clock: FakeClock, destinations: list[str], alarms: list[str]
) -> None:
    backlog = Backlog(desk.database, clock, max_backlog=5)
    destinations.append("erp")
    seen = []
    for number in range(7):
        desk.record(change("r-1" if number < 3 else f"r-{number}", version=number))
        seen.append(cause(backlog))
    assert seen == [""] * 5 + ["backlog-full"] * 2
    assert alarms == ["backlog-high"]
    with desk.database.write() as session:
        session.execute(update(LaneRow).values(head_seq=LaneRow.last_seq + 1, due_at=None))
    assert cause(backlog) == ""
    backlog.stop()


def test_what_waits_in_blocked_lanes_counts(desk: Desk, clock: FakeClock, destinations: list[str]) -> None:
    backlog = Backlog(desk.database, clock, max_backlog=1)
    destinations.append("erp")
    desk.record(change("r-1", 1), change("r-1", 2))
    with desk.database.write() as session:
        session.execute(update(LaneRow).values(blocked_at=clock.now(), due_at=None))
    assert cause(backlog) == "backlog-full"
    backlog.stop()


def test_a_full_disk_is_no_room_where_the_database_is_a_local_file(
    desk: Desk, clock: FakeClock, alarms: list[str]
) -> None:
    backlog = Backlog(desk.database, clock, max_backlog=10, min_free_bytes=2**62)
    assert cause(backlog) == ("disk-full" if desk.database.is_sqlite else "")
    assert cause(backlog) == ("disk-full" if desk.database.is_sqlite else "")
    assert alarms == (["disk-full"] if desk.database.is_sqlite else [])
    backlog.stop()


def test_the_first_question_starts_the_looking(desk: Desk, clock: FakeClock, destinations: list[str]) -> None:
    destinations.append("erp")
    desk.record(change("r-1"), change("r-2"))
    backlog = Backlog(desk.database, clock, max_backlog=1)
    backlog.check()  # not looked yet: nobody waits for the count
    deadline = time.monotonic() + 20
    while not backlog.is_full:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    backlog.stop()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_counting_looks_at_lanes_with_something_open_only(database: Database, clock: FakeClock) -> None:
    with database.write() as session:
        session.add_all(
            LaneRow(lane_id=number, destination="erp", subject=new_id(), last_seq=1, head_seq=2)
            for number in range(500)
        )
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    Backlog(database, clock, max_backlog=1).refresh()
    counts = [statement for statement in asked if "sum(" in statement]
    with database.read() as session:
        plans = [
            str(session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {count}", (1, 0)).all()) for count in counts
        ]
    assert ["lane_due" in plans[0], "lane_blocked" in plans[1]] == [True, True]
