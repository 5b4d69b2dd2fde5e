"""Puts a year of work into a database, in bulk. It may not measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import Table, bindparam, func, select, text, update
from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.tables import EventRow, LaneRow, PurgeRow, RejectionRow, ReplayRow, core
from tests.admin.stock import id_at
from tests.bench.year import Row, Year

BATCH = 10_000
_REJECTIONS = 100_000
_REPLAYS = 10_000
_PURGES = 2_000


def fill(database: Database, events: int, *, now: datetime, told: Callable[[str], None]) -> None:
    """Bring an empty database to `events` events, the newest at `now`; one that has as many already stays as it is.

    Raises ValueError where it has some, but fewer.
    """
    with database.read() as session:
        there = int(session.scalar(select(func.count()).select_from(core(EventRow))) or 0)
    if 0 < there < events:
        raise ValueError(f"the database has {there} events: give an empty one, or one with {events} or more")
    if there:
        return
    year = Year(events, now)
    for number, rows in enumerate(year.batches(BATCH), start=1):
        with database.write() as session:
            for row, values in rows.items():
                _load(session, core(row), values)
        if number % 10 == 0:
            told(f"{number * BATCH} events")
    with database.write() as session:
        moved = [
            {"of": one["lane_id"], **{name: one[name] for name in ("last_seq", "head_seq", "due_at")}}
            for one in year.lanes.values()
        ]
        session.connection().execute(_LANE_IS, moved)
        _load(session, core(RejectionRow), _rejections(now))
        _load(session, core(ReplayRow), _replays(now))
        _load(session, core(PurgeRow), _purges(now))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE"))


_LANE_IS = (
    update(core(LaneRow))
    .where(core(LaneRow).c.lane_id == bindparam("of"))
    .values({name: bindparam(name) for name in ("last_seq", "head_seq", "due_at")})
)


def _load(session: Session, table: Table, rows: Iterable[Row]) -> None:
    """What the driver takes fastest: SQLAlchemy alone would need an hour."""
    values = list(rows)
    if not values:
        return
    columns = [table.c[name] for name in values[0]]
    dialect = session.get_bind().dialect
    binds = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    tuples = [
        [
            row[column.name] if bind is None else bind(row[column.name])
            for column, bind in zip(columns, binds, strict=True)
        ]
        for row in values
    ]
    names = ", ".join(column.name for column in columns)
    driver: Any = session.connection().connection.driver_connection
    if dialect.name == "sqlite":
        places = ", ".join("?" * len(columns))
        driver.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({places})", tuples)
        return
    with driver.cursor().copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
        for one in tuples:
            copy.write_row(one)


def _rejections(now: datetime) -> Sequence[Row]:
    rng = Random(8)
    moments = [now - timedelta(minutes=5) * number for number in range(_REJECTIONS)]
    causes = ("signature-wrong", "too-large", "not-json", "rate")
    return [
        {
            "id": id_at(at, rng),
            "at": at,
            "source": rng.choice(("genesys", "engage")),
            "cause": rng.choice(causes),
            "status": 401,
            "address": "192.0.2.1",
            "size": 512,
        }
        for at in moments
    ]


def _replays(now: datetime) -> Sequence[Row]:
    rng = Random(9)
    moments = [now - timedelta(minutes=50) * number for number in range(_REPLAYS)]
    return [
        {
            "id": id_at(at, rng),
            "created_at": at,
            "finished_at": at,
            "created_by": "cli:eva",
            "reason": "the receiver was down",
            "filter": {"destination": "erp", "state": "dead"},
            "mode": "latest",
            "rate": 50.0,
            "state": "completed",
            "matched": 0,
        }
        for at in moments
    ]


def _purges(now: datetime) -> Sequence[Row]:
    rng = Random(10)
    moments = [now - timedelta(hours=4) * number for number in range(_PURGES)]
    return [
        {
            "id": id_at(at, rng),
            "state": "cancelled",
            "policy": {"interactionType": "chat", "reason": "retention has ended"},
            "interaction_type": "chat",
            "range_start": at - timedelta(days=800),
            "range_end": at - timedelta(days=799),
            "planned_at": at,
            "planner": "eva",
            "cancelled_at": at,
        }
        for at in moments
    ]
