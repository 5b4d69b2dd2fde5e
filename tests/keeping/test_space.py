"""Room that is not needed any more is given back, but for what the next events need."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from bridge.database import Database
from bridge.keeping.space import SPARE_SHARE, STEP_PAGES, database_size, shrink
from tests.keeping.attic import DAY, Attic
from tests.outbox.yard import count


def pragma(database: Database, name: str) -> int:
    with database.read() as session:
        return int(session.execute(text(f"PRAGMA {name}")).scalar_one())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_sqlite_file_shrinks_after_much_was_forgotten(attic: Attic, tmp_path: Path) -> None:
    for _ in range(300):
        attic.record(body=b"x" * 40_000)
    size = (tmp_path / "bridge.db").stat().st_size + (tmp_path / "bridge.db-wal").stat().st_size
    assert size > 12_000_000
    attic.clock.advance(7 * DAY)
    attic.run()
    pages, free = pragma(attic.database, "page_count"), pragma(attic.database, "freelist_count")
    assert free <= pages // SPARE_SHARE
    with attic.database.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    assert (tmp_path / "bridge.db").stat().st_size < 1_000_000
    with attic.database.read() as session:
        assert session.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_is_given_back_in_small_steps(attic: Attic) -> None:
    for _ in range(100):
        attic.record(body=b"x" * 40_000)
    with attic.database.write() as session:
        session.execute(text("DELETE FROM event"))
    sizes = [pragma(attic.database, "page_count")]
    more = True
    while more:
        with attic.database.write() as session:
            more = shrink(session)
        sizes.append(pragma(attic.database, "page_count"))
    # And now and then one of the pages that say where pages are.
    assert all(0 <= before - after <= STEP_PAGES + 10 for before, after in pairwise(sizes))
    assert sizes[0] / STEP_PAGES < len(sizes) < 20  # the tenth that stays free is less each time


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_does_it_by_itself(database: Database) -> None:
    with database.write() as session:
        assert not shrink(session)


def test_the_size_tells_rows_and_bytes(attic: Attic) -> None:
    for _ in range(5):
        attic.record()
    if not attic.database.is_sqlite:
        with attic.database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE event"))
    size = database_size(attic.database)
    (event,) = [table for table in size.tables if table.name == "event"]
    assert event.rows == count(attic.database, "event") == 5
    assert size.bytes > 0
    if attic.database.is_sqlite:
        assert (event.bytes, size.free) == (None, 0)
        assert size.tables[0] == event
    else:
        assert size.free is None
        assert event.bytes is not None
        assert event.bytes > 0
