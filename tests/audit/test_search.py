"""Looking audit entries up."""

from __future__ import annotations

import pytest

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.audit.search import AuditFilter, get_entry, list_entries
from bridge.database import Database
from bridge.errors import NotFound
from bridge.privacy.masking import Masking
from tests.fakes import FakeClock

ANY = AuditFilter()
ENTRIES = [
    AuditEntry("genesys", "event.recorded", "record:Item/1"),
    AuditEntry("worker", "delivery.delivered", "record:Item/1"),
    AuditEntry("genesys", "event.recorded", "record:Item/2"),
    AuditEntry("cli:jd", "replay.created", "replay:r1", "ERP was down"),
]


@pytest.fixture
def filled(database: Database, clock: FakeClock) -> Database:
    """ENTRIES, a minute apart."""
    notes = AuditNotes(Masking([], b"k" * 32))
    for entry in ENTRIES:
        with database.write() as session:
            notes.write(session, [entry], clock.now())
        clock.advance(60)
    return database


def test_entries_come_newest_first_and_at_most_so_many(filled: Database) -> None:
    with filled.read() as session:
        assert [row.subject for row in list_entries(session, ANY).rows] == [
            entry.subject for entry in reversed(ENTRIES)
        ]
        assert [row.action for row in list_entries(session, ANY, limit=2).rows] == ["replay.created", "event.recorded"]


def test_pages_go_on_where_the_last_one_ended(filled: Database) -> None:
    with filled.read() as session:
        first = list_entries(session, ANY, limit=3).rows
        second = list_entries(session, ANY, limit=3, before_id=first[-1].id).rows
    assert [row.subject for row in (*first, *second)] == [entry.subject for entry in reversed(ENTRIES)]


def test_filters_hold_together(filled: Database) -> None:
    with filled.read() as session:
        assert len(list_entries(session, AuditFilter(actor="genesys")).rows) == 2
        assert len(list_entries(session, AuditFilter(action="event.recorded", subject="record:Item/2")).rows) == 1
        assert list_entries(session, AuditFilter(actor="worker", action="event.recorded")).rows == []


def test_since_is_within_the_range_and_until_is_not(filled: Database) -> None:
    start = FakeClock()
    start.advance(60)
    since = start.now()
    start.advance(120)
    with filled.read() as session:
        found = list_entries(session, AuditFilter(since=since, until=start.now())).rows
    assert [row.subject for row in found] == ["record:Item/2", "record:Item/1"]


def test_one_entry_is_found_by_its_id(filled: Database) -> None:
    with filled.read() as session:
        newest = list_entries(session, ANY, limit=1).rows[0]
        assert get_entry(session, newest.id).reason == "ERP was down"
        with pytest.raises(NotFound):
            get_entry(session, "019dac4b-0000-7000-8000-000000000000")
