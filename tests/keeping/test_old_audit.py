"""Retention of the audit: only what is sealed and old, only after it lies in the archive, never over a hold."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import islice

import pytest
from sqlalchemy import text

from bridge import signals
from bridge.audit.verify import Verification, verify
from bridge.chore_lease import LEASE
from bridge.settings.model import LegalHold, RetentionSettings
from tests.audit.test_chain import tamper
from tests.keeping.attic import DAY, SIGNER, Attic
from tests.outbox.yard import count
from tests.privacy.placing import place, release_again

AUDIT_DAYS = 2190


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The causes that somebody was told of."""
    causes: list[str] = []

    def hear(_sender: object, *, cause: str, **_: object) -> None:
        causes.append(cause)

    signals.needs_attention.connect(hear, weak=False)
    yield causes
    signals.needs_attention.disconnect(hear)


@pytest.fixture
def aged(attic: Attic) -> Attic:
    """Four sealed batches of 5 entries, a day between them, the first exactly audit_days old."""
    (attic.folder / "audit-archive").mkdir()
    for _ in range(4):
        attic.note_and_seal(5)
        attic.clock.advance(DAY)
    attic.clock.advance((AUDIT_DAYS - 4) * DAY)
    return attic


def verified(attic: Attic) -> Verification:
    with attic.database.read() as session:
        return verify(session, trusted={SIGNER.public_key})


def files(attic: Attic) -> list[str]:
    return sorted(one.name for one in (attic.folder / "audit-archive").iterdir())


def positions(attic: Attic) -> list[int]:
    with attic.database.read() as session:
        return list(session.scalars(text("SELECT position FROM audit_seal ORDER BY position")))


def test_sealed_entries_go_after_audit_days_and_the_rest_still_holds(aged: Attic) -> None:
    aged.clock.advance(-1)
    before = verified(aged)
    assert before.problem is None
    aged.run()
    assert positions(aged)[0] == 1
    aged.clock.advance(1)
    aged.run()
    assert positions(aged)[0] == 6
    assert verified(aged) == before
    aged.clock.advance(DAY)
    aged.run()
    assert positions(aged)[0] == 11
    assert verified(aged) == before
    assert files(aged) == [
        "audit-000000000001-000000000005.jsonl.gz",
        "audit-000000000006-000000000010.jsonl.gz",
    ]


def test_what_is_removed_lies_in_the_archive_and_the_audit_says_where(aged: Attic) -> None:
    aged.clock.advance(DAY)
    aged.run()
    (archived,) = aged.noted("retention.archived")
    assert (archived["from"], archived["to"]) == (1, 10)
    assert archived["file"] == files(aged)[0]
    content = (aged.folder / "audit-archive" / archived["file"]).read_bytes()
    lines = [json.loads(line) for line in gzip.decompress(content).splitlines()]
    assert [line["position"] for line in lines if "entry" in line] == list(range(1, 11))
    assert aged.noted()[-1]["auditEntries"] == 10


def test_the_newest_batch_and_what_is_not_sealed_stay(aged: Attic) -> None:
    aged.clock.advance(1000 * DAY)
    aged.run()
    assert positions(aged) == list(range(16, 21))
    assert count(aged.database, "audit_entry") == 5 + 2  # and what this run has noted
    assert verified(aged).sealed == 20


def test_while_there_is_a_legal_hold_no_entry_goes(aged: Attic) -> None:
    aged.holds = [LegalHold(customer="c-1")]
    aged.run()
    assert len(positions(aged)) == 20
    aged.holds = []
    aged.run()
    assert len(positions(aged)) == 15


def test_a_hold_that_is_placed_once_the_archive_is_written_keeps_every_entry(aged: Attic) -> None:
    run = aged.begin()
    while not files(aged):
        next(run)
    hold = place(aged.database, aged.clock.now(), customer="c-1").hold
    for _ in run:
        pass
    assert len(positions(aged)) == 20
    release_again(aged.database, aged.clock.now(), hold.id)
    aged.run()
    assert len(positions(aged)) == 15
    assert verified(aged).problem is None


def test_a_chain_that_does_not_hold_is_not_archived(aged: Attic, told: list[str]) -> None:
    """Its traces would go with it."""
    tamper(
        aged.database,
        "UPDATE audit_entry SET actor = 'x' WHERE id = (SELECT entry_id FROM audit_seal WHERE position = 3)",
    )
    aged.run()
    assert len(positions(aged)) == 20
    assert files(aged) == []
    assert told == ["audit-broken"]


def test_nothing_goes_where_the_archive_cannot_be_written(aged: Attic, told: list[str]) -> None:
    (aged.folder / "audit-archive").rmdir()
    (aged.folder / "audit-archive").write_text("no folder")
    aged.run()
    assert len(positions(aged)) == 20
    assert told == ["audit-archive"]


def test_the_folder_is_made_only_beside_a_local_database(aged: Attic, told: list[str]) -> None:
    """A worker that shares its database may stand on a disk that goes with it."""
    (aged.folder / "audit-archive").rmdir()
    aged.run()
    if aged.database.is_sqlite:
        assert len(files(aged)) == 1
    else:
        assert len(positions(aged)) == 20
        assert told == ["audit-archive"]


def test_a_run_killed_after_each_step_ends_with_everything_archived_and_the_chain_whole(aged: Attic) -> None:
    aged.clock.advance(2 * DAY)
    before = verified(aged)
    for steps in range(1, 12):
        run = aged.begin()
        for _ in islice(run, steps):
            pass
        del run
        assert verified(aged) == before
        aged.clock.advance(LEASE.total_seconds())
    aged.run()
    assert positions(aged)[0] == 16
    assert verified(aged) == before
    assert sum(one.get("auditEntries", 0) for one in aged.noted()) == 15


def test_zero_days_keep_the_newest_batch_all_the_same(attic: Attic) -> None:
    attic.settings = RetentionSettings(audit_days=0)
    (attic.folder / "audit-archive").mkdir()
    attic.note_and_seal(5)
    attic.run()
    assert positions(attic) == [1, 2, 3, 4, 5]
    attic.note_and_seal(5)
    attic.run()
    assert positions(attic) == [6, 7, 8, 9, 10]
    assert verified(attic).problem is None
