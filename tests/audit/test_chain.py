"""The chain behind the audit: every way to tamper with it is found, and named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from bridge.audit.export import exported
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.audit.seal import ENOUGH, SETTLES_WITHIN, SealedBatch, seal, unsealed_count
from bridge.audit.signing import AuditSigner, is_signed_by, signed_bytes
from bridge.audit.verify import ExternalHead, Verification, verify
from bridge.clock import new_id
from bridge.database import Database
from bridge.privacy.masking import Masking
from tests.fakes import FakeClock

SIGNER = AuditSigner(b"a key for tests")
NOTES = AuditNotes(Masking([], b"key"))


def note(database: Database, clock: FakeClock, number: int) -> None:
    with database.write() as session:
        entries = [
            AuditEntry(actor="cli:eva", action="replay.ordered", subject=f"replay:{one}", details={"n": one})
            for one in range(number)
        ]
        NOTES.write(session, entries, clock.now())


def sealed(database: Database, clock: FakeClock) -> SealedBatch | None:
    clock.advance(SETTLES_WITHIN.total_seconds() + 1)
    with database.write() as session:
        return seal(session, SIGNER, now=clock.now())


def verified(database: Database, external: ExternalHead | None = None) -> Verification:
    with database.read() as session:
        return verify(session, trusted={SIGNER.public_key}, external=external)


def ids(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(text("SELECT entry_id FROM audit_seal ORDER BY position")))


def tamper(database: Database, *statements: str) -> None:
    """As somebody with the database in their hands: triggers off, then anything."""
    with database.write() as session:
        _without_triggers(session)
        for statement in statements:
            session.execute(text(statement))


def _without_triggers(session: Session) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("ALTER TABLE audit_entry DISABLE TRIGGER ALL"))
        return
    for name in session.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        session.execute(text(f"DROP TRIGGER {name}"))


def test_a_chain_that_nobody_touched_holds(database: Database, clock: FakeClock) -> None:
    note(database, clock, 5)
    first = sealed(database, clock)
    note(database, clock, 4)
    second = sealed(database, clock)
    assert first is not None
    assert second is not None
    assert (first.first, first.last, second.first, second.last) == (1, 5, 6, 9)
    found = verified(database)
    assert (found.sealed, found.problem, found.head) == (9, None, second.head.hex())
    with database.read() as session:
        assert unsealed_count(session) == 0


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        (lambda ids: [f"UPDATE audit_entry SET actor = 'cli:otto' WHERE id = '{ids[2]}'"], "edited"),
        (lambda ids: [f"DELETE FROM audit_entry WHERE id = '{ids[2]}'"], "removed"),
        (
            lambda ids: [
                f"DELETE FROM audit_entry WHERE id = '{ids[2]}'",
                f"DELETE FROM audit_seal WHERE entry_id = '{ids[2]}'",
            ],
            "removed",
        ),
        (
            lambda ids: [
                f"UPDATE audit_seal SET entry_id = 'x' WHERE entry_id = '{ids[2]}'",
                f"UPDATE audit_seal SET entry_id = '{ids[2]}' WHERE entry_id = '{ids[3]}'",
                f"UPDATE audit_seal SET entry_id = '{ids[3]}' WHERE entry_id = 'x'",
            ],
            "moved",
        ),
    ],
)
def test_the_first_entry_that_was_tampered_with_is_named(
    database: Database, clock: FakeClock, attack: Callable[[list[str]], list[str]], named: str
) -> None:
    note(database, clock, 6)
    sealed(database, clock)
    tamper(database, *attack(ids(database)))
    found = verified(database)
    assert found.position == 3
    assert found.sealed == 2
    assert named in (found.problem or "")


def test_an_entry_that_was_inserted_among_sealed_ones_is_found(database: Database, clock: FakeClock) -> None:
    note(database, clock, 3)
    sealed(database, clock)
    old = "00000000-0000-7000-8000-000000000001"
    tamper(
        database,
        "INSERT INTO audit_entry (id, at, actor, action, subject, details) "
        f"SELECT '{old}', at, actor, action, subject, details FROM audit_entry LIMIT 1",
    )
    assert verified(database).entry_id == old


def test_a_chain_rewritten_with_all_its_hashes_fails_at_its_signature(database: Database, clock: FakeClock) -> None:
    note(database, clock, 4)
    sealed(database, clock)
    tamper(database, "UPDATE audit_entry SET actor = 'cli:otto'", "DELETE FROM audit_seal", "DELETE FROM audit_head")
    with database.write() as session:
        assert seal(session, AuditSigner(b"another key"), now=clock.now()) is not None
    assert "not trusted" in (verified(database).problem or "")


def test_a_chain_cut_off_at_its_end_is_found(database: Database, clock: FakeClock) -> None:
    note(database, clock, 6)
    sealed(database, clock)
    tamper(
        database,
        f"DELETE FROM audit_entry WHERE id = '{ids(database)[5]}'",
        "DELETE FROM audit_seal WHERE position = 6",
    )
    assert "was longer" in (verified(database).problem or "")


def test_a_head_that_was_kept_elsewhere_finds_a_chain_made_anew(database: Database, clock: FakeClock) -> None:
    note(database, clock, 4)
    batch = sealed(database, clock)
    assert batch is not None
    kept = ExternalHead(position=batch.last, hash=batch.head.hex())
    assert verified(database, kept).problem is None
    tamper(database, "UPDATE audit_entry SET actor = 'cli:otto'", "DELETE FROM audit_seal", "DELETE FROM audit_head")
    with database.write() as session:
        seal(session, SIGNER, now=clock.now())
    assert verified(database).problem is None
    assert "kept elsewhere" in (verified(database, kept).problem or "")


def test_entries_that_may_still_be_joined_by_older_ones_wait(database: Database, clock: FakeClock) -> None:
    note(database, clock, ENOUGH)
    with database.write() as session:
        assert seal(session, SIGNER, now=clock.now()) is None
        assert unsealed_count(session) == ENOUGH


def test_few_entries_wait_for_more_but_not_for_ever(database: Database, clock: FakeClock) -> None:
    note(database, clock, ENOUGH - 1)
    assert sealed(database, clock) is None
    clock.advance(timedelta(hours=1).total_seconds())
    assert sealed(database, clock) is not None


def test_an_export_can_be_verified_by_somebody_who_has_only_the_public_key(
    database: Database, clock: FakeClock
) -> None:
    note(database, clock, 5)
    sealed(database, clock)
    with database.read() as session:
        lines = [json.loads(line) for line in exported(session, SIGNER.public_key)]
    previous = bytes(32)
    for line in lines[1:]:
        if "entry" in line:
            previous = hashlib.sha256(previous + signed_bytes(line["entry"])).digest()
            assert line["hash"] == previous.hex()
        else:
            assert line["head"]["hash"] == previous.hex()
            assert is_signed_by(lines[0]["publicKey"], line["head"], line["signature"])
    assert len(lines) == 7


def test_two_workers_do_not_seal_the_same_twice(database: Database, clock: FakeClock) -> None:
    note(database, clock, 5)
    assert sealed(database, clock) is not None
    assert sealed(database, clock) is None
    assert len(set(ids(database))) == 5
    assert new_id() not in ids(database)
