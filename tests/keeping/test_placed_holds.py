"""Retention and the holds that administrators place: in force at once, whatever a run is in the middle of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic

import pytest
from sqlalchemy import Connection, text

from bridge.clock import new_id
from bridge.database import Database, open_database
from bridge.intake.ledger import Rejection, insert_rejections
from bridge.keeping.retention import BATCH
from bridge.settings.model import LegalHold
from tests.fakes import VAULT
from tests.keeping.attic import DAY, Attic
from tests.keeping.test_runs import fill, steps
from tests.moments import just_before
from tests.outbox.yard import count
from tests.privacy.placing import place, release_again

only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def other(database_url: str) -> Iterator[Database]:
    """The same database, opened by another process, as it were."""
    opened = open_database(database_url)
    yield opened
    opened.close()


def test_what_a_placed_hold_covers_stays_until_it_is_released(attic: Attic, other: Database) -> None:
    attic.holds = [LegalHold(subject="conversation:d")]
    _, held, named, declared = (
        attic.record(f"conversation:{name}", body=b'["C-7"]' if name == "c" else b"{}") for name in "abcd"
    )
    retention, now = attic.retention(), attic.clock.now()
    holds = [place(other, now, subject="conversation:b").hold, place(other, now, customer="c-7").hold]
    attic.clock.advance(1000 * DAY)
    _run(attic, retention.run)
    assert attic.events() == [held, named, declared]
    assert attic.noted()[-1]["held"] == 3
    for hold in holds:
        release_again(other, attic.clock.now(), hold.id)
    _run(attic, retention.run)
    assert attic.events() == [declared]


def test_a_hold_that_is_placed_between_two_batches_keeps_what_the_next_would_have_taken(
    attic: Attic, other: Database
) -> None:
    ids = [*fill(attic, BATCH - 100, body=b'"%b"' % (b"x" * 5000)), *fill(attic, 3, subject="conversation:b")]
    attic.clock.advance(7 * DAY)
    run = attic.begin()
    steps(run, 1)
    assert 0 < len(attic.events()) < len(ids)
    place(other, attic.clock.now(), subject="conversation:b")
    for _ in run:
        pass
    assert attic.events() == ids[-3:]
    assert attic.noted()[-1]["held"] == 3


def test_the_body_of_a_rejection_is_held_where_it_names_whom_a_hold_protects(attic: Attic) -> None:
    bodies = (b'{"customer": {"id": "C-7"}}', b'{"customer": {"id": "C-8"}}', b'{"customer": "C-7', None)
    now = attic.clock.now()
    rejections = [
        Rejection(
            id=new_id(), at=now, source="genesys", cause="x", status=422, address="::1", size=9, body=body
        )
        for body in bodies
    ]  # fmt: skip
    with attic.database.write() as session:
        insert_rejections(session, VAULT, rejections, now=now)
    hold = place(attic.database, now, customer="c-7").hold
    attic.clock.advance(7 * DAY)
    attic.run()
    assert _rejections(attic) == [rejections[0].id, rejections[2].id]  # of what cannot be read nobody knows
    release_again(attic.database, attic.clock.now(), hold.id)
    attic.run()
    assert _rejections(attic) == []


@only_postgresql
def test_a_batch_waits_for_a_hold_that_is_being_placed(attic: Attic, other: Database) -> None:
    """On SQLite there is only one writer at a time."""
    held = attic.record("conversation:b")
    attic.clock.advance(7 * DAY)
    # The first time the run only looks; the second time it is about to remove.
    with (
        other.engine.connect() as placing,
        just_before(attic.database, "LOCK TABLE legal_hold", 2, lambda: _begin_to_place(placing, attic)),
    ):
        run = threading.Thread(target=attic.run)
        run.start()
        _until(lambda: _waiting(other) == 1)
        assert attic.events() == [held]
        placing.commit()
        run.join(10)
    assert attic.events() == [held]


@only_postgresql
def test_a_hold_waits_for_the_batch_that_is_being_removed(attic: Attic, other: Database) -> None:
    """Whoever has the answer that it is placed can rely on what they see."""
    attic.record("conversation:b")
    attic.clock.advance(7 * DAY)
    seen: list[int] = []

    def place_and_look() -> None:
        place(other, attic.clock.now(), subject="conversation:b")
        seen.append(count(other, "event"))

    placing = threading.Thread(target=place_and_look)

    def begin() -> None:
        placing.start()
        _until(lambda: _waiting(attic.database) == 1)

    with just_before(attic.database, "DELETE FROM event", 1, begin):
        attic.run()
    placing.join(10)
    assert seen == [0]


def _rejections(attic: Attic) -> list[str]:
    with attic.database.read() as session:
        return list(session.scalars(text("SELECT id FROM rejection ORDER BY id")))


def _run(attic: Attic, run: Callable[..., Iterator[None]]) -> None:
    """By the same retention as before: nothing was restarted."""
    attic.make_due()
    lease = attic.lease()
    assert lease is not None
    for _ in run(lease):
        pass


def _begin_to_place(connection: Connection, attic: Attic) -> None:
    connection.execute(
        text(
            "INSERT INTO legal_hold (id, subject, reason, placed_by, placed_at)"
            " VALUES ('h', 'conversation:b', 'case 7', 'token:eva', :now)"
        ),
        {"now": attic.clock.now()},
    )


def _waiting(database: Database) -> int:
    """How many transactions wait for the table of holds."""
    with database.read() as session:
        waits = text("SELECT count(*) FROM pg_locks WHERE relation = 'legal_hold'::regclass AND NOT granted")
        return int(session.execute(waits).scalar_one())


def _until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + 10
    while not holds():
        assert monotonic() < deadline
