"""A database behind a network: it can be away, answer late, or be gone without a word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from bridge.database import Database, DatabaseClock, open_database
from tests.fakes import FakeClock
from tests.postgres import PostgresServer
from tests.storms.proxy import Proxy

MINUTES = timedelta(minutes=5)


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[Proxy]:
    made = Proxy(postgres.port)
    yield made
    made.close()


@pytest.fixture
def far_database(postgres: PostgresServer, proxy: Proxy) -> Iterator[Database]:
    """A PostgreSQL behind a proxy: it is away as soon as that is closed."""
    with postgres.new_database() as url:
        database = open_database(url.replace(str(postgres.port), str(proxy.port)))
        yield database
        database.close()


class Dawdling(FakeClock):
    """A clock on which everything takes `step` seconds."""

    step = 0.0

    def monotonic(self) -> float:
        self.advance(self.step)
        return super().monotonic()


def test_the_time_goes_on_while_the_database_is_away(far_database: Database, proxy: Proxy, clock: FakeClock) -> None:
    database_clock = DatabaseClock(far_database, clock, resync_seconds=10)
    start = database_clock.now()
    proxy.close()
    for seconds in (11, 11, 3600):
        clock.advance(seconds)
        database_clock.now()
    assert database_clock.now() == start + timedelta(seconds=3622)


def test_a_database_that_was_never_heard_gives_no_time(far_database: Database, proxy: Proxy, clock: FakeClock) -> None:
    proxy.close()
    with pytest.raises(OperationalError):
        DatabaseClock(far_database, clock).now()


def test_an_answer_that_was_long_on_its_way_is_not_believed(far_database: Database) -> None:
    clock = Dawdling()
    database_clock = DatabaseClock(far_database, clock, resync_seconds=10)
    assert abs(database_clock.now() - datetime.now(UTC)) < MINUTES
    clock.advance(3600)  # while the server's hour does not pass, so that it shows who is believed
    clock.step = 1.0
    assert database_clock.now() - datetime.now(UTC) > MINUTES
    clock.step = 0.0
    clock.advance(11)
    assert abs(database_clock.now() - datetime.now(UTC)) < MINUTES


def test_a_server_that_is_gone_without_a_word_is_noticed_within_seconds(far_database: Database) -> None:
    """What it is for: the storm `partition-postgresql`, which hangs without it."""
    with far_database.engine.connect() as connection:
        driver: psycopg.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        chosen = driver.info.get_parameters()
    patience = int(chosen["keepalives_idle"]) + int(chosen["keepalives_interval"]) * int(chosen["keepalives_count"])
    assert patience < 20
    assert int(chosen["tcp_user_timeout"]) < 20_000
