"""A copy taken while the database is written to is whole, of one moment, and can be restored."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from bridge.audit.notes import AuditEntry
from bridge.audit.seal import seal
from bridge.audit.verify import verify
from bridge.database import Database, open_database
from bridge.keeping.backup import BackupFailed, back_up
from tests.admin.desk import SIGNER
from tests.fakes import FakeClock
from tests.outbox.yard import NOTES, count, owe
from tests.postgres import PostgresServer, client_program

TABLES = ("event", "delivery", "lane", "audit_entry", "audit_seal")
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
postgresql_only = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def copy(database: Database, file: Path, *, replace: bool = False, pg_dump: str | None = None) -> int:
    program = None if database.is_sqlite else pg_dump or client_program("pg_dump")
    return back_up(database, file, replace=replace, progress=lambda done, whole: None, pg_dump=program)


@contextmanager
def restored(database: Database, file: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """As README says."""
    if database.is_sqlite:
        opened = open_database(f"sqlite:///{file}")
        yield opened
        opened.close()
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.new_database() as url:
        command = [client_program("pg_restore"), "--no-owner", "--exit-on-error", f"--dbname={url}", str(file)]
        subprocess.run(command, check=True)
        opened = open_database(url)
        yield opened
        opened.close()


def fill(database: Database, clock: FakeClock) -> None:
    for number in range(5):
        owe(database, clock.now(), subject=f"record:Item/{number}")
        with database.write() as session:
            entry = AuditEntry(actor="cli:tests", action="event.recorded", subject=f"record:Item/{number}")
            NOTES.write(session, [entry], clock.now())
    clock.advance(3600)  # what may still be written beside it is not sealed
    with database.write() as session:
        seal(session, SIGNER, now=clock.now())


def test_a_copy_is_restored_with_every_row_and_its_audit_holds(
    database: Database, clock: FakeClock, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    fill(database, clock)
    file = tmp_path / "copies.backup"
    size = copy(database, file)
    assert file.stat().st_size == size > 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.glob("*copies*")) == [file.name]
    with restored(database, file, request) as again:
        assert [count(again, table) for table in TABLES] == [count(database, table) for table in TABLES]
        with again.read() as session:
            found = verify(session, trusted={SIGNER.public_key})
        assert (found.problem, found.sealed) == (None, count(database, "audit_seal"))
        assert found.sealed > 0


@sqlite_only
def test_a_copy_taken_under_writes_is_of_one_moment_and_comes_to_an_end(
    database: Database, database_url: str, clock: FakeClock, tmp_path: Path
) -> None:
    with database.write() as session:  # so that the copy takes many steps
        session.execute(text("CREATE TABLE ballast (body BLOB)"))
        session.execute(text("INSERT INTO ballast SELECT randomblob(1000000) FROM sqlite_schema LIMIT 30"))
    owe(database, clock.now())
    ends, steps = threading.Event(), list[tuple[int, int]]()
    other = open_database(database_url)  # another connection, as another process has

    def write() -> None:
        while not ends.is_set():
            owe(other, clock.now())

    def progress(done: int, whole: int) -> None:
        steps.append((done, whole))
        assert len(steps) < 100, "it begins anew with every write"
        before = count(database, "event")
        while count(database, "event") == before and writer.is_alive():  # each step is overtaken by a write
            pass

    writer = threading.Thread(target=write)
    writer.start()
    try:
        back_up(database, tmp_path / "copy.db", replace=False, progress=progress)
    finally:
        ends.set()
        writer.join()
        other.close()
    assert [done for done, _ in steps] == sorted(done for done, _ in steps), "it never began anew"
    assert len(steps) > 5
    assert len({whole for _, whole in steps}) == 1
    copied = open_database(f"sqlite:///{tmp_path / 'copy.db'}")
    assert 0 < count(copied, "event") == count(copied, "delivery") < count(database, "event")
    copied.close()


def test_a_file_that_is_there_is_kept_unless_told(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "copy"
    file.write_text("precious")
    with pytest.raises(BackupFailed, match="--force"):
        copy(database, file)
    assert file.read_text() == "precious"
    copy(database, file, replace=True)
    assert file.read_bytes() != b"precious"
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("into", ["no/such/folder/copy", "a-file/copy"])
def test_a_folder_that_cannot_be_written_to_is_named(database: Database, tmp_path: Path, into: str) -> None:
    (tmp_path / "a-file").write_text("")
    with pytest.raises(BackupFailed, match="cannot be written to"):
        copy(database, tmp_path / into)


@sqlite_only
def test_a_damaged_copy_is_not_kept(database: Database, clock: FakeClock, tmp_path: Path) -> None:
    for _ in range(200):
        owe(database, clock.now())
    with database.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    database.close()
    raw = bytearray((tmp_path / "bridge.db").read_bytes())
    middle = len(raw) // 2 // 4096 * 4096
    raw[middle : middle + 8192] = b"\xff" * 8192
    (tmp_path / "bridge.db").write_bytes(raw)
    with pytest.raises(BackupFailed, match="damaged"):
        copy(database, tmp_path / "copy.db")
    assert list(tmp_path.glob("*copy.db*")) == []


@postgresql_only
def test_the_password_is_in_no_command_line(database_url: str, tmp_path: Path) -> None:
    spying = tmp_path / "spying_pg_dump"
    spying.write_text(
        '#!/bin/sh\nfor word; do echo "$word"; done > "$(dirname "$0")/said"\n'
        'file=$(sed -n "s/.*passfile=\\([^&]*\\).*/\\1/p" "$(dirname "$0")/said" | sed "s/%2F/\\//g")\n'
        'cat "$file" > "$(dirname "$0")/passed"; stat -c %a "$file" >> "$(dirname "$0")/passed"\n'
    )
    spying.chmod(0o700)
    database = open_database(database_url.replace("bridge@", "bridge:pa%3Ass%5Cword@"))
    copy(database, tmp_path / "copy", pg_dump=str(spying))
    database.close()
    said, passed = (tmp_path / "said").read_text(), (tmp_path / "passed").read_text()
    assert re.search(r"--dbname=postgresql://bridge@127\.0\.0\.1:\d+/", said)
    assert "pa:" not in said
    assert passed == "*:*:*:*:pa\\:ss\\\\word\n600\n"


@postgresql_only
@pytest.mark.parametrize(
    ("program", "told"), [("no-such-pg-dump", "install PostgreSQL's client programs"), ("false", "pg_dump failed")]
)
def test_without_pg_dump_it_says_how(database: Database, tmp_path: Path, program: str, told: str) -> None:
    with pytest.raises(BackupFailed, match=told):
        copy(database, tmp_path / "copy", pg_dump=program)
    assert list(tmp_path.glob("*copy*")) == []
