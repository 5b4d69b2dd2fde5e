"""The migrations, on both databases: what they build, and what may happen to them on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from bridge import migrate
from bridge.clock import SystemClock, new_id
from bridge.database import Base, Database, open_database
from bridge.errors import ConfigurationError
from bridge.tables import AuditEntryRow

MIGRATIONS = Path(__file__).parent.parent / "migrations"

#: What a database is made of, a row each, without the order of columns, the triggers and the note of the revision.
SQLITE_SCHEMA = "SELECT sql FROM sqlite_master WHERE type <> 'trigger' AND tbl_name <> 'alembic_version'"
POSTGRESQL_SCHEMA = """
SELECT concat_ws(' ', 'column', table_name, column_name, data_type, character_maximum_length, is_nullable,
                 column_default, is_identity)
  FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
UNION ALL
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""

#: Migrates the database named by its first argument; halfway it does what the second one says.
CHILD = """
import os, signal, sys
from sqlalchemy import event
from bridge import migrate
from bridge.database import open_database

database = open_database(sys.argv[1])

@event.listens_for(database.engine, "before_cursor_execute")
def halfway(connection, cursor, statement, *rest):
    if "CREATE TABLE delivery" in statement:
        if sys.argv[2] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[2] == "wait":
            print("halfway", flush=True)
            sys.stdin.readline()

migrate.current(database)
print("ready", flush=True)
sys.stdin.readline()
migrate.upgrade(database)
"""


@pytest.fixture
def empty_database(empty_database_url: str) -> Iterator[Database]:
    database = open_database(empty_database_url)
    yield database
    database.close()


def test_a_database_comes_up_from_nothing(empty_database: Database) -> None:
    assert migrate.current(empty_database) is None
    assert not migrate.is_current(empty_database)
    migrate.upgrade(empty_database)
    assert migrate.current(empty_database) == migrate.head()
    assert migrate.is_current(empty_database)
    assert migrate.check(empty_database) == []


def test_the_migrations_build_what_the_models_say(empty_database: Database) -> None:
    Base.metadata.create_all(empty_database.engine)
    wanted = _schema(empty_database)
    Base.metadata.drop_all(empty_database.engine)
    migrate.upgrade(empty_database)
    assert _schema(empty_database) == wanted


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    before = _schema(database)
    migrate.upgrade(database)
    assert _schema(database) == before


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"])
def test_an_audit_entry_can_be_neither_changed_nor_removed(database: Database, statement: str) -> None:
    entry = AuditEntryRow(
        id=new_id(), at=SystemClock().now(), actor="worker", action="event.recorded", subject="s", details={}
    )
    with database.write() as session:
        session.add(entry)
    with pytest.raises(IntegrityError, match="append-only"), database.write() as session:
        session.execute(text(statement))
    with database.read() as session:
        assert session.scalars(text("SELECT actor FROM audit_entry")).all() == ["worker"]


def test_processes_that_upgrade_at_once_go_one_after_the_other(empty_database_url: str) -> None:
    with _child(empty_database_url, "wait") as first, _child(empty_database_url, "go on") as second:
        _tell(first)
        assert _hear(first) == "halfway"
        _tell(second)
        with pytest.raises(subprocess.TimeoutExpired):  # it waits for the first one
            second.wait(0.5)
        _tell(first)
        assert [first.wait(30), second.wait(30)] == [0, 0]
    _assert_is_whole(empty_database_url)


def test_an_upgrade_killed_halfway_leaves_nothing_and_can_be_run_again(empty_database_url: str) -> None:
    with _child(empty_database_url, "die") as child:
        _tell(child)
        assert child.wait(30) == -signal.SIGKILL
    database = open_database(empty_database_url)
    assert inspect(database.engine).get_table_names() == []
    migrate.upgrade(database)
    database.close()
    _assert_is_whole(empty_database_url)


def test_a_database_that_a_newer_version_migrated_is_left_alone(database: Database) -> None:
    _stamp(database, "9999")
    assert migrate.is_current(database)
    migrate.upgrade(database)
    assert migrate.current(database) == "9999"


def test_a_database_of_another_program_is_refused(database: Database) -> None:
    _stamp(database, "ae1027a6acf1")
    assert not migrate.is_current(database)
    with pytest.raises(ConfigurationError, match="revision ae1027a6acf1"):
        migrate.upgrade(database)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("DROP INDEX event_by_type", "index event_by_type of table event is missing"),
        ("CREATE INDEX planted ON lane (last_seq)", "index planted of table lane is not known"),
        ("ALTER TABLE event DROP COLUMN caused_by", "column event.caused_by is missing"),
        ("ALTER TABLE event ADD COLUMN planted INTEGER", "column event.planted is not known"),
        ("DROP TABLE attempt", "table attempt is missing"),
        ("DROP TRIGGER audit_entry_refuses_delete", "trigger audit_entry_refuses_delete is missing"),
    ],
)
def test_a_planted_difference_is_found(database: Database, change: str, sentence: str) -> None:
    if "TRIGGER" in change and not database.is_sqlite:
        change += " ON audit_entry"
    with database.write() as session:
        session.execute(text(change))
    assert migrate.check(database) == [sentence]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("DROP CONSTRAINT event_state", "CHECK event_state of table event is missing"),
        ("ADD CONSTRAINT planted CHECK (duplicates < 9)", "CHECK planted of table event is not known"),
        ("ALTER COLUMN version SET NOT NULL", "column event.version: nullable is False, should be True"),
        ("ALTER COLUMN source TYPE text", "column event.source: type is TEXT, should be VARCHAR(64)"),
        ("DROP CONSTRAINT event_content_key_key", "constraint on content_key of table event is missing"),
    ],
)
def test_a_planted_difference_that_sqlite_cannot_have_is_found(database: Database, change: str, sentence: str) -> None:
    with database.write() as session:
        session.execute(text(f"ALTER TABLE event {change}"))
    assert migrate.check(database) == [sentence]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_trigger_that_is_switched_off_counts_as_missing(database: Database) -> None:
    with database.write() as session:
        session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_refuses_update"))
    assert migrate.check(database) == ["trigger audit_entry_refuses_update is missing"]


def test_a_table_that_is_not_ours_is_no_difference(database: Database) -> None:
    with database.write() as session:
        session.execute(text("CREATE TABLE somebody_elses (id INTEGER)"))
    assert migrate.check(database) == []


def test_revisions_and_their_files_are_numbered_without_a_gap() -> None:
    revisions = list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())[::-1]
    numbers = [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert [revision.revision for revision in revisions] == numbers
    assert [revision.down_revision for revision in revisions] == [None, *numbers[:-1]]
    assert [Path(revision.path).name[:5] for revision in revisions] == [f"{number}_" for number in numbers]
    assert migrate.head() == numbers[-1]


def _schema(database: Database) -> list[str]:
    """One line per column, rule and index, sorted."""
    query = SQLITE_SCHEMA if database.is_sqlite else POSTGRESQL_SCHEMA
    with database.engine.connect() as connection:
        parts = [part for part in connection.execute(text(query)).scalars() if part is not None]
    return sorted(line.strip() for part in parts for line in _lines(part))


def _lines(statement: str) -> list[str]:
    """A statement without the order, and the way of writing, of what it lists: a column may have been added later."""
    lines, depth = [""], 0
    for character in statement:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character in "(," and depth == 1:
            lines.append("")
        else:
            lines[-1] += character
    lines[-1] = lines[-1].rstrip().removesuffix(")")
    return [" ".join(line.split()) for line in lines]


def _child(url: str, halfway: str) -> subprocess.Popen[str]:
    """A process that has imported everything and upgrades when it is told to."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, url, halfway], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert _hear(child) == "ready"
    return child


def _hear(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def _tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def _stamp(database: Database, revision: str) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def _assert_is_whole(url: str) -> None:
    database = open_database(url)
    assert migrate.is_current(database)
    assert migrate.check(database) == []
    database.close()
