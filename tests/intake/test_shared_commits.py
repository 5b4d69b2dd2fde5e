"""Facts about committing together: who shares a transaction, who fails, what a stop leaves. On both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bridge import signals
from bridge.audit.notes import AuditNotes
from bridge.database import Database, open_database
from bridge.errors import TemporarilyUnavailable
from bridge.events import Owed, RecordedEvent
from bridge.intake.recorder import Arrival, Receipt
from bridge.intake.shared_commits import SharedCommits
from bridge.tables import EventRow
from tests.fakes import VAULT, FakeClock
from tests.intake.conftest import WINDOW, Desk
from tests.intake.test_recorder import change


@pytest.fixture
def commits(database: Database, clock: FakeClock, notes: AuditNotes) -> Iterator[SharedCommits]:
    commits = SharedCommits(database, clock, notes=notes, vault=VAULT, dedupe_window=WINDOW, max_waiting=8)
    yield commits
    commits.stop()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(12) as pool:
        yield pool


class Gate:
    """A forwarder that holds the transaction of the subject `gate` until it is opened, and fails `poison`."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, _sender: object, *, event: RecordedEvent, session: Session) -> Owed | None:
        if event.subject == "record:Item/gate":
            self.reached.set()
            assert self.opened.wait(timeout=20)
        if event.subject == "record:Item/poison":
            raise LookupError("poison")
        return None


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    with signals.event_recorded.connected_to(gate):
        yield gate
    gate.opened.set()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def arrival(desk: Desk, record_id: str) -> Arrival:
    return desk.arrival(change(record_id))


def hold(
    desk: Desk, commits: SharedCommits, pool: ThreadPoolExecutor, gate: Gate, *ids: str
) -> list[Future[list[Receipt]]]:
    """Submissions that wait behind one whose transaction is open; the first future is that one's."""
    futures = [pool.submit(commits.submit, [arrival(desk, "gate")])]
    assert gate.reached.wait(timeout=20)
    for number, record_id in enumerate(ids, start=1):
        futures.append(pool.submit(commits.submit, [arrival(desk, record_id)]))
        until(lambda number=number: commits.waiting == number)  # type: ignore[misc]
    return futures


def test_a_submission_is_answered_after_its_commit(desk: Desk, commits: SharedCommits) -> None:
    receipts = commits.submit([arrival(desk, "a"), arrival(desk, "b"), arrival(desk, "a")])
    assert [receipt.duplicate for receipt in receipts] == [False, False, True]
    assert [row.id for row in desk.rows()] == [receipts[0].event_id, receipts[1].event_id]


def test_what_waits_at_the_same_moment_shares_one_transaction(
    desk: Desk, commits: SharedCommits, pool: ThreadPoolExecutor, gate: Gate, destinations: list[str]
) -> None:
    transactions: list[int] = []

    def count(_sender: object, *, owed: list[object], **_rest: object) -> None:
        transactions.append(len(owed))

    destinations.append("erp")
    with signals.deliveries_owed.connected_to(count):
        futures = hold(desk, commits, pool, gate, "a", "b", "c", "d", "a")
        gate.opened.set()
        receipts = [future.result(timeout=20)[0] for future in futures]
    assert transactions == [1, 4]
    assert [receipt.subject.rpartition("/")[2] for receipt in receipts] == ["gate", "a", "b", "c", "d", "a"]
    assert [receipt.duplicate for receipt in receipts] == [False] * 5 + [True]


def test_one_that_fails_fails_alone(desk: Desk, commits: SharedCommits, pool: ThreadPoolExecutor, gate: Gate) -> None:
    futures = hold(desk, commits, pool, gate, "a", "poison", "b")
    gate.opened.set()
    for future in (futures[0], futures[1], futures[3]):
        assert not future.result(timeout=20)[0].duplicate
    with pytest.raises(LookupError):
        futures[2].result(timeout=20)
    assert [row.subject for row in desk.rows()] == ["record:Item/gate", "record:Item/a", "record:Item/b"]
    assert commits.submit([arrival(desk, "c")])


def test_more_than_may_wait_is_refused_at_once(
    desk: Desk, commits: SharedCommits, pool: ThreadPoolExecutor, gate: Gate
) -> None:
    futures = hold(desk, commits, pool, gate, *"abcdefgh")
    with pytest.raises(TemporarilyUnavailable) as refused:
        commits.submit([arrival(desk, "i")])
    assert (refused.value.cause, refused.value.retry_after) == ("overloaded", 5)
    gate.opened.set()
    assert len([future.result(timeout=20) for future in futures]) == 9


def test_a_stop_commits_what_waits_and_refuses_what_comes_later(
    desk: Desk, commits: SharedCommits, pool: ThreadPoolExecutor, gate: Gate
) -> None:
    futures = hold(desk, commits, pool, gate, "a", "b")
    stopping = pool.submit(commits.stop)
    until(lambda: commits.waiting == 3)  # the stop is queued behind them
    gate.opened.set()
    stopping.result(timeout=20)
    assert all(future.done() or future.result(timeout=1) for future in futures)
    assert len(desk.rows()) == 3
    with pytest.raises(TemporarilyUnavailable):
        commits.submit([arrival(desk, "c")])


def test_a_stop_before_the_first_submission_is_a_stop(commits: SharedCommits, desk: Desk) -> None:
    commits.stop()
    with pytest.raises(TemporarilyUnavailable):
        commits.submit([arrival(desk, "a")])


def test_work_is_told_of_after_the_commit_and_only_where_something_is_owed(
    desk: Desk, commits: SharedCommits, destinations: list[str]
) -> None:
    seen: list[int] = []
    told = threading.Event()

    def look(_sender: object) -> None:
        with desk.database.read() as session:
            seen.append(session.scalar(select(func.count()).select_from(EventRow)) or 0)
        told.set()

    with signals.work_recorded.connected_to(look):
        commits.submit([arrival(desk, "a")])
        destinations.append("erp")
        commits.submit([arrival(desk, "b")])
        assert told.wait(timeout=20)
    assert seen == [2]


def test_a_database_that_is_away_is_said_to_all_who_wait(
    tmp_path: Path, clock: FakeClock, notes: AuditNotes, desk: Desk, pool: ThreadPoolExecutor
) -> None:
    away = open_database(f"sqlite:///{tmp_path}/nowhere/bridge.db")
    commits = SharedCommits(away, clock, notes=notes, vault=VAULT, dedupe_window=WINDOW)
    futures = [pool.submit(commits.submit, [arrival(desk, str(number))]) for number in range(10)]
    for future in futures:
        with pytest.raises(TemporarilyUnavailable) as refused:
            future.result(timeout=20)
        assert (refused.value.cause, refused.value.retry_after) == ("database-away", 5)
    commits.stop()
    away.close()
