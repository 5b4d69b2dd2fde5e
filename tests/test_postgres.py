"""The PostgreSQL of the tests leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from bridge.database import Database
from tests.postgres import PostgresServer, running_postgres

pytestmark = pytest.mark.usefixtures("postgres")  # so that all are skipped where there is none

CHILD = """
import sys
from tests.postgres import running_postgres

with running_postgres() as server, server.new_database() as url:
    print(url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def child() -> Iterator[subprocess.Popen[str]]:
    """A test process with a server of its own; its first line is the URL of a database there."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as it:
        yield it


def test_the_server_and_its_folder_go_with_a_killed_test_process(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    url = child.stdout.readline().strip()
    with psycopg.connect(url) as connection:
        (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
    assert Path(folder).exists()
    child.kill()
    deadline = time.monotonic() + 15
    while Path(folder).parent.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(folder).parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_the_server_and_its_folder_go_at_the_end() -> None:
    with running_postgres() as server, server.new_database() as url, psycopg.connect(url) as connection:
        (folder,) = connection.execute("SHOW data_directory").fetchone() or ("",)
    assert not Path(folder).parent.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_databases_of_one_server_do_not_share_a_row(postgres: PostgresServer) -> None:
    with postgres.new_database() as one, postgres.new_database() as other:
        with psycopg.connect(one) as connection:
            connection.execute("CREATE TABLE here (id int)")
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT to_regclass('here')").fetchone() == (None,)


@pytest.mark.parametrize("time_of_asking", ["first", "second"])
def test_a_test_finds_no_row_of_the_one_before(database: Database, time_of_asking: str) -> None:
    with database.write() as session:
        assert session.scalar(text("SELECT count(*) FROM replay")) == 0
        session.execute(
            text(
                "INSERT INTO replay (id, created_at, created_by, reason, filter, mode, rate, state, matched)"
                " VALUES ('1', '2026-05-01', 'cli:x', 'r', '{}', 'every', 1, 'running', 0)"
            )
        )
