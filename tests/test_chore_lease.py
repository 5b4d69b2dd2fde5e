"""Who does a chore: one worker at a time, and none that overslept."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from bridge.chore_lease import LEASE, ChoreLease, give_back, is_due, keep, take
from bridge.database import Database, open_database
from bridge.errors import LeaseLost
from bridge.tables import DestinationStateRow
from tests.fakes import FakeClock
from tests.outbox.yard import count


def taken(database: Database, clock: FakeClock, name: str = "sweeping") -> ChoreLease | None:
    with database.write() as session:
        return take(session, name, now=clock.now())


def due(database: Database, clock: FakeClock) -> bool:
    with database.read() as session:
        return is_due(session, "sweeping", now=clock.now())


def written(database: Database, clock: FakeClock, lease: ChoreLease, *, end: bool) -> None:
    """A row of the chore's own, and the fence behind it."""
    with database.write() as session:
        session.add(DestinationStateRow(name="x"))
        session.flush()
        if end:
            give_back(session, lease, progress={}, now=clock.now(), due_at=clock.now())
        else:
            keep(session, lease, progress={}, now=clock.now())


def test_a_chore_is_taken_by_one_until_the_lease_ends(database: Database, clock: FakeClock) -> None:
    assert due(database, clock)
    first = taken(database, clock)
    assert first is not None
    assert first.progress is None
    assert not due(database, clock)
    assert taken(database, clock) is None
    clock.advance(LEASE.total_seconds() - 1)
    assert taken(database, clock) is None
    clock.advance(1)
    assert due(database, clock)
    second = taken(database, clock)
    assert second is not None
    assert second.token != first.token


def test_another_chore_is_somebody_elses(database: Database, clock: FakeClock) -> None:
    assert taken(database, clock, "sweeping") is not None
    assert taken(database, clock, "counting") is not None


def test_each_write_holds_the_lease_for_longer(database: Database, clock: FakeClock) -> None:
    lease = taken(database, clock)
    assert lease is not None
    for _ in range(3):
        clock.advance(LEASE.total_seconds() - 1)
        with database.write() as session:
            keep(session, lease, progress={}, now=clock.now())
    assert taken(database, clock) is None


def test_whoever_goes_on_is_told_how_far_it_is(database: Database, clock: FakeClock) -> None:
    lease = taken(database, clock)
    assert lease is not None
    with database.write() as session:
        keep(session, lease, progress={"after": "x", "counts": {"a": 3}}, now=clock.now())
    clock.advance(LEASE.total_seconds())
    later = taken(database, clock)
    assert later is not None
    assert later.progress == {"after": "x", "counts": {"a": 3}}


def test_a_chore_given_back_is_due_when_it_says(database: Database, clock: FakeClock) -> None:
    lease = taken(database, clock)
    assert lease is not None
    with database.write() as session:
        next_time = clock.now() + timedelta(minutes=10)
        give_back(session, lease, progress={}, now=clock.now(), due_at=next_time)
    clock.advance(599)
    assert not due(database, clock)
    assert taken(database, clock) is None
    clock.advance(1)
    assert taken(database, clock) is not None


def test_an_overslept_holder_writes_nothing(database: Database, clock: FakeClock) -> None:
    """The fence stands in the transaction of the chore's own writes."""
    overslept = taken(database, clock)
    assert overslept is not None
    clock.advance(LEASE.total_seconds())
    assert taken(database, clock) is not None
    for end in (False, True):
        with pytest.raises(LeaseLost):
            written(database, clock, overslept, end=end)
    assert count(database, "destination_state") == 0


def test_a_holder_that_ended_its_run_writes_nothing_more(database: Database, clock: FakeClock) -> None:
    lease = taken(database, clock)
    assert lease is not None
    with database.write() as session:
        give_back(session, lease, progress={}, now=clock.now(), due_at=clock.now())
    with pytest.raises(LeaseLost), database.write() as session:
        keep(session, lease, progress={}, now=clock.now())


def test_of_many_that_want_it_at_once_one_gets_it(database: Database, database_url: str, clock: FakeClock) -> None:
    start, got = threading.Barrier(6), list[bool]()

    def want() -> None:
        mine = open_database(database_url)
        start.wait(timeout=10)
        got.append(taken(mine, clock) is not None)
        mine.close()

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(got) == [False] * 5 + [True]
    assert count(database, "chore") == 1
