"""Fixtures that the whole suite shares."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import migrate
from bridge.database import Database, open_database
from tests.fakes import FakeClock
from tests.postgres import PostgresMissing, PostgresServer, running_postgres


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database without rows; the test runs once on SQLite and once on PostgreSQL."""
    database = open_database(database_url)
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database without rows; use it instead of `database` to open it more than once.

    For one of the two only: `@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)`.
    """
    url: str = request.getfixturevalue(f"_{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database that was never migrated."""
    url: str = request.getfixturevalue(f"_empty_{request.param}_url")
    return url


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this test process."""
    try:
        with running_postgres() as server:
            yield server
    except PostgresMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture
def _empty_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'bridge.db'}"


@pytest.fixture
def _empty_postgresql_url(postgres: PostgresServer) -> Iterator[str]:
    with postgres.new_database() as url:
        yield url


@pytest.fixture
def _sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(_sqlite_template, tmp_path / "bridge.db")
    return f"sqlite:///{tmp_path / 'bridge.db'}"


@pytest.fixture
def _postgresql_url(postgres: PostgresServer, _postgresql_template: str) -> Iterator[str]:
    with postgres.new_database(_postgresql_template) as url:
        yield url


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a migrated database; closed, so that all of it is in this one file."""
    path = tmp_path_factory.mktemp("template") / "bridge.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgresql_template(postgres: PostgresServer) -> Iterator[str]:
    """The name of a migrated database."""
    with postgres.new_database() as url:
        _migrate(url)
        yield url.rpartition("/")[2]


def _migrate(url: str) -> None:
    database = open_database(url)
    migrate.upgrade(database)
    database.close()
