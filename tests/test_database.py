"""What the engine promises before any table is thought of, on both databases where it applies."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from threading import Event

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError

from bridge.clock import SystemClock, new_id
from bridge.database import (
    Database,
    DatabaseClock,
    check_durability,
    open_database,
    sqlite_is_affected,
    sqlite_module,
)
from bridge.errors import ConfigurationError
from bridge.tables import AttemptRow, AuditEntryRow, DestinationStateRow
from tests.fakes import FakeClock
from tests.postgres import PostgresServer, running_postgres

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@only_sqlite
@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("busy_timeout", 10_000),
        ("auto_vacuum", 2),
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
    ],
)
def test_every_pooled_connection_is_durable(database: Database, pragma: str, value: object) -> None:
    with ExitStack() as stack:
        sessions = [stack.enter_context(database.write() if n == 0 else database.read()) for n in range(4)]
        values = [session.scalar(text(f"PRAGMA {pragma}")) for session in sessions]
    assert values == [value] * 4


@only_postgresql
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("TimeZone", "UTC"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "1min"),
    ],
)
def test_no_session_waits_for_ever(database: Database, setting: str, value: str) -> None:
    with database.read() as session:
        assert session.scalar(text(f"SHOW {setting}")) == value


@only_sqlite
def test_a_writer_takes_the_write_lock_with_its_first_read(database: Database) -> None:
    other = sqlite_module().connect(str(database.engine.url.database), timeout=0)
    with database.write() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(sqlite_module().OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
    other.execute("BEGIN IMMEDIATE")
    other.close()


@only_sqlite
def test_a_second_writer_waits_and_sees_what_the_first_one_wrote(database: Database) -> None:
    _pause(database, "erp", "before")
    has_read = Event()

    def read_as_writer() -> str | None:
        with database.write() as second:
            reason = _reason(second.scalar)
            has_read.set()
            return reason

    with ThreadPoolExecutor() as threads:
        with database.write() as first:
            assert _reason(first.scalar) == "before"
            answer = threads.submit(read_as_writer)
            assert not has_read.wait(0.3)
            first.execute(text("UPDATE destination_state SET paused_reason = 'after'"))
        assert answer.result(timeout=10) == "after"


@only_sqlite
def test_a_reader_sees_one_snapshot_and_holds_up_no_writer(database: Database) -> None:
    _pause(database, "erp", "before")
    with database.read() as reader:
        assert _reason(reader.scalar) == "before"
        with database.write() as writer:
            writer.execute(text("UPDATE destination_state SET paused_reason = 'after'"))
        assert _reason(reader.scalar) == "before"


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    _pause(database, "erp", "before")
    with pytest.raises(IntegrityError), database.write() as session:  # noqa: PT012 (the second one fails)
        session.execute(text("UPDATE destination_state SET paused_reason = 'after'"))
        session.execute(text("INSERT INTO destination_state SELECT * FROM destination_state"))
    with database.read() as session:
        assert _reason(session.scalar) == "before"


def test_a_row_without_its_parent_is_refused(database: Database) -> None:
    orphan = AttemptRow(
        delivery_id=new_id(), number=1, started_at=datetime.now(UTC), duration_ms=1, outcome="delivered"
    )
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(orphan)


def test_an_error_does_not_show_the_values_of_the_statement(database: Database) -> None:
    _pause(database, "erp", "first")
    with pytest.raises(IntegrityError) as refused:
        _pause(database, "erp", "call +49 170 1234567")
    assert "1234567" not in str(refused.value)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
        datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=2))),
        datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(-timedelta(hours=9, minutes=30))),
    ],
)
def test_a_moment_comes_back_as_the_same_moment_in_utc(database: Database, moment: datetime) -> None:
    with database.write() as session:
        session.add(DestinationStateRow(name="erp", paused_at=moment))
    with database.read() as session:
        row = session.get_one(DestinationStateRow, "erp")
    assert row.paused_at == moment
    assert row.paused_at is not None
    assert row.paused_at.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="which zone"), database.write() as session:
        session.add(DestinationStateRow(name="erp", paused_at=datetime(2026, 5, 1)))  # noqa: DTZ001


def test_json_comes_back_as_it_was_with_its_order_and_every_character(database: Database) -> None:
    details = {"z": [1, 2.5, None, True], "a": {"nul": "\0", "smile": "😀"}}
    with database.write() as session:
        session.add(_entry(details))
    with database.read() as session:
        stored = session.query(AuditEntryRow).one().details
    assert stored == details
    assert list(stored) == ["z", "a"]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_write_a_postgresql_url_works(postgres: PostgresServer, scheme: str) -> None:
    with postgres.new_database() as url:
        database = open_database(url.replace("postgresql", scheme, 1))
        with database.read() as session:
            assert session.scalar(text("SELECT 1")) == 1
        assert database.engine.driver == "psycopg"
        database.close()


@pytest.mark.parametrize(
    "url", ["mysql://bridge:s3cret@db/bridge", "postgresql://bridge:s3cret@db:port/b", "s3cret", ""]
)
def test_another_database_is_refused_with_the_way_out_and_without_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"DATABASE_URL: .*sqlite:///.*postgresql://") as refused:
        open_database(url)
    assert "s3cret" not in str(refused.value)


def test_durable_settings_are_accepted(database: Database) -> None:
    check_durability(database)


@pytest.mark.usefixtures("postgres")  # so that it is skipped where there is none
def test_a_server_that_may_lose_commits_is_refused_unless_told_to() -> None:
    unsafe = running_postgres(fsync="off", full_page_writes="off", synchronous_commit="off")
    with unsafe as server, server.new_database() as url:
        database = open_database(url)
        with pytest.raises(ConfigurationError, match="BRIDGE_ALLOW_UNSAFE_DATABASE") as refused:
            check_durability(database)
        check_durability(database, allow_unsafe=True)
        database.close()
    named = [problem.split()[4] for problem in refused.value.problems]
    assert named == ["fsync", "full_page_writes", "synchronous_commit"]


@only_postgresql
def test_a_database_that_alone_may_lose_commits_is_refused(database: Database) -> None:
    with database.write() as session:
        session.execute(text(f'ALTER DATABASE "{database.engine.url.database}" SET synchronous_commit = off'))
    database.close()
    with pytest.raises(ConfigurationError, match="synchronous_commit = off"):
        check_durability(database)


def test_the_clock_of_the_database_ignores_jumps_of_the_wall_clock(database: Database, clock: FakeClock) -> None:
    database_clock = DatabaseClock(database, clock, resync_seconds=10)
    start = database_clock.now()
    clock.jump(86_400)
    assert database_clock.now() == start
    clock.advance(5)
    assert database_clock.now() == start + timedelta(seconds=5)


@only_postgresql
def test_the_clock_of_the_database_is_read_again_at_intervals(database: Database, clock: FakeClock) -> None:
    database_clock = DatabaseClock(database, clock, resync_seconds=10)
    start = database_clock.now()
    clock.advance(3_600)
    assert start < database_clock.now() < start + timedelta(minutes=5)  # the server's hour has not passed


def test_the_clock_of_the_database_is_in_utc(database: Database) -> None:
    moment = DatabaseClock(database, SystemClock()).now()
    assert moment.tzinfo is UTC
    assert abs(moment - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("version", "affected"),
    [((3, 6, 23), False), ((3, 7, 0), True), ((3, 40, 1), True), ((3, 51, 2), True), ((3, 51, 3), False)],
)
def test_the_versions_of_sqlite_that_can_corrupt_a_wal_are_known(version: tuple[int, ...], affected: bool) -> None:
    assert sqlite_is_affected(version) is affected


def _pause(database: Database, name: str, reason: str) -> None:
    with database.write() as session:
        session.add(DestinationStateRow(name=name, paused_reason=reason))


def _reason(scalar: Callable[..., str | None]) -> str | None:
    return scalar(text("SELECT paused_reason FROM destination_state"))


def _entry(details: object) -> AuditEntryRow:
    return AuditEntryRow(
        id=new_id(), at=datetime.now(UTC), actor="worker", action="event.recorded", subject="s", details=details
    )
