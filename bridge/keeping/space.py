"""How much room the tables take, and giving it back. It may not remove a row."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

import bridge.tables  # noqa: F401 (fills the metadata)
from bridge.database import Base, Database

#: Pages of a SQLite file given back in one transaction: 1 MiB to move at most.
STEP_PAGES: Final = 250
#: One page of so many stays free for what comes next: a file that shrinks and grows all the time is written twice.
SPARE_SHARE: Final = 10
_INCREMENTAL: Final = 2


@dataclass(frozen=True, kw_only=True)
class TableSize:
    name: str
    #: On PostgreSQL the server's estimate: counting a large table takes minutes.
    rows: int
    #: With its indexes; None on SQLite, which does not tell.
    bytes: int | None


@dataclass(frozen=True, kw_only=True)
class DatabaseSize:
    #: The largest first.
    tables: list[TableSize]
    bytes: int
    #: Of them, what is free within the file; None on PostgreSQL.
    free: int | None


def database_size(database: Database) -> DatabaseSize:
    """The bridge's tables, and the database they are in."""
    with database.read() as session:
        return _sqlite_size(session) if database.is_sqlite else _postgresql_size(session)


def shrink(session: Session) -> bool:
    """Give back a step of what a SQLite file does not need, but for a tenth of it; False where nothing more is to give.

    PostgreSQL does it by itself.
    """
    if session.get_bind().dialect.name != "sqlite":
        return False
    pages, free, mode = (_pragma(session, name) for name in ("page_count", "freelist_count", "auto_vacuum"))
    surplus = free - pages // SPARE_SHARE
    if surplus <= 0 or mode != _INCREMENTAL:
        return False
    # Not by the session, which closes a cursor without columns: SQLite gives one page back per row it is asked for.
    with closing(session.connection().connection.cursor()) as cursor:
        cursor.execute(f"PRAGMA incremental_vacuum({min(surplus, STEP_PAGES)})")
        cursor.fetchall()
    return True


def _sqlite_size(session: Session) -> DatabaseSize:
    tables = [
        TableSize(name=table.name, rows=session.scalar(select(func.count()).select_from(table)) or 0, bytes=None)
        for table in Base.metadata.sorted_tables
    ]
    page = _pragma(session, "page_size")
    return DatabaseSize(
        tables=sorted(tables, key=lambda one: one.rows, reverse=True),
        bytes=page * _pragma(session, "page_count"),
        free=page * _pragma(session, "freelist_count"),
    )


def _postgresql_size(session: Session) -> DatabaseSize:
    rows = session.execute(_POSTGRESQL_SIZES, {"names": [table.name for table in Base.metadata.sorted_tables]})
    tables = [TableSize(name=row.name, rows=row.rows, bytes=row.bytes) for row in rows]
    return DatabaseSize(tables=tables, bytes=session.scalar(_POSTGRESQL_SIZE) or 0, free=None)


def _pragma(session: Session, name: str) -> int:
    return int(session.execute(text(f"PRAGMA {name}")).scalar_one())


_POSTGRESQL_SIZES = text(
    "SELECT relname AS name, n_live_tup AS rows, pg_total_relation_size(relid) AS bytes FROM pg_stat_user_tables"
    " WHERE schemaname = current_schema() AND relname = ANY(:names) ORDER BY bytes DESC, name"
)
_POSTGRESQL_SIZE = text("SELECT pg_database_size(current_database())")
