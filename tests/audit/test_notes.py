"""Audit entries: masked, in order, in the caller's transaction, in one statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, select

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.database import Database
from bridge.privacy.masking import Masking
from bridge.tables import AuditEntryRow, ReplayRow
from tests.fakes import FakeClock


@pytest.fixture
def notes() -> AuditNotes:
    return AuditNotes(Masking(["attributes.*name*"], b"k" * 32))


def stored(database: Database) -> list[AuditEntryRow]:
    with database.read() as session:
        return list(session.scalars(select(AuditEntryRow).order_by(AuditEntryRow.id)))


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Every statement that touches rows, with how many parameter sets it was given, while the block runs."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        count = len(parameters) if isinstance(parameters, list) else 1
        if not statement.startswith("BEGIN"):
            seen.append(f"{statement.split('(')[0].strip()} × {count}")

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def test_an_entry_is_stored_as_given_where_nothing_in_it_is_personal(
    database: Database, clock: FakeClock, notes: AuditNotes
) -> None:
    entry = AuditEntry("cli:jd", "delivery.dead", "record:Item/7", "gave up", {"delivery": "d1", "attempts": 3})
    with database.write() as session:
        notes.write(session, [entry], clock.now())
    (row,) = stored(database)
    assert (row.actor, row.action, row.subject, row.reason) == ("cli:jd", "delivery.dead", "record:Item/7", "gave up")
    assert row.details == {"delivery": "d1", "attempts": 3}
    assert row.at == clock.now()


def test_subject_reason_and_details_are_masked(database: Database, clock: FakeClock, notes: AuditNotes) -> None:
    entry = AuditEntry(
        actor="token:t1",
        action="erasure.done",
        subject="contact:+4915123456789",
        reason="jane@example.com asked for it",
        details={"attributes": {"nickname2": "Janey"}, "note": "call +4915123456789", "token": "gbr_a_b"},
    )
    with database.write() as session:
        notes.write(session, [entry], clock.now())
    (row,) = stored(database)
    assert row.subject == "contact:+49******89"
    assert row.reason == "j***@example.com asked for it"
    assert row.details == {"attributes": {"nickname2": "J***"}, "note": "call +49******89", "token": "***"}


def test_a_plain_entry_is_stored_as_it_is(database: Database, clock: FakeClock, notes: AuditNotes) -> None:
    entry = AuditEntry("worker", "delivery.delivered", "record:Item/7", None, {"token": "of ours"}, plain=True)
    with database.write() as session:
        notes.write(session, [entry], clock.now())
    (row,) = stored(database)
    assert (row.subject, row.details) == ("record:Item/7", {"token": "of ours"})


def test_a_subject_that_tells_of_a_person_is_masked_though_the_entry_is_plain(
    database: Database, clock: FakeClock, notes: AuditNotes
) -> None:
    entry = AuditEntry("worker", "delivery.delivered", "contact:+4915123456789", None, {"status": 200}, plain=True)
    with database.write() as session:
        notes.write(session, [entry], clock.now())
    (row,) = stored(database)
    assert (row.subject, row.details) == ("contact:+49******89", {"status": 200})


def test_many_entries_are_one_statement_and_keep_their_order(
    database: Database, clock: FakeClock, notes: AuditNotes
) -> None:
    entries = [AuditEntry("genesys", "event.recorded", f"record:Item/{n}", plain=True) for n in range(300)]
    with statements(database) as seen, database.write() as session:
        notes.write(session, entries, clock.now())
    assert seen == ["INSERT INTO audit_entry × 300"]
    assert [row.subject for row in stored(database)] == [entry.subject for entry in entries]


def test_writing_flushes_nothing_that_waits_in_the_session(
    database: Database, clock: FakeClock, notes: AuditNotes
) -> None:
    waiting = ReplayRow(id="r1", created_at=clock.now(), created_by="cli:jd", reason="r", filter={}, mode="every")
    waiting.rate, waiting.state = 1.0, "running"
    with statements(database) as seen, database.write() as session:
        session.add(waiting)
        notes.write(session, [AuditEntry("worker", "replay.completed", "replay:r1")], clock.now())
        assert waiting in session.new
        assert seen == ["INSERT INTO audit_entry × 1"]


def test_no_entries_are_no_statement(database: Database, clock: FakeClock, notes: AuditNotes) -> None:
    with statements(database) as seen, database.write() as session:
        notes.write(session, [], clock.now())
    assert seen == []


def test_an_entry_goes_when_its_transaction_does(database: Database, clock: FakeClock, notes: AuditNotes) -> None:
    with database.write() as session:
        notes.write(session, [AuditEntry("worker", "delivery.dead", "record:Item/7")], clock.now())
        session.rollback()
    assert stored(database) == []


def test_a_subject_that_masking_makes_longer_still_fits(
    database: Database, clock: FakeClock, notes: AuditNotes
) -> None:
    subject = "record:" + "a@b.co " * 80
    with database.write() as session:
        notes.write(session, [AuditEntry("genesys", "event.recorded", subject)], clock.now())
    (row,) = stored(database)
    assert len(row.subject) == 600
    assert "a@b.co" not in row.subject
