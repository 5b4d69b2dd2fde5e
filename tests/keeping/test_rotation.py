"""Replacing the secret: nothing is lost on the way, and in the end nothing needs the old one."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from bridge.admin.search.events import raw_body
from bridge.database import Database
from bridge.keeping.rotation import Rotation
from bridge.privacy.key_ring import KeyRing, SecretMissing
from bridge.privacy.vault import Vault
from bridge.privacy.wrappings import missing_secrets
from bridge.tables import DataKeyRow
from tests.fakes import FakeClock
from tests.keeping.file_room import EVA, MARKER, FileRoom
from tests.outbox.yard import NOTES, count

OLD, NEW = b"an old secret, long enough", b"a new secret, long enough"
BOTH = Vault(KeyRing([NEW, OLD]))


@pytest.fixture
def room(database: Database, clock: FakeClock) -> FileRoom:
    return FileRoom(database, clock, vault=Vault(KeyRing([OLD])))


def rotation(room: FileRoom, vault: Vault = BOTH, *, batch: int = 2) -> Rotation:
    return Rotation(database=room.database, clock=room.clock, notes=NOTES, ring=vault.ring, batch=batch)


def readable(room: FileRoom, vault: Vault) -> int:
    with room.database.read() as session:
        return sum(MARKER.encode() in raw_body(session, event.id, vault) for event in room.events())


def test_after_a_rotation_the_new_secret_is_enough(room: FileRoom) -> None:
    for number in range(5):
        room.record(f"conversation:{number}", to=())
    assert rotation(room).waiting() == 5
    seen: list[int] = []
    report = rotation(room).run(actor="cli:root", progress=seen.append)
    assert (report.rewrapped, report.left, report.is_complete, seen) == (5, 0, True, [2, 4, 5])
    assert readable(room, Vault(KeyRing([NEW]))) == 5
    assert [one.details["keys"] for one in room.audited("keys.rotated")] == [2, 2, 1]


def test_before_it_both_secrets_are_needed_and_the_missing_one_is_told(room: FileRoom) -> None:
    room.record(to=())
    with room.database.read() as session:
        assert missing_secrets(session, KeyRing([NEW]).fingerprints) == [KeyRing([OLD]).first]
        assert missing_secrets(session, BOTH.ring.fingerprints) == []
    with pytest.raises(SecretMissing):
        readable(room, Vault(KeyRing([NEW])))


def test_events_that_arrive_meanwhile_are_kept_and_a_second_run_takes_them_along(room: FileRoom) -> None:
    """From processes that have restarted, and from those that have not."""
    for number in range(4):
        room.record(f"conversation:{number}", to=())
    renewed = FileRoom(room.database, room.clock, vault=BOTH, made=1000)

    def arrive(done: int) -> None:
        # A key that was wrapped anew already is of no use to whoever has the old secret alone.
        room.record(f"conversation:late-{done}", to=())
        renewed.record(f"conversation:{done}", to=())

    report = rotation(room).run(actor="cli:root", progress=arrive)
    assert readable(room, BOTH) == count(room.database, "event") > 4
    again = rotation(room).run(actor="cli:root")
    assert report.rewrapped + again.rewrapped == count(room.database, "data_key") - 1  # one was made under the new one
    assert again.is_complete
    assert readable(room, Vault(KeyRing([NEW]))) == count(room.database, "event")


def test_a_run_that_was_cut_off_is_gone_on_with(room: FileRoom) -> None:
    class PowerCut(Exception):
        pass

    def cut(_: int) -> None:
        raise PowerCut

    for number in range(5):
        room.record(f"conversation:{number}", to=())
    with pytest.raises(PowerCut):
        rotation(room).run(actor="cli:root", progress=cut)
    assert readable(room, BOTH) == 5
    assert rotation(room).run(actor="cli:root").rewrapped == 3


def test_an_erased_key_is_left_alone(room: FileRoom) -> None:
    room.record(to=())
    room.erase()
    report = rotation(room).run(actor="cli:root")
    assert (report.rewrapped, report.is_complete) == (0, True)


def test_a_key_that_was_altered_holds_up_no_other(room: FileRoom) -> None:
    room.record(to=())
    room.record("conversation:adam", to=())
    with room.database.write() as session:
        session.execute(update(DataKeyRow).where(DataKeyRow.scope == EVA).values(wrapped=b"x" * 60))
    report = rotation(room).run(actor="cli:root")
    assert (report.rewrapped, report.altered, report.left, report.is_complete) == (1, 1, 1, False)


def test_a_key_whose_secret_nobody_has_is_counted(room: FileRoom) -> None:
    room.record(to=())
    report = rotation(room, Vault(KeyRing([NEW]))).run(actor="cli:root")
    assert (report.rewrapped, report.left, report.unreadable) == (0, 1, 1)


def test_customers_are_found_after_a_rotation(room: FileRoom) -> None:
    room.record(payload={"customer": {"id": "c"}}, to=())
    rotation(room).run(actor="cli:root")
    renewed = FileRoom(room.database, room.clock, vault=Vault(KeyRing([NEW])))
    assert renewed.erase(customer="c").events == 1
    with room.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM customer_subject")).scalar() == 0
