"""The oldest of the audit is archived and removed, and what is left can still be verified."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from bridge.audit.anchor import Batch, anchor_of, batches_sealed_until, remove_batches
from bridge.audit.archive import ArchiveFile, write_archive
from bridge.audit.export import exported
from bridge.audit.signing import AuditSigner, signed_bytes
from bridge.audit.verify import ExternalHead, holds_until
from bridge.database import Database
from bridge.tables import AuditHeadRow
from tests.audit.test_chain import SIGNER, note, sealed, tamper, verified
from tests.fakes import FakeClock
from tests.outbox.yard import count


@pytest.fixture
def books(database: Database, clock: FakeClock) -> Database:
    """Three sealed batches of 4 entries each."""
    for _ in range(3):
        note(database, clock, 4)
        assert sealed(database, clock) is not None
    return database


def old(database: Database, clock: FakeClock) -> list[Batch]:
    with database.read() as session:
        return batches_sealed_until(session, clock.now(), most=100)


def removed(database: Database, clock: FakeClock, batches: int = 1, signer: AuditSigner = SIGNER) -> int:
    with database.write() as session:
        found = batches_sealed_until(session, clock.now(), most=batches)
        return remove_batches(session, found, signer, now=clock.now())


def head_at(database: Database, position: int) -> ExternalHead:
    with database.read() as session:
        query = text("SELECT hash FROM audit_seal WHERE position = :at")
        return ExternalHead(position=position, hash=bytes(session.execute(query, {"at": position}).scalar_one()).hex())


def problem(database: Database, external: ExternalHead | None = None) -> str:
    return verified(database, external).problem or ""


def test_what_is_left_holds_from_the_anchor_on(books: Database, clock: FakeClock) -> None:
    before = verified(books)
    assert removed(books, clock) == 4
    assert verified(books) == before
    assert (count(books, "audit_entry"), count(books, "audit_seal"), count(books, "audit_head")) == (8, 8, 2)
    assert removed(books, clock) == 4
    assert verified(books) == before
    assert count(books, "audit_anchor") == 1


def test_the_newest_batch_is_never_old_enough(books: Database, clock: FakeClock) -> None:
    clock.advance(10**9)
    assert [batch.last for batch in old(books, clock)] == [4, 8]
    removed(books, clock, 2)
    assert old(books, clock) == []
    note(books, clock, 4)
    assert sealed(books, clock) is not None
    assert verified(books).sealed == 16


def test_a_batch_is_as_old_as_its_seal(books: Database, clock: FakeClock) -> None:
    with books.read() as session:
        second = session.scalars(select(AuditHeadRow.at).where(AuditHeadRow.position == 8)).one()
        just_before = batches_sealed_until(session, second - timedelta(microseconds=1), most=100)
        then = batches_sealed_until(session, second, most=100)
    assert ([batch.last for batch in just_before], [batch.last for batch in then]) == ([4], [4, 8])


def test_without_an_anchor_no_entry_can_be_removed_and_with_one_only_those_before_it(
    books: Database, clock: FakeClock
) -> None:
    with pytest.raises(IntegrityError, match="append-only"), books.write() as session:
        session.execute(text("DELETE FROM audit_entry"))
    removed(books, clock)
    note(books, clock, 1)  # not sealed yet
    for which in ("", "WHERE id = (SELECT max(id) FROM audit_entry)", "WHERE id = (SELECT min(id) FROM audit_entry)"):
        with pytest.raises(IntegrityError, match="append-only"), books.write() as session:
            session.execute(text(f"DELETE FROM audit_entry {which}"))
    with pytest.raises(IntegrityError, match="append-only"), books.write() as session:
        session.execute(text("UPDATE audit_entry SET actor = 'x'"))
    assert count(books, "audit_entry") == 9


def test_an_anchor_that_was_moved_on_over_more_is_found(books: Database, clock: FakeClock) -> None:
    """With everything that its new place needs, but for the key."""
    removed(books, clock)
    tamper(
        books,
        "UPDATE audit_anchor SET position = 8, hash = (SELECT hash FROM audit_head WHERE position = 8)",
        "DELETE FROM audit_entry WHERE id IN (SELECT entry_id FROM audit_seal WHERE position <= 8)",
        "DELETE FROM audit_seal WHERE position <= 8",
        "DELETE FROM audit_head WHERE position <= 8",
    )
    assert "anchor at position 8 was moved" in problem(books)


def test_the_signature_of_a_head_does_not_make_it_an_anchor(books: Database, clock: FakeClock) -> None:
    tamper(
        books,
        "INSERT INTO audit_anchor SELECT position, at, hash, public_key, signature FROM audit_head WHERE position = 4",
        "DELETE FROM audit_entry WHERE id IN (SELECT entry_id FROM audit_seal WHERE position <= 4)",
        "DELETE FROM audit_seal WHERE position <= 4",
        "DELETE FROM audit_head WHERE position <= 4",
    )
    assert "anchor at position 4 was moved" in problem(books)


def test_an_anchor_of_somebody_elses_key_is_found(books: Database, clock: FakeClock) -> None:
    removed(books, clock, signer=AuditSigner(b"another key"))
    assert "not trusted" in problem(books)


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (["DELETE FROM audit_anchor"], "seal of position 1 is missing"),
        (["UPDATE audit_anchor SET hash = :zero"], "was moved or edited"),
        (["INSERT INTO audit_seal VALUES (3, 'x', :zero)"], "inserted before the anchor"),
        (["DELETE FROM audit_seal", "DELETE FROM audit_entry", "DELETE FROM audit_head"], "everything after"),
        (["DELETE FROM audit_seal WHERE position = 5"], "seal of position 5 is missing"),
        (["UPDATE audit_entry SET actor = 'x' WHERE id = (SELECT min(id) FROM audit_entry)"], "position 5 was edited"),
    ],
)
def test_what_is_done_around_the_anchor_is_found(
    books: Database, clock: FakeClock, attack: list[str], named: str
) -> None:
    removed(books, clock)
    zero = f"x'{bytes(32).hex()}'" if books.is_sqlite else f"'\\x{bytes(32).hex()}'::bytea"
    tamper(books, *(statement.replace(":zero", zero.replace(":", r"\:")) for statement in attack))
    assert named in problem(books)


def test_a_head_that_was_kept_elsewhere_counts_at_the_anchor_and_behind_it(books: Database, clock: FakeClock) -> None:
    heads = {position: head_at(books, position) for position in (2, 4, 8)}
    removed(books, clock)
    assert problem(books, heads[4]) == ""
    assert problem(books, heads[8]) == ""
    assert "kept elsewhere" in problem(books, ExternalHead(position=4, hash=heads[8].hash))
    assert "position 2 was archived" in problem(books, heads[2])


def test_the_archive_and_the_export_of_the_rest_are_one_chain(
    books: Database, clock: FakeClock, tmp_path: Path
) -> None:
    with books.read() as session:
        file = write_archive(tmp_path, first=1, last=8, lines=exported(session, SIGNER.public_key, upto=8))
    removed(books, clock, 2)
    archived = _lines(tmp_path, file)
    with books.read() as session:
        rest = [json.loads(line) for line in exported(session, SIGNER.public_key)]
    previous = bytes(32)
    for first, *lines in (archived, rest):
        assert first["after"]["hash"] == previous.hex()
        for line in lines:
            if "entry" in line:
                previous = hashlib.sha256(previous + signed_bytes(line["entry"])).digest()
                assert line["hash"] == previous.hex()
    assert [line["position"] for line in archived + rest if "position" in line] == list(range(1, 13))


def test_an_archive_is_private_and_whole_and_leaves_nothing_unfinished(books: Database, tmp_path: Path) -> None:
    with books.read() as session:
        file = write_archive(tmp_path, first=1, last=4, lines=exported(session, SIGNER.public_key, upto=4))
        again = write_archive(tmp_path, first=1, last=4, lines=exported(session, SIGNER.public_key, upto=4))
    assert again == file
    path = tmp_path / file.name
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".gz" or one.name.startswith(".")] == [file.name]
    assert path.stat().st_mode & 0o777 == 0o600
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256


def test_a_chain_that_does_not_hold_is_told_before_it_is_archived(books: Database) -> None:
    with books.read() as session:
        assert holds_until(session, 8).problem is None
    tamper(books, "UPDATE audit_entry SET actor = 'x' WHERE id = (SELECT entry_id FROM audit_seal WHERE position = 3)")
    with books.read() as session:
        assert "position 3 was edited" in (holds_until(session, 8).problem or "")


def test_two_that_remove_the_same_at_once_remove_it_once(books: Database, clock: FakeClock) -> None:
    batches = old(books, clock)[:1]
    removed(books, clock)
    with pytest.raises(IntegrityError), books.write() as session:
        remove_batches(session, batches, SIGNER, now=clock.now())
    with books.read() as session:
        anchor = anchor_of(session)
    assert anchor is not None
    assert anchor.position == 4


def _lines(folder: Path, file: ArchiveFile) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress((folder / file.name).read_bytes()).splitlines()]
