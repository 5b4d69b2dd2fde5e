"""Runs of retention: small steps, cut short, taken over, overslept, raced by others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice, pairwise

import pytest
from sqlalchemy import event, insert, select

from bridge.chore_lease import LEASE
from bridge.clock import new_id
from bridge.database import Database, open_database
from bridge.errors import LeaseLost
from bridge.keeping.retention import BATCH, EVERY, MOST_KEPT, PAGE, PAGE_BYTES
from bridge.outbox.ledger.append import NewDelivery, append
from bridge.tables import ChoreRow, EventRow, core
from tests.keeping.attic import DAY, Attic


def fill(attic: Attic, number: int, **columns: object) -> list[str]:
    """So many events that nobody was owed, in one transaction."""
    ids = [new_id() for _ in range(number)]
    row = {
        "source": "genesys", "type": "x", "subject": "conversation:a", "received_at": attic.clock.now(),
        "payload": {}, "body": b"{}", "duplicates": 0, **columns,
    }  # fmt: skip
    with attic.database.write() as session:
        session.execute(insert(core(EventRow)), [{"id": event_id, "state": "recorded", **row} for event_id in ids])
    return ids


def steps(run: Iterator[None], number: int) -> None:
    for _ in islice(run, number):
        pass


def test_a_run_is_noted_once_with_what_it_removed(attic: Attic) -> None:
    attic.deliver("conversation:a", to=("erp", "crm"))
    attic.reject(2)
    attic.clock.advance(7 * DAY)
    attic.run()
    attic.run()
    (details,) = attic.noted()
    rules = details.pop("rules")
    assert details == {"events": 1, "deliveries": 2, "attempts": 2, "lanes": 2, "rejections": 2}
    assert rules == {"delivered_days": 7, "dead_days": 90, "rejections_days": 7, "audit_days": 2190}


def test_a_run_that_finds_nothing_is_not_noted(attic: Attic) -> None:
    """Else an idle bridge would go on auditing, and sealing, that it is idle."""
    attic.record()
    attic.run()
    assert attic.noted() == []


def test_no_transaction_removes_more_than_a_batch(attic: Attic) -> None:
    fill(attic, PAGE + 100)
    fill(attic, 3, body=b"x" * BATCH * PAGE_BYTES)
    attic.clock.advance(7 * DAY)
    left = [len(attic.events())]
    for _ in attic.begin():
        left.append(len(attic.events()))
    removed = [before - after for before, after in pairwise(left) if before != after]
    assert removed == [BATCH, 100 + PAGE - BATCH, 1, 1, 1]  # each of the large bodies is one


def test_a_run_cut_short_is_taken_up_where_it_was_and_noted_as_one(attic: Attic) -> None:
    fill(attic, 3 * PAGE)
    attic.clock.advance(7 * DAY)
    killed = attic.begin()
    steps(killed, 2)
    assert 0 < len(attic.events()) < 3 * PAGE
    del killed
    attic.clock.advance(LEASE.total_seconds())
    attic.run()
    assert attic.events() == []
    assert [one["events"] for one in attic.noted()] == [3 * PAGE]


def test_a_batch_that_fails_in_the_middle_leaves_everything_and_can_be_run_again(attic: Attic) -> None:
    attic.deliver("conversation:a", "conversation:b")
    attic.clock.advance(7 * DAY)
    before = attic.counts()

    def cut(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("DELETE FROM event"):
            raise ConnectionError("cut")

    event.listen(attic.database.engine, "before_cursor_execute", cut)
    with pytest.raises(ConnectionError):
        attic.run()
    event.remove(attic.database.engine, "before_cursor_execute", cut)
    assert attic.counts() == before
    attic.run()
    assert attic.counts() == (0, 0, 0, 0, 0)
    assert [one["events"] for one in attic.noted()] == [2]


def test_of_two_workers_one_runs(attic: Attic) -> None:
    run = attic.begin()
    assert attic.lease() is None
    steps(run, 1)
    assert attic.lease() is None


def test_a_worker_that_overslept_its_lease_removes_and_notes_nothing(attic: Attic) -> None:
    fill(attic, 2 * PAGE)
    attic.clock.advance(7 * DAY)
    overslept = attic.begin()
    steps(overslept, 1)
    left, progress = len(attic.events()), attic.progress()
    attic.clock.advance(LEASE.total_seconds())
    later = attic.lease()
    assert later is not None
    with pytest.raises(LeaseLost):
        next(overslept)
    assert (len(attic.events()), attic.progress()) == (left, progress)
    for _ in attic.retention().run(later):
        pass
    assert [one["events"] for one in attic.noted()] == [2 * PAGE]


def test_a_worker_that_overslept_but_was_not_replaced_goes_on(attic: Attic) -> None:
    fill(attic, PAGE)
    attic.clock.advance(7 * DAY)
    run = attic.begin()
    steps(run, 1)
    attic.clock.advance(10 * LEASE.total_seconds())
    for _ in run:
        pass
    assert len(attic.noted()) == 1


def test_the_next_run_is_due_in_about_ten_minutes(attic: Attic) -> None:
    attic.run()
    with attic.database.read() as session:
        chore = session.scalars(select(ChoreRow)).one()
    assert chore.done_at == attic.clock.now()
    assert EVERY * 0.75 <= chore.due_at - attic.clock.now() <= EVERY * 1.25
    assert attic.lease() is None
    attic.clock.advance((chore.due_at - attic.clock.now()).total_seconds())
    assert attic.lease() is not None


def test_a_run_looks_at_so_many_that_stay_and_the_next_goes_on_behind_them(attic: Attic) -> None:
    """However much is kept: what is old enough behind it is met, and the round begins again."""
    kept = fill(attic, MOST_KEPT + PAGE, state="unreadable")
    (behind,) = fill(attic, 1)
    attic.clock.advance(7 * DAY)
    fill(attic, 1)
    attic.run()
    assert attic.progress()["after"] == kept[MOST_KEPT - 1]
    assert behind in attic.events()
    attic.run()
    assert attic.progress()["after"] == ""
    assert behind not in attic.events()


def test_a_run_with_nothing_due_reads_one_page(attic: Attic) -> None:
    fill(attic, 3 * PAGE)
    attic.clock.advance(60 * 60)
    pages: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        pages.extend([statement] if "length(event.body)" in statement else [])

    event.listen(attic.database.engine, "before_cursor_execute", note)
    attic.run()
    event.remove(attic.database.engine, "before_cursor_execute", note)
    assert len(pages) == 1


def test_events_that_say_they_came_in_the_future_hide_nothing(attic: Attic) -> None:
    """A clock that was wrong for a while must not stop the forgetting for years."""
    attic.clock.jump(1000 * DAY)
    fill(attic, PAGE)
    attic.clock.jump(-1000 * DAY)
    (behind,) = fill(attic, 1)
    attic.clock.advance(7 * DAY)
    attic.run()
    assert behind not in attic.events()
    assert len(attic.events()) == PAGE


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_event_that_somebody_replays_at_this_moment_stays(attic: Attic, database_url: str) -> None:
    """On SQLite there is only one writer at a time."""
    (event_id,) = attic.deliver("conversation:a")
    attic.clock.advance(7 * DAY)
    other = open_database(database_url)
    with other.write() as session:
        again = NewDelivery(id=new_id(), event_id=event_id, event_type="x", destination="erp", subject="conversation:a")
        append(session, [again], now=attic.clock.now())
        attic.run()
    other.close()
    attic.run()
    assert attic.states() == ["delivered", "pending"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_was_replayed_between_looking_and_removing_stays(attic: Attic) -> None:
    (event_id,) = attic.deliver("conversation:a")
    attic.clock.advance(7 * DAY)
    replayed = threading.Event()

    def replay(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FOR UPDATE" in statement and "FROM event" in statement and not replayed.is_set():
            replayed.set()
            with attic.database.write() as session:
                again = NewDelivery(
                    id=new_id(), event_id=event_id, event_type="x", destination="erp", subject="conversation:a"
                )
                append(session, [again], now=attic.clock.now())

    event.listen(attic.database.engine, "before_cursor_execute", replay)
    attic.run()
    event.remove(attic.database.engine, "before_cursor_execute", replay)
    assert replayed.is_set()
    assert attic.states() == ["delivered", "pending"]


def test_two_workers_that_run_at_once_forget_everything_once(attic: Attic, database_url: str) -> None:
    fill(attic, 4 * PAGE)
    attic.clock.advance(7 * DAY)
    attic.lease()
    attic.clock.advance(LEASE.total_seconds())
    databases = [open_database(database_url) for _ in range(2)]
    start, results = threading.Barrier(2), list[bool]()

    def work(database: Database) -> None:
        mine = Attic(database, attic.clock, attic.folder)
        start.wait(timeout=10)
        lease = mine.lease()
        results.append(lease is not None)
        if lease is not None:
            for _ in mine.retention().run(lease):
                pass

    threads = [threading.Thread(target=work, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    for database in databases:
        database.close()
    assert sorted(results) == [False, True]
    assert attic.events() == []
    assert [one["events"] for one in attic.noted()] == [4 * PAGE]
