"""Brings a database to this version's tables and says whether it is there. It may not read or change a row.

Alembic is imported where it is needed: a web process and a worker only ask `is_current`, and it would cost each of
them 9 MB and a tenth of a second.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from bridge.database import Database
from bridge.errors import ConfigurationError

_LOCK = int.from_bytes(b"bridgedb")  # any constant of 63 bits


def upgrade(database: Database, *, to: str = "head") -> None:
    """Apply every migration that is missing up to `to`, in one transaction: all of them or, after a crash, none.

    Processes that upgrade at the same time go one after the other. A database that a newer version of the bridge
    has migrated is left as it is. Raises ConfigurationError where the database's revision is not one of ours.
    """
    with database.write() as session:  # on SQLite the lock: it begins IMMEDIATE
        connection = session.connection()
        if not database.is_sqlite:
            _wait_for_turn(connection)
        revision = _revision(connection)
        if revision is None or not _is_newer(revision):
            _run(connection, revision, to)


def current(database: Database) -> str | None:
    """The revision that the database is at; None before the first migration."""
    with database.engine.connect() as connection:
        return _revision(connection)


@cache
def head() -> str:
    """The newest revision that this version of the bridge knows."""
    return max(path.name for path in _folder().glob("versions/[0-9]*.py"))[:4]


def is_current(database: Database) -> bool:
    """True where the database has every migration that this version knows.

    A database that is ahead counts as well: while a new version is rolled out, the processes of the old one go on.
    """
    revision = current(database)
    return revision is not None and (revision == head() or _is_newer(revision))


def check(database: Database) -> list[str]:
    """What differs between the database and the tables, a sentence each (see `differences`); empty: nothing."""
    from bridge.differences import differences

    with database.engine.connect() as connection:
        return list(differences(connection))


def _run(connection: Connection, revision: str | None, to: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    try:
        command.upgrade(config, to)
    except CommandError as exc:
        raise ConfigurationError(
            [
                f"DATABASE_URL: the database is at revision {revision}, which is not one of this bridge's; "
                "name a database of its own"
            ]
        ) from exc


def _wait_for_turn(connection: Connection) -> None:
    """Take the migration lock for the rest of the transaction, however long its holder needs."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    # From here on give up rather than queue behind a long transaction: everybody else would queue behind us.
    connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _is_newer(revision: str) -> bool:
    # Revisions are numbered with four digits, so that a version can place one that it has never heard of.
    return revision.isdigit() and revision > head()


def _folder() -> Path:
    package = Path(__file__).parent
    in_wheel = package / "_migrations"
    return in_wheel if in_wheel.is_dir() else package.parent / "migrations"
