"""The engine, its dialect settings, sessions and column types. It may not know any table of the bridge."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import DateTime, Dialect, Engine, Table, Text, TypeDecorator, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Session

from bridge.clock import Clock
from bridge.errors import ConfigurationError

try:
    import pysqlite3 as _sqlite
except ImportError:  # no wheel for this platform: the standard library's serves, see `sqlite_is_affected`
    _sqlite = sqlite3

BUSY_TIMEOUT_SECONDS = 10
#: A reading of the database's clock that took longer than this tells too little.
SLOW_READING_SECONDS = 0.5
#: PostgreSQL settings without which an acknowledged commit may be lost (PostgreSQL manual, chapter 30, "Reliability").
DURABLE_POSTGRES = ("fsync", "full_page_writes", "synchronous_commit")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime on every dialect: SQLite drops the zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored: say which zone it is in")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A JSON value as text, keys in the order given: JSONB would reorder them and refuse U+0000."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


class JsonOrNothing(Json):
    """A JSON value, or None as the empty text: a process of an older version must fail on it, not take it for null."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return super().process_bind_param(value, dialect) or ""

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return super().process_result_value(value or None, dialect)


class Base(DeclarativeBase):
    """What every table of the bridge derives from."""

    type_annotation_map = {datetime: UtcDateTime}  # noqa: RUF012 (SQLAlchemy reads it as a plain attribute)


@dataclass(frozen=True)
class Database:
    """One database: its engine, and the two ways to open a session on it."""

    engine: Engine
    _writer: Engine = field(repr=False)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that may write; commits at the end, rolls back on any exception.

        On SQLite it begins IMMEDIATE: a deferred transaction that upgrades fails at once instead of waiting.
        """
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading one consistent snapshot (SQLite) or statement by statement (PostgreSQL)."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def open_database(url: str, *, pool_size: int = 8) -> Database:
    """The database at `url`, with durable settings for its dialect; nothing is connected yet.

    `url` may begin with `sqlite:///`, `postgres://`, `postgresql://` or `postgresql+psycopg://`.
    Raises ConfigurationError where it is none of them.
    """
    parsed = _normalised(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, module=_sqlite, pool_size=pool_size, max_overflow=8, hide_parameters=True)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return Database(engine, engine.execution_options(bridge_begin="BEGIN IMMEDIATE"))
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=8,
        pool_pre_ping=True,
        hide_parameters=True,  # they hold personal data, and would stand in every error
        connect_args={
            "connect_timeout": 5,
            # A server that lost its power says nothing: without these, whoever waits for its answer waits two hours.
            "keepalives_idle": 5,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            "application_name": "genesys-bridge",
            "options": "-c timezone=UTC -c statement_timeout=30s -c lock_timeout=10s"
            " -c idle_in_transaction_session_timeout=60s",
        },
    )
    return Database(engine, engine)


def check_durability(database: Database, *, allow_unsafe: bool = False) -> None:
    """Raise ConfigurationError where the server could lose an acknowledged commit, unless told to accept it."""
    if database.is_sqlite or allow_unsafe:
        return
    with database.engine.connect() as connection:
        off = [name for name in DURABLE_POSTGRES if connection.execute(text(f"SHOW {name}")).scalar_one() == "off"]
    if off:
        raise ConfigurationError(
            f"DATABASE_URL: PostgreSQL runs with {name} = off, which loses acknowledged events on a crash; "
            "switch it on, or set BRIDGE_ALLOW_UNSAFE_DATABASE=1 if you accept that"
            for name in off
        )


def upsert(session: Session, table: Table) -> sqlite.Insert | postgresql.Insert:
    """The session's dialect's INSERT into `table`, which knows ON CONFLICT."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    return insert(table)


def sqlite_module() -> ModuleType:
    """The SQLite driver in use: pysqlite3 with its own SQLite where installed, else the standard library's."""
    module: ModuleType = _sqlite
    return module


def sqlite_is_affected(version: tuple[int, ...]) -> bool:
    """True for the SQLite versions whose WAL can be corrupted by several writers and checkpointers.

    Source: https://sqlite.org/wal.html#walresetbug (3.7.0 to 3.51.2).
    """
    return (3, 7, 0) <= version <= (3, 51, 2)


class DatabaseClock:
    """The database's clock, read at intervals and carried on by this process's monotonic clock.

    So leases taken on different machines are compared on one clock, and a jump of this machine's wall clock moves
    nothing. On SQLite the database's clock is this machine's. While the database does not answer, the last reading is
    carried on: at most one who asks for the time waits for an answer, and nobody fails once there was a first one.
    """

    def __init__(self, database: Database, clock: Clock, *, resync_seconds: float = 10.0) -> None:
        self._database = database
        self._clock = clock
        self._resync_seconds = resync_seconds
        self._lock = threading.Lock()
        self._read_again_at = float("-inf")
        #: What the database said, and when on the monotonic clock.
        self._reading: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """The current time, aware, in UTC. Raises SQLAlchemyError where the database was never heard yet."""
        due = self._clock.monotonic() >= self._read_again_at
        if due and self._lock.acquire(blocking=self._reading is None):
            try:
                self._read_unless_just_done()
            finally:
                self._lock.release()
        assert self._reading is not None
        moment, read_at = self._reading
        return moment + timedelta(seconds=self._clock.monotonic() - read_at)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def _read_unless_just_done(self) -> None:
        asked_at = self._clock.monotonic()
        if asked_at < self._read_again_at:
            return
        try:
            moment = self._ask()
        except SQLAlchemyError:
            if self._reading is None:
                raise
        else:
            answered_at = self._clock.monotonic()
            # An answer that was long on its way is old, and by it every lease would seem to last longer than it does.
            if self._reading is None or answered_at - asked_at <= SLOW_READING_SECONDS:
                self._reading = moment, answered_at
        self._read_again_at = self._clock.monotonic() + self._resync_seconds

    def _ask(self) -> datetime:
        if self._database.is_sqlite:
            return self._clock.now()
        with self._database.engine.connect() as connection:
            moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return moment.astimezone(UTC)


def _normalised(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as exc:  # ValueError: the port is not a number
        raise ConfigurationError(
            ["DATABASE_URL: this is not a database URL; use sqlite:///… or postgresql://…"]
        ) from exc
    if parsed.get_backend_name() == "sqlite":
        return parsed
    if parsed.get_backend_name() in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ConfigurationError(
        [f"DATABASE_URL: {parsed.get_backend_name()} is not supported; use sqlite:///… or postgresql://…"]
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: `_begin_sqlite` says how
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    if cursor.execute("PRAGMA page_count").fetchone() == (0,):
        # Only takes effect before the first page; later it would wait for the write lock on every new connection.
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # WAL with NORMAL lost 101 of 600 acknowledged commits on power loss, FULL none
        "foreign_keys = ON",
        "secure_delete = FAST",  # a key that was destroyed is overwritten, not only unlinked
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("bridge_begin", "BEGIN"))
