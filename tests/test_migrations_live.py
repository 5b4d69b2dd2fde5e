"""Migrations while the bridge works: rows in flight, and processes that were started before them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bridge import migrate
from bridge.database import Database, open_database
from bridge.outbox.contract import ClaimedDelivery, Delivered, Outcome
from tests.fakes import FakeClock
from tests.outbox.yard import FakeDestination, actions, dispatcher, owe, states

#: The oldest that this version's worker can work on: it reads keys.
WORKABLE = "0008"
REVISIONS = sorted(path.name[:4] for path in Path(__file__).parent.parent.glob("migrations/versions/[0-9]*.py"))


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_waited_before_a_migration_is_delivered_after_it(empty_database_url: str, revision: str) -> None:
    database, clock = open_database(empty_database_url), FakeClock()
    migrate.upgrade(database, to=revision)
    for number in range(5):
        owe(database, clock.now(), subject=f"conversation:{number}")
    migrate.upgrade(database)
    assert migrate.check(database) == []
    dispatcher(database, clock, FakeDestination()).deliver_due()
    assert states(database) == ["delivered"] * 5
    database.close()


@pytest.mark.parametrize("revision", [revision for revision in REVISIONS if revision >= WORKABLE])
def test_a_worker_goes_on_while_the_database_is_migrated_under_it(empty_database_url: str, revision: str) -> None:
    working, migrating = open_database(empty_database_url), open_database(empty_database_url)
    clock, begun, go = FakeClock(), threading.Event(), threading.Event()
    migrate.upgrade(working, to=revision)
    for number in range(40):
        owe(working, clock.now(), subject=f"conversation:{number}")

    def answer(_: ClaimedDelivery) -> Outcome:
        begun.set()
        go.wait(timeout=10)
        return Delivered()

    worker = dispatcher(working, clock, FakeDestination(answer=answer))
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        assert begun.wait(timeout=10)
        migrate.upgrade(migrating)  # four deliveries are out, their lanes leased
        go.set()
        _wait_until_delivered(working, 40)
    finally:
        go.set()
        worker.stop()
        running.join(timeout=15)
    assert actions(working).count("delivery.delivered") == 40
    for database in (working, migrating):
        database.close()


def _wait_until_delivered(database: Database, count: int) -> None:
    waited = threading.Event()
    for _ in range(500):
        if states(database) == ["delivered"] * count:
            return
        waited.wait(0.02)
    raise AssertionError(f"not delivered: {states(database)}")
