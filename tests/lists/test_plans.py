"""Every list finds its way through an index, whatever it is asked for, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from bridge.admin.search.deliveries import find_deliveries
from bridge.admin.search.delivery_ids import DeliveryFilter
from bridge.admin.search.events import EventFilter, find_events
from bridge.admin.search.pages import PageRequest
from bridge.admin.search.rejections import RejectionFilter, find_rejections
from bridge.admin.tokens import list_tokens
from bridge.audit.search import AuditFilter, list_entries
from bridge.clock import new_id
from bridge.commands.reading import list_commands
from bridge.commands.search import CommandFilter
from bridge.database import Database
from bridge.outbox.replay_progress import OrderedWithin, list_replays
from bridge.privacy.masking import Masking
from tests.admin.stock import SUBJECTS, TYPES, stock
from tests.fakes import VAULT, FakeClock

#: As long as the database is large; of the others there are never many.
LONG = ("event", "delivery", "attempt", "audit_entry", "audit_seal", "rejection", "lane")
MASKING = Masking([], b"a key for tests")
PAGE = PageRequest(examined=10)
Asked = Callable[[Session, datetime], object]


def spans(now: datetime) -> dict[str, datetime]:
    return {"since": now - timedelta(hours=5), "until": now - timedelta(hours=2)}


def events(**wanted: Any) -> Asked:
    return lambda session, now: find_events(session, EventFilter(**wanted), PAGE, masking=MASKING, vault=VAULT, now=now)


def deliveries(**wanted: Any) -> Asked:
    return lambda session, now: find_deliveries(session, DeliveryFilter(**wanted), PAGE, now=now)


def audit(**wanted: Any) -> Asked:
    return lambda session, now: list_entries(session, AuditFilter(**wanted), examined=10)


def rejections(**wanted: Any) -> Asked:
    return lambda session, now: find_rejections(session, RejectionFilter(**wanted), PAGE)


def commands(**wanted: Any) -> Asked:
    return lambda session, now: list_commands(session, CommandFilter(**wanted), examined=10)


ASKED: dict[str, Asked] = {
    "events": events(),
    "events by source": events(source="genesys"),
    "events by type": events(type=TYPES[0]),
    "events by subject": events(subject=SUBJECTS[0]),
    "events by text": events(text="nowhere"),
    "unreadable events": events(state="unreadable"),
    "events by source and type": events(source="engage", type=TYPES[1], state="recorded"),
    "events of a time": lambda session, now: events(**spans(now))(session, now),
    "deliveries": deliveries(),
    "deliveries by destination": deliveries(destination="erp"),
    "dead deliveries": deliveries(state="dead"),
    "pending deliveries": deliveries(state="pending", destination="erp"),
    "deliveries being sent": deliveries(state="sending"),
    "deliveries by type": deliveries(type=TYPES[0]),
    "deliveries by subject": deliveries(subject=SUBJECTS[0], state="dead"),
    "deliveries by event": deliveries(event_id=new_id()),
    "deliveries by status": deliveries(status=599),
    "deliveries by error": deliveries(error_class="timeout", destination="erp"),
    "deliveries of a time": lambda session, now: deliveries(**spans(now), state="dead")(session, now),
    "audit": audit(),
    "audit by action": audit(action="delivery.dead"),
    "audit by person": audit(actor="cli:eva"),
    "audit by person and action": audit(actor="cli:eva", action="replay.created"),
    "audit by machine": audit(actor="worker"),
    "audit by subject": audit(subject=SUBJECTS[0]),
    "audit of a time": lambda session, now: audit(**spans(now))(session, now),
    "rejections": rejections(),
    "rejections by cause": rejections(cause="none", source="genesys"),
    "commands": commands(),
    "failed commands": commands(state="failed"),
    "commands by subject": commands(subject=SUBJECTS[0], operation="interaction.merge"),
    "replays": lambda session, now: list_replays(session, OrderedWithin(), before_id=new_id(), limit=50),
    "tokens": lambda session, now: list_tokens(session, before_id=new_id(), limit=50),
}


def test_no_list_walks_over_a_whole_table(database: Database, clock: FakeClock) -> None:
    stock(clock.now(), events=60).put(database)
    faults = []
    for name, asked in ASKED.items():
        with database.read() as session:
            with statements(database) as said:
                asked(session, clock.now())
            faults += [f"{name}: {step}" for one in said for step in plan(database, session, *one) if is_a_walk(step)]
    assert faults == []


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Every statement of the block with its parameters."""
    said: list[tuple[str, Any]] = []

    def hear(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        said.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(database.engine, "before_cursor_execute", hear)


def plan(database: Database, session: Session, statement: str, parameters: Any) -> list[str]:
    """The database's plan, a step a line. PostgreSQL would read few rows as they lie: it is told that this is dear."""
    connection = session.connection()
    if database.is_sqlite:
        return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    return [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)]


def is_a_walk(step: str) -> bool:
    """`SCAN event USING INDEX` and `Index Scan` go in order, and stop where the page is full."""
    words = step.split()
    if words[:1] == ["SCAN"]:
        return words[1] in LONG and "USING" not in words
    return "Seq Scan on" in step and step.split("Seq Scan on ")[1].split()[0] in LONG


@pytest.mark.parametrize("step", ["SCAN event", "->  Parallel Seq Scan on delivery later  (cost=0.00..1.01 rows=1)"])
def test_a_walk_would_be_seen(step: str) -> None:
    assert is_a_walk(step)
