"""What could not be read, read once more: it takes its own place, is owed as if it came now, and nothing is doubled."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from bridge import signals
from bridge.admin.access import Role
from bridge.clock import new_id
from bridge.database import Database, open_database
from bridge.errors import FieldError, Invalid
from bridge.events import Event, Owed, RecordedEvent
from bridge.intake.canonical import content_hash, event_key
from bridge.intake.formats import register
from bridge.intake.receiver import Receiver
from bridge.outbox.ledger.append import append_owed
from bridge.settings.model import VerifySettings
from bridge.tables import AuditEntryRow, DeliveryRow, EventRow
from tests.admin.desk import Desk, Seat, make_desk
from tests.fakes import VAULT, FakeClock
from tests.intake.webhook_app import GENESYS, build_app, build_receiver
from tests.opened import opened_events

OPEN = replace(GENESYS, name="new", format="of-tomorrow", verify=VerifySettings(scheme="none"), allow_unverified=True)
REASON = {"reason": "the format knows it now"}


class OfTomorrow:
    """Reads nothing until the upgrade; then `{"things": [{"id", "version"}]}`, an event for each."""

    def __init__(self) -> None:
        self.upgraded = False
        register(OPEN.format, self)

    def parse(self, document: Any, *, source: str) -> list[Event]:
        if not self.upgraded:
            raise Invalid("not yet", errors=[FieldError(field="things", rule="unknown", message="Not known yet.")])
        if document["things"] == []:
            raise Invalid("no", errors=[FieldError(field="things", rule="length", message="Needs one at least.")])
        return [_thing(source, **thing) for thing in document["things"]]


def _thing(source: str, id: str, version: int, **more: object) -> Event:  # noqa: A002 (as its sender calls it)
    payload = {"id": id, "version": version, **more}
    return Event(
        type="thing.seen",
        subject=f"thing:{id}",
        payload=payload,
        version=str(version),
        content_key=event_key(source, "thing.seen", f"thing:{id}", str(version), payload),
    )


@pytest.fixture
def wire_format() -> OfTomorrow:
    return OfTomorrow()


@pytest.fixture
def door(database: Database, clock: FakeClock, wire_format: OfTomorrow) -> Iterator[Receiver]:
    receiver = build_receiver(database, clock, [OPEN])
    yield receiver
    receiver.stop()


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return make_desk(database, clock, sources=[OPEN])


@pytest.fixture
def owed() -> Iterator[None]:
    """`erp` wants every event, and the outbox appends what it is owed."""

    def want(_sender: object, *, event: RecordedEvent, session: Session) -> Owed:
        return Owed(destination="erp", subject=event.subject)

    with signals.event_recorded.connected_to(want), signals.deliveries_owed.connected_to(append_owed):
        yield


def post(door: Receiver, *things: dict[str, object]) -> TestResponse:
    return build_app(door).test_client().post(f"/webhooks/{OPEN.name}", json={"things": list(things)})


def unreadable(desk: Desk, door: Receiver, *things: dict[str, object]) -> str:
    """The id of the event that stands in for a body that could not be read."""
    assert post(door, *things).status_code == 422
    subject = f"unreadable:{content_hash({'things': list(things)})}"
    with desk.database.read() as session:
        return str(session.scalar(select(EventRow.id).where(EventRow.subject == subject)))


def reparse(seat: Seat, event_id: str) -> TestResponse:
    return seat.post(f"/events/{event_id}/reparse", REASON)


def event(database: Database, event_id: str) -> EventRow:
    with database.read() as session:
        return opened_events(session, [session.scalars(select(EventRow).where(EventRow.id == event_id)).one()])[0]


def noted(database: Database) -> list[AuditEntryRow]:
    with database.read() as session:
        wanted = select(AuditEntryRow).where(AuditEntryRow.action == "event.reparsed").order_by(AuditEntryRow.id)
        return list(session.scalars(wanted))


def deliveries(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        return [(row.event_id, row.destination) for row in session.scalars(select(DeliveryRow))]


@pytest.mark.usefixtures("owed")
def test_what_can_be_read_now_takes_its_own_place_and_is_owed(
    desk: Desk, door: Receiver, wire_format: OfTomorrow, clock: FakeClock
) -> None:
    event_id = unreadable(desk, door, {"id": "a", "version": 1})
    assert post(door, {"id": "a", "version": 1}).status_code == 422
    before = event(desk.database, event_id)
    assert deliveries(desk.database) == []
    wire_format.upgraded = True
    clock.advance(3600)
    seat = desk.sits(Role.OPERATOR)
    answer = reparse(seat, event_id)
    assert answer.get_json() == {
        "id": event_id,
        "result": "recorded",
        "events": [
            {"id": event_id, "type": "thing.seen", "subject": "thing:a", "duplicate": False, "deliveries": ["erp"]}
        ],
    }
    after = event(desk.database, event_id)
    assert (after.state, after.type, after.subject, after.errors) == ("recorded", "thing.seen", "thing:a", None)
    assert (after.received_at, after.body, after.duplicates) == (before.received_at, before.body, 1)
    assert deliveries(desk.database) == [(event_id, "erp")]
    (entry,) = noted(desk.database)
    assert (entry.actor, entry.reason, entry.subject) == (seat.actor, REASON["reason"], f"event:{event_id}")
    assert post(door, {"id": "a", "version": 1}).get_json()["duplicate"] is True


def test_whoever_is_named_is_found_by_what_it_is_now(desk: Desk, door: Receiver, wire_format: OfTomorrow) -> None:
    event_id = unreadable(desk, door, {"id": "a", "version": 1, "email": "eva@example.com"})
    with desk.database.read() as session:
        assert VAULT.subjects_of(session, "eva@example.com") == [event(desk.database, event_id).subject]
    wire_format.upgraded = True
    assert reparse(desk.sits(Role.OPERATOR), event_id).status_code == 200
    with desk.database.read() as session:
        assert VAULT.subjects_of(session, "eva@example.com") == ["thing:a"]


@pytest.mark.usefixtures("owed")
def test_what_was_recorded_meanwhile_is_not_recorded_twice(desk: Desk, door: Receiver, wire_format: OfTomorrow) -> None:
    event_id = unreadable(desk, door, {"id": "a", "version": 1})
    wire_format.upgraded = True
    again = post(door, {"id": "a", "version": 1}).get_json()["id"]
    answer = reparse(desk.sits(Role.OPERATOR), event_id).get_json()
    assert answer["result"] == "duplicate"
    assert [(one["id"], one["duplicate"], one["deliveries"]) for one in answer["events"]] == [(again, True, [])]
    left = event(desk.database, event_id)
    assert left.state == "unreadable"
    assert again in left.errors[0]["message"]
    assert deliveries(desk.database) == [(again, "erp")]


@pytest.mark.usefixtures("owed")
def test_of_several_events_each_new_one_is_recorded(desk: Desk, door: Receiver, wire_format: OfTomorrow) -> None:
    a, b = {"id": "a", "version": 1}, {"id": "b", "version": 1}
    event_id = unreadable(desk, door, a, b)
    wire_format.upgraded = True
    known = post(door, a).get_json()["id"]
    answer = reparse(desk.sits(Role.OPERATOR), event_id).get_json()
    assert answer["result"] == "recorded"
    assert [one["duplicate"] for one in answer["events"]] == [True, False]
    fresh = answer["events"][1]["id"]
    assert sorted(deliveries(desk.database)) == sorted([(known, "erp"), (fresh, "erp")])
    assert event(desk.database, event_id).state == "unreadable"
    assert event(desk.database, fresh).body == event(desk.database, event_id).body


def test_what_still_cannot_be_read_says_which_fields_and_is_noted(
    desk: Desk, door: Receiver, wire_format: OfTomorrow
) -> None:
    event_id = unreadable(desk, door)
    wire_format.upgraded = True
    answer = reparse(desk.sits(Role.OPERATOR), event_id)
    assert answer.status_code == 422
    assert [(one["field"], one["rule"]) for one in answer.get_json()["errors"]] == [("things", "length")]
    assert event(desk.database, event_id).errors == answer.get_json()["errors"], "today's errors, not yesterday's"
    assert [entry.details["result"] for entry in noted(desk.database)] == ["unreadable"]


def test_what_cannot_be_parsed_again_is_refused(desk: Desk, door: Receiver, wire_format: OfTomorrow) -> None:
    wire_format.upgraded = True
    readable = post(door, {"id": "a", "version": 1}).get_json()["id"]
    seat = desk.sits(Role.OPERATOR)
    assert reparse(seat, readable).status_code == 409
    assert reparse(seat, new_id()).status_code == 404
    assert seat.post(f"/events/{readable}/reparse", {}).status_code == 422
    assert reparse(desk.sits(Role.VIEWER), readable).status_code == 403
    assert noted(desk.database) == []


def test_a_source_that_is_gone_is_named(database: Database, clock: FakeClock, door: Receiver) -> None:
    desk = make_desk(database, clock)
    event_id = unreadable(desk, door, {"id": "a", "version": 1})
    answer = reparse(desk.sits(Role.OPERATOR), event_id)
    assert answer.status_code == 409
    assert "source new is not configured" in answer.get_json()["detail"]


@pytest.mark.usefixtures("owed")
def test_two_at_once_record_it_once(
    desk: Desk, door: Receiver, wire_format: OfTomorrow, database_url: str, clock: FakeClock
) -> None:
    event_id = unreadable(desk, door, {"id": "a", "version": 1})
    wire_format.upgraded = True
    other = make_desk(open_database(database_url), clock, sources=[OPEN])
    seats = [desk.sits(Role.OPERATOR), replace(other, database=desk.database).sits(Role.OPERATOR)]
    statuses: list[int] = []
    begin = threading.Barrier(2)

    def go(seat: Seat) -> None:
        begin.wait(timeout=10)
        statuses.append(reparse(seat, event_id).status_code)

    threads = [threading.Thread(target=go, args=(seat,)) for seat in seats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.database.close()
    assert sorted(statuses) == [200, 409]
    assert deliveries(desk.database) == [(event_id, "erp")]
