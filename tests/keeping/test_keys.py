"""What becomes of keys: they go with their last event, and what they seal is nowhere in plain text."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from bridge.audit.notes import AuditEntry
from bridge.clock import new_id
from bridge.database import Database
from bridge.events import INTERACTION_UPDATE, Event
from bridge.intake.arrivals import Arrival
from bridge.intake.ledger import Rejection, insert_rejections
from bridge.intake.recorder import record
from bridge.keeping import ledger
from bridge.outbox.contract import Rejected
from bridge.outbox.replay import replay_delivery
from bridge.privacy.key_ring import KeyRing
from bridge.tables import DataKeyRow, EventRow, RejectionRow
from tests.fakes import VAULT, FakeClock
from tests.keeping.file_room import EVA, MARKER, FileRoom
from tests.opened import opened_rejections
from tests.outbox.yard import NOTES, FakeDestination, count


@pytest.fixture
def room(database: Database, clock: FakeClock) -> FileRoom:
    return FileRoom(database, clock)


def test_a_key_goes_with_the_last_event_that_it_sealed(room: FileRoom) -> None:
    first, second = (room.record(to=(), payload={"customer": {"id": "c"}}) for _ in range(2))
    with room.database.write() as session:
        assert ledger.forget_events(session, [first.event_id])["keys"] == 0
    with room.database.write() as session:
        assert VAULT.subjects_of(session, "c") == [EVA]
        assert ledger.forget_events(session, [second.event_id])["keys"] == 1
    assert scopes(room) == ["index:customers"]
    assert count(room.database, "customer_subject") == 0


def test_a_destroyed_key_goes_with_its_events_too(room: FileRoom) -> None:
    old = room.record(to=())
    room.erase()
    new = room.record(to=())
    with room.database.write() as session:
        assert ledger.forget_events(session, [old.event_id])["keys"] == 1
    assert scopes(room) == [EVA]
    with room.database.write() as session:
        ledger.forget_events(session, [new.event_id])
    assert scopes(room) == []


def test_the_key_of_a_source_stays(room: FileRoom) -> None:
    receipt = room.record("unknown:u", to=())
    with room.database.write() as session:
        ledger.forget_events(session, [receipt.event_id])
    assert scopes(room) == ["source:genesys"]


def test_a_repeat_leaves_no_key_behind(room: FileRoom) -> None:
    """The same delivery of a sender, about another subject."""
    for subject in (EVA, "conversation:adam"):
        arrival = _arrival(room, subject)
        arrival = replace(arrival, event=replace(arrival.event, delivery_key=b"d" * 32))
        _record(room, arrival)
    assert scopes(room) == [EVA]


def test_no_body_stands_anywhere_in_plain_text(room: FileRoom) -> None:
    """Received, unreadable, refused, commanded, delivered, dead, replayed."""
    room.record(to=("crm",))
    room.deliver_due()
    room.record(to=("erp",))
    room.deliver_due(FakeDestination(name="erp", answer=lambda _: Rejected(reason="wrong", error_class="status")))
    room.record(to=("genesys",), event_type=INTERACTION_UPDATE, payload={"body": {"customer_id": MARKER}})
    _record(room, replace(_arrival(room, "unreadable:h"), state="unreadable", body=MARKER.encode()))
    refused = _rejection(room, MARKER.encode())
    with room.database.write() as session:
        insert_rejections(session, VAULT, [refused], now=room.clock.now())
        NOTES.write(session, [AuditEntry(actor="a", action="b", subject="c")], room.clock.now())
    assert [state for state, _ in room.states()] == ["delivered", "dead", "pending"]
    assert MARKER not in room.dump()
    if room.database.is_sqlite:
        path = Path(str(room.database.engine.url.database))
        assert all(MARKER.encode() not in file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


def test_the_body_of_a_refused_request_of_a_known_sender_can_be_read(room: FileRoom) -> None:
    kept, dropped = _rejection(room, b"{,}"), _rejection(room, None)
    with room.database.write() as session:
        insert_rejections(session, VAULT, [kept, dropped], now=room.clock.now())
    with room.database.read() as session:
        rows = opened_rejections(session, session.query(RejectionRow).order_by(RejectionRow.id))
    assert [row.body for row in rows] == [b"{,}", None]
    assert [row.key_id is None for row in rows] == [False, True]


def test_what_was_delivered_is_replayed_as_it_was(room: FileRoom) -> None:
    room.record(payload={"note": "it"})
    crm = FakeDestination(name="crm")
    room.deliver_due(crm)
    with room.database.write() as session:
        (delivery_id,) = session.execute(text("SELECT id FROM delivery")).scalars()
        replay_delivery(
            session, delivery_id, reason="x", actor="cli:a", fresh_id=False, now=room.clock.now(), notes=NOTES
        )
    room.deliver_due(crm)
    assert [one.event.payload for one in crm.sent] == [{"note": "it"}] * 2


def test_what_was_altered_is_never_sent_and_says_why_and_holds_up_nobody(room: FileRoom) -> None:
    altered = room.record()
    with room.database.write() as session:
        session.execute(
            update(EventRow).where(EventRow.id == altered.event_id).values(sealed_payload=b"something else, altogether")
        )
    room.record("conversation:adam", payload={"note": "it"})
    crm = FakeDestination(name="crm")
    room.deliver_due(crm)
    assert [one.event.payload for one in crm.sent] == [{"note": "it"}]
    (dead, delivered) = room.states()
    assert dead[0] == "dead"
    assert "altered" in str(dead[1])
    assert delivered == ("delivered", None)


def test_a_worker_without_the_secret_leaves_a_delivery_to_one_that_has_it(room: FileRoom) -> None:
    room.record()
    room.record("conversation:adam")
    foreign = KeyRing([b"another secret, long enough"])
    with room.database.write() as session:
        key = session.query(DataKeyRow).where(DataKeyRow.scope == EVA).one()
        assert key.wrapped is not None
        mine, key.wrapped_by = key.wrapped_by, foreign.first
    crm = FakeDestination(name="crm")
    room.deliver_due(crm)
    assert [one.event.subject for one in crm.sent] == ["conversation:adam"]
    waiting, _ = room.states()
    assert waiting[0] == "pending"
    assert "BRIDGE_SECRET_KEY" in str(waiting[1])
    with room.database.write() as session:
        session.execute(update(DataKeyRow).where(DataKeyRow.scope == EVA).values(wrapped_by=mine))
    with room.database.read() as session:  # no fault of the receiver's
        assert session.execute(text("SELECT max(failures) FROM destination_state")).scalar() in (None, 0)
    room.clock.advance(7200)
    room.deliver_due(crm)
    assert [state for state, _ in room.states()] == ["delivered"] * 2


def scopes(room: FileRoom) -> list[str]:
    with room.database.read() as session:
        return list(session.execute(text("SELECT scope FROM data_key ORDER BY scope")).scalars())


def _arrival(room: FileRoom, subject: str) -> Arrival:
    event = Event(type="t", subject=subject, payload={})
    return Arrival(event=event, source="genesys", body=b"{}", received_at=room.clock.now())


def _record(room: FileRoom, arrival: Arrival) -> None:
    with room.database.write() as session:
        record(session, [arrival], notes=NOTES, vault=VAULT, now=room.clock.now(), dedupe_window=timedelta(minutes=10))


def _rejection(room: FileRoom, body: bytes | None) -> Rejection:
    return Rejection(
        id=new_id(),
        at=room.clock.now(),
        source="genesys",
        cause="not-json",
        status=400,
        address="127.0.0.1",
        size=3,
        body=body,
    )
