"""What a worker does beside delivering, and how much of its time forgetting may take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import event, select, text

from bridge.chore_lease import LEASE
from bridge.chores import RETENTION_SECONDS, Chores
from bridge.settings.model import Secret, Settings
from bridge.tables import AuditEntryRow
from bridge.wiring import Wiring, wire
from tests.fakes import FakeClock
from tests.keeping.attic import DAY, Attic
from tests.outbox.yard import count


class TickingClock(FakeClock):
    """One on which every look at the stopwatch takes `tick` seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.tick = 0.0

    def monotonic(self) -> float:
        self.advance(self.tick)
        return super().monotonic()


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
def wiring(database_url: str, clock: TickingClock, tmp_path: Path) -> Iterator[Wiring]:
    settings = Settings(
        database_url=database_url,
        secret_key=Secret("a bridge secret key for tests, long enough"),
        config_path=tmp_path / "bridge.toml",
    )
    wiring = wire(settings, clock=clock)
    yield wiring
    wiring.close()


@pytest.fixture
def attic(wiring: Wiring, clock: TickingClock, tmp_path: Path) -> Attic:
    return Attic(wiring.database, clock, tmp_path)


def chores(wiring: Wiring) -> Chores:
    return Chores(wiring, Random(1))


def actions(wiring: Wiring) -> list[str]:
    with wiring.database.read() as session:
        return list(session.scalars(select(AuditEntryRow.action).order_by(AuditEntryRow.id)))


def test_what_is_old_is_forgotten_and_looked_at_again_when_it_is_time(wiring: Wiring, attic: Attic) -> None:
    attic.record()
    attic.clock.advance(7 * DAY - 60)
    worker = chores(wiring)
    worker.do()
    attic.clock.advance(60)
    worker.do()
    assert len(attic.events()) == 1
    attic.clock.advance(13 * 60)
    worker.do()
    assert attic.events() == []
    assert actions(wiring) == ["retention.run"]


def test_while_it_is_not_time_no_worker_takes_a_write_lock_for_it(wiring: Wiring) -> None:
    worker = chores(wiring)
    worker.do()
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(wiring.database.engine, "before_cursor_execute", note)
    worker.do()
    event.remove(wiring.database.engine, "before_cursor_execute", note)
    assert [statement for statement in seen if "chore" in statement and not statement.startswith("SELECT")] == []


def test_a_long_run_takes_its_share_of_each_second_and_no_more(
    wiring: Wiring, attic: Attic, clock: TickingClock
) -> None:
    for _ in range(6):
        attic.record(body=b"x" * 2_100_000)  # a transaction each
    attic.clock.advance(7 * DAY)
    clock.tick = RETENTION_SECONDS
    worker, left = chores(wiring), []
    for _ in range(4):
        worker.do()
        left.append(len(attic.events()))
    clock.tick = 0
    assert left == [5, 4, 3, 2]
    worker.do()
    assert attic.events() == []


def test_another_worker_goes_on_where_one_has_stalled(wiring: Wiring, attic: Attic, clock: TickingClock) -> None:
    for _ in range(4):
        attic.record(body=b"x" * 2_100_000)
    attic.clock.advance(7 * DAY)
    stalled, other = chores(wiring), chores(wiring)
    clock.tick = RETENTION_SECONDS
    stalled.do()
    other.do()
    clock.tick = 0
    assert len(attic.events()) == 3
    attic.clock.advance(LEASE.total_seconds())
    other.do()
    stalled.do()
    assert attic.events() == []
    (details,) = attic.noted()
    assert details["events"] == 4


def test_a_run_that_failed_is_taken_up_again(wiring: Wiring, attic: Attic) -> None:
    attic.record()
    attic.clock.advance(7 * DAY)
    with wiring.database.write() as session:
        session.execute(text("ALTER TABLE purge RENAME TO purge_elsewhere"))
    worker = chores(wiring)
    worker.do()
    with wiring.database.write() as session:
        session.execute(text("ALTER TABLE purge_elsewhere RENAME TO purge"))
    worker.do()
    assert count(wiring.database, "event") == 1
    attic.clock.advance(LEASE.total_seconds())
    worker.do()
    assert count(wiring.database, "event") == 0
