"""Two at once: whoever erases or removes a key, and whoever records with it, wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event, text

from bridge.admin.search.events import raw_body
from bridge.database import Database
from bridge.errors import Conflict, Gone
from bridge.keeping import ledger
from bridge.privacy import data_keys
from bridge.privacy.wrappings import NewWrapping, wrap_anew
from bridge.settings.model import LegalHold
from tests.fakes import VAULT, FakeClock
from tests.keeping.file_room import EVA, MARKER, FileRoom
from tests.outbox.yard import FakeDestination, count

#: Longer than anybody takes who does not wait.
MOMENT = 0.3


class RaisingThread(threading.Thread):
    """Keeps what its work has raised."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._act = act
        self.raised: Exception | None = None

    def run(self) -> None:
        try:
            self._act()
        except Exception as error:  # noqa: BLE001 (the test looks at it)
            self.raised = error


@pytest.fixture
def room(database: Database, clock: FakeClock) -> FileRoom:
    return FileRoom(database, clock)


class Meanwhile:
    """Somebody else, at the same time."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._thread = threading.Thread(target=act, daemon=True)
        self._thread.start()

    def waits(self) -> bool:
        self._thread.join(MOMENT)
        return self._thread.is_alive()

    def ends(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_an_erasure_waits_for_what_is_being_recorded_and_erases_it_too(room: FileRoom) -> None:
    first = room.record()
    with room.database.write() as session:
        second = room.record(session=session)
        erasing = Meanwhile(room.erase)
        assert erasing.waits()
    erasing.ends()
    for receipt in (first, second):
        with room.database.read() as session, pytest.raises(Gone):
            raw_body(session, receipt.event_id, VAULT)
    assert room.states() == [("cancelled", "erased")] * 2


def test_a_hold_covers_what_was_being_recorded_when_the_erasure_was_ordered(room: FileRoom) -> None:
    room.holds.append(LegalHold(customer="cust-7", reason="lawsuit"))
    first = room.record()
    refused: list[str] = []

    def erase() -> None:
        with pytest.raises(Conflict) as conflict:
            room.erase()
        refused.append(conflict.value.detail)

    with room.database.write() as session:
        room.record(payload={"customer": {"id": "cust-7"}}, session=session)
        erasing = Meanwhile(erase)
        assert erasing.waits()
    erasing.ends()
    assert "lawsuit" in refused[0]
    with room.database.read() as session:
        assert raw_body(session, first.event_id, VAULT)


def test_what_comes_in_during_an_erasure_waits_for_it_and_is_kept_under_a_new_key(room: FileRoom) -> None:
    room.record()
    with room.database.write() as session:
        data_keys.destroy(session, data_keys.take_from_recorders(session, EVA), now=room.clock.now())
        recording = Meanwhile(lambda: room.record(payload={"note": "new"}))
        assert recording.waits()
    recording.ends()
    crm = FakeDestination(name="crm")
    room.deliver_due(crm)
    assert [one.event.payload for one in crm.sent] == [{"note": "new"}]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_erasure_and_a_recorder_of_the_same_subject_do_not_wait_for_each_other(room: FileRoom) -> None:
    """What is recorded takes the place of what is erased: the one locks events before lanes, the other lanes first."""
    room.record(content_is_unique=False)
    erasing = RaisingThread(room.erase)
    cleaning, go_on, has_lanes = threading.Event(), threading.Event(), threading.Event()

    def before(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread() is erasing and "FROM lane JOIN delivery" in statement:
            cleaning.set()
            assert go_on.wait(10)
        elif threading.current_thread() is not erasing and "INSERT INTO lane" in statement:
            go_on.set()
            assert has_lanes.wait(10)

    def after(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if threading.current_thread() is erasing and "FROM lane JOIN delivery" in statement:
            has_lanes.set()

    event.listen(room.database.engine, "before_cursor_execute", before)
    event.listen(room.database.engine, "after_cursor_execute", after)
    erasing.start()
    assert cleaning.wait(10)
    new = room.record(content_is_unique=False)
    erasing.join(10)
    assert erasing.raised is None
    with room.database.read() as session:
        assert raw_body(session, new.event_id, VAULT)
    assert room.states() == [("cancelled", "erased"), ("pending", None)]


def test_two_that_need_the_same_new_key_share_it(room: FileRoom) -> None:
    with room.database.write() as session:
        room.record(session=session)
        other = Meanwhile(room.record)
        assert other.waits()
    other.ends()
    assert count(room.database, "data_key") == 1
    with room.database.read() as session:
        assert all(MARKER.encode() in raw_body(session, event.id, VAULT) for event in room.events())


def test_a_recorder_that_has_just_taken_a_key_keeps_it_from_being_removed(room: FileRoom) -> None:
    """Retention forgets the last event of a subject while another one comes in."""
    old = room.record(to=())
    with room.database.write() as session:
        new = room.record(to=(), session=session)
        forgetting = Meanwhile(lambda: _forget(room, old.event_id))
        forgetting.waits()  # on SQLite; on PostgreSQL it leaves the key alone
    forgetting.ends()
    with room.database.read() as session:
        assert MARKER.encode() in raw_body(session, new.event_id, VAULT)


def test_a_recorder_that_comes_while_a_key_is_removed_makes_a_new_one(room: FileRoom) -> None:
    old = room.record(to=(), payload={"customer": {"id": "c"}})
    with room.database.write() as session:
        ledger.forget_events(session, [old.event_id])
        recording = Meanwhile(lambda: room.record(to=(), payload={"customer": {"id": "c"}}))
        assert recording.waits()
    recording.ends()
    (event,) = room.events()
    with room.database.read() as session:
        assert raw_body(session, event.id, VAULT)
        assert VAULT.subjects_of(session, "c") == [EVA]


def test_an_erasure_and_a_rotation_do_not_bring_a_key_back(room: FileRoom) -> None:
    room.record()
    with room.database.read() as session:
        key = session.execute(text("SELECT id, wrapped FROM data_key")).one()
    room.erase()
    stale = NewWrapping(key_id=key.id, before=bytes(key.wrapped), wrapped=b"w" * 60, wrapped_by="f")
    with room.database.write() as session:
        assert wrap_anew(session, [stale]) == 0
        assert session.execute(text("SELECT wrapped FROM data_key")).scalar_one() is None


def _forget(room: FileRoom, event_id: str) -> None:
    with room.database.write() as session:
        ledger.forget_events(session, [event_id])
