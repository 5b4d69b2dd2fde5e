"""Facts about recording: what is one event, what is two, and what is owed for it. On both databases."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge import signals
from bridge.clock import new_id
from bridge.errors import FieldError
from bridge.events import Event, Owed, RecordedEvent
from bridge.intake.canonical import delivery_key
from bridge.intake.formats import find_format
from bridge.intake.recorder import Receipt
from bridge.tables import AuditEntryRow, DeliveryRow
from tests.intake.conftest import Desk

TIME = "2026-05-01T10:00:00Z"


def read(document: dict[str, Any], source: str = "genesys") -> Event:
    (event,) = find_format("genesys").parse(document, source=source)
    return event


def change(record_id: str = "r-1", version: object = 3, source: str = "genesys", **fields: object) -> Event:
    record = {"id": record_id, "version": version, "modifiedTime": TIME, "fields": fields}
    return read({"action": "update", "schemaName": "Item", "record": record}, source)


def disposition(code: str, version: object = None, source: str = "genesys", at: str = TIME) -> Event:
    payload = {"interactionId": "i-1", "updatedAttributes": {}, "dispositionCode": code, "processedAt": at}
    return read({"eventType": "INTERACTION_UPDATED", "payload": {**payload, "version": version}}, source)


def test_a_new_event_is_recorded_with_everything_that_came_with_it(desk: Desk) -> None:
    (receipt,) = desk.record(change(qty=5), correlation_id="c-1", traceparent="t-1", caused_by="erp")
    (row,) = desk.rows()
    assert receipt == Receipt(event_id=row.id, type=row.type, subject="record:Item/r-1", duplicate=False)
    assert (row.source, row.state, row.version, row.duplicates) == ("genesys", "recorded", "3", 0)
    assert (row.correlation_id, row.traceparent, row.caused_by) == ("c-1", "t-1", "erp")
    assert (row.received_at, row.body, row.errors) == (desk.clock.now(), b"{}", None)
    assert row.payload["fields"] == {"qty": 5}
    assert row.content_key_until is None


def test_every_destination_that_wants_it_is_owed_it_in_the_same_transaction(
    desk: Desk, destinations: list[str]
) -> None:
    destinations += ["erp", "crm"]
    receipts = desk.record(change("r-1"), change("r-2"))
    assert [receipt.deliveries for receipt in receipts] == [("crm", "erp")] * 2
    with desk.database.read() as session:
        owed = set(session.execute(select(DeliveryRow.event_id, DeliveryRow.destination)))
        notes = list(session.scalars(select(AuditEntryRow).order_by(AuditEntryRow.id)))
    assert {tuple(row) for row in owed} == {(receipt.event_id, name) for receipt in receipts for name in ("crm", "erp")}
    assert [(note.actor, note.action, note.subject) for note in notes] == [
        ("genesys", "event.recorded", f"record:Item/r-{number}") for number in (1, 2)
    ]
    assert notes[0].details["event"] == receipts[0].event_id
    assert notes[0].details["destinations"] == ["crm", "erp"]


@pytest.mark.parametrize(
    ("record_id", "noted"),
    [
        ("r-1", "r-1"),
        ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("+491511234567", "+49******67"),
        ("0151-123 45 67", "01******67"),
        ("0151-123-4567", "01******67"),
    ],
)
def test_the_audit_shows_no_personal_data_in_a_subject(desk: Desk, record_id: str, noted: str) -> None:
    desk.record(change(record_id))
    with desk.database.read() as session:
        (note,) = session.scalars(select(AuditEntryRow))
    assert note.subject == f"record:Item/{noted}"


def test_a_failing_forwarder_leaves_nothing_behind(desk: Desk, destinations: list[str]) -> None:
    def broken(_sender: object, *, event: RecordedEvent, session: Session) -> Owed | None:
        raise LookupError(event.id)

    destinations.append("erp")
    with signals.event_recorded.connected_to(broken), pytest.raises(LookupError):
        desk.record(change())
    assert desk.rows() == []


def test_the_same_again_is_counted_and_not_owed_again(desk: Desk, destinations: list[str]) -> None:
    destinations.append("erp")
    (first,) = desk.record(change())
    for _ in range(2):
        (again,) = desk.record(change())
        assert again == replace(first, duplicate=True, deliveries=())
    (row,) = desk.rows()
    assert row.duplicates == 2
    with desk.database.read() as session:
        assert len(list(session.scalars(select(DeliveryRow.id)))) == 1
        assert len(list(session.scalars(select(AuditEntryRow.id)))) == 1


def test_repeats_inside_one_batch_are_found_too(desk: Desk, destinations: list[str]) -> None:
    destinations.append("erp")
    receipts = desk.record(change("a"), change("b"), change("a"), change("a"))
    assert [receipt.duplicate for receipt in receipts] == [False, False, True, True]
    assert {receipts[0].event_id, receipts[2].event_id, receipts[3].event_id} == {receipts[0].event_id}
    assert [row.duplicates for row in desk.rows()] == [2, 0]


def test_receipts_come_in_the_order_of_arrivals(desk: Desk) -> None:
    receipts = desk.record(*(change(f"r-{number}") for number in range(70)))
    assert [receipt.subject for receipt in receipts] == [f"record:Item/r-{number}" for number in range(70)]
    assert [row.subject for row in desk.rows()] == [receipt.subject for receipt in receipts]


def test_two_sources_that_send_the_same_are_two_events(desk: Desk) -> None:
    (one,) = desk.record(change(source="one"), source="one")
    (other,) = desk.record(change(source="other"), source="other")
    assert not one.duplicate
    assert not other.duplicate


def test_different_content_under_one_version_is_two_events(desk: Desk) -> None:
    assert [receipt.duplicate for receipt in desk.record(change(qty=1), change(qty=2))] == [False, False]
    assert [receipt.duplicate for receipt in desk.record(change(qty=1), change(qty=2))] == [True, True]
    (later,) = desk.record(change(qty=3))
    assert not later.duplicate
    assert [row.duplicates for row in desk.rows()] == [1, 1, 0]


def test_only_the_time_of_processing_makes_no_other_event(desk: Desk) -> None:
    desk.record(disposition("won", "1"))
    (again,) = desk.record(disposition("won", "1", at="2026-05-01T10:00:09Z"))
    assert again.duplicate


def with_delivery_id(event: Event, delivery_id: str) -> Event:
    return replace(event, delivery_key=delivery_key("genesys", delivery_id))


def test_the_same_delivery_id_is_the_same_event_and_another_body_under_it_is_reported(desk: Desk) -> None:
    (first,) = desk.record(with_delivery_id(change("r-1"), "d-1"))
    (repeat,) = desk.record(with_delivery_id(change("r-1"), "d-1"))
    (other,) = desk.record(with_delivery_id(change("r-2"), "d-1"))
    assert (repeat.duplicate, repeat.conflicting) == (True, False)
    assert (other.duplicate, other.conflicting) == (True, True)
    assert (other.event_id, other.subject) == (first.event_id, "record:Item/r-1")
    (row,) = desk.rows()
    assert row.duplicates == 2


def test_the_same_content_under_another_delivery_id_is_the_same_event(desk: Desk) -> None:
    desk.record(with_delivery_id(change(), "d-1"))
    (again,) = desk.record(with_delivery_id(change(), "d-2"))
    assert (again.duplicate, again.conflicting) == (True, False)


def test_content_with_a_version_is_a_repeat_for_ever(desk: Desk) -> None:
    desk.record(change(), disposition("won", "1"))
    desk.clock.advance(365 * 86400)
    assert [receipt.duplicate for receipt in desk.record(change(), disposition("won", "1"))] == [True, True]


def test_content_without_version_or_time_is_a_repeat_only_within_the_window(desk: Desk) -> None:
    desk.record(disposition("won"))
    desk.clock.advance(599)
    assert desk.record(disposition("won"))[0].duplicate
    desk.clock.advance(1)
    (later,) = desk.record(disposition("won"))
    assert not later.duplicate
    assert desk.record(disposition("won"))[0].duplicate
    old, new = desk.rows()
    assert old.content_key is None
    assert old.content_key_until is None
    assert (old.duplicates, new.duplicates) == (1, 1)


@pytest.mark.parametrize("pause", [0, 601])
def test_there_and_back_again_is_three_events(desk: Desk, pause: int) -> None:
    receipts = []
    for code in ("A", "B", "A", "A"):
        receipts += desk.record(disposition(code))
        desk.clock.advance(pause)
    assert [receipt.duplicate for receipt in receipts] == [False, False, False, pause == 0]


def test_other_subjects_and_sources_give_no_key_up(desk: Desk) -> None:
    desk.record(disposition("A"))
    desk.record(disposition("B", source="other"), source="other")
    desk.record(read({"eventType": "INTERACTION_PURGED", "payload": {"interactionId": "i-2", "processedAt": TIME}}))
    assert desk.record(disposition("A"))[0].duplicate


def test_an_unreadable_event_is_kept_with_its_errors_and_owed_to_nobody(desk: Desk, destinations: list[str]) -> None:
    destinations.append("erp")
    event = Event(type="unreadable", subject="unreadable:x", payload={}, content_key=b"u" * 32)
    wrong = FieldError(field="record", rule="required", message="Missing.")
    (receipt,) = desk.record(event, state="unreadable", errors=(wrong,))
    (again,) = desk.record(event, state="unreadable", errors=(wrong,))
    assert (receipt.deliveries, again.duplicate) == ((), True)
    (row,) = desk.rows()
    assert (row.state, row.payload, row.duplicates) == ("unreadable", {}, 1)
    assert row.errors == [{"field": "record", "rule": "required", "message": "Missing."}]


def test_two_threads_with_the_same_event_record_it_once(desk: Desk, destinations: list[str]) -> None:
    destinations.append("erp")
    count, rounds = 4, 10
    barrier = threading.Barrier(count)
    receipts: list[Receipt] = []

    def post() -> None:
        for number in range(rounds):
            barrier.wait(timeout=20)
            receipts.extend(desk.record(change(f"r-{number}"), change(f"s-{number}")))

    threads = [threading.Thread(target=post) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(receipts) == count * rounds * 2
    assert sum(not receipt.duplicate for receipt in receipts) == rounds * 2
    assert {row.duplicates for row in desk.rows()} == {count - 1}
    with desk.database.read() as session:
        assert len(list(session.scalars(select(DeliveryRow.id)))) == rounds * 2


def test_ids_made_later_sort_later() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
