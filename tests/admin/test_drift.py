"""What arrives otherwise than the formats know it is found, counted and named; no value is ever told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from bridge.admin.search.drift import Drift, DriftReport, find_drift
from bridge.clock import new_id
from bridge.database import Database
from bridge.intake.formats import find_format
from bridge.settings.model import SourceSettings
from bridge.tables import EventRow
from tests.admin.desk import MASKING
from tests.fakes import VAULT, FakeClock
from tests.intake.webhook_app import GENESYS

SOURCES = {one.name: one for one in (GENESYS, replace(GENESYS, name="bus", format="eventbridge"))}
RECORD = {"id": "r-1", "version": 3, "modifiedTime": "2026-05-01T10:00:00Z", "fields": {"qty": 5, "note": None}}
CHANGE = {"action": "update", "schemaName": "Item", "record": RECORD}
SECRET = "value-nobody-may-see"


def keep(
    database: Database,
    clock: FakeClock,
    document: Mapping[str, object],
    *,
    source: str = "genesys",
    errors: list[dict[str, str]] | None = None,
) -> str:
    """An event as intake leaves it; gives its id."""
    event_id = new_id()
    event = None if errors else find_format(SOURCES[source].format).parse(document, source=source)[0]
    with database.write() as session:
        session.add(
            EventRow(
                id=event_id, source=source, received_at=clock.now(), duplicates=0, errors=errors,
                type="unreadable" if event is None else event.type,
                subject=f"unreadable:{event_id}" if event is None else event.subject,
                state="recorded" if event else "unreadable",
                payload={} if event is None else event.payload, body=json.dumps(document).encode(),
            )
        )  # fmt: skip
    return event_id


def report(
    database: Database,
    clock: FakeClock,
    *,
    limit: int = 1000,
    source: str | None = None,
    sources: Mapping[str, SourceSettings] = SOURCES,
) -> DriftReport:
    since = clock.now() - timedelta(days=1)
    with database.read() as session:
        return find_drift(session, sources, since=since, limit=limit, masking=MASKING, vault=VAULT, source=source)


def told(found: DriftReport) -> list[tuple[str, str, str | None, str | None, int]]:
    return [(one.kind, one.type, one.field, one.detail, one.events) for one in found.found]


def test_what_is_as_the_formats_know_it_is_no_drift(database: Database, clock: FakeClock) -> None:
    keep(database, clock, {**CHANGE, "metadata": {"correlationId": "changes with each"}})
    payload = {
        "conversationId": "c",
        "updatedAttributes": {"any": 1},
        "version": 1,
        "processedAt": "2026-05-01T10:00:00Z",
    }
    keep(database, clock, {"eventType": "CONVERSATION_ATTRIBUTES_UPDATED", "payload": payload})
    found = report(database, clock)
    assert (found.looked_at, found.found) == (2, [])


def test_fields_that_are_dropped_are_counted_with_their_first_and_newest_event(
    database: Database, clock: FakeClock
) -> None:
    keep(database, clock, CHANGE)
    first = clock.now()
    keep(database, clock, {**CHANGE, "tenant": SECRET, "record": {**RECORD, "etag": SECRET}})
    clock.advance(60)
    newest = keep(
        database, clock, {**CHANGE, "record": {**RECORD, "etag": SECRET, "modifiedBy": {"id": "u", "name": SECRET}}}
    )
    found = report(database, clock)
    kind, event_type = "unread-field", "custom_object.record.updated"
    assert told(found) == [
        (kind, event_type, "record.etag", None, 2),
        (kind, event_type, "record.modifiedBy.name", None, 1),
        (kind, event_type, "tenant", None, 1),
    ]
    etag: Drift = found.found[0]
    assert (etag.first_seen, etag.last_seen, etag.sample) == (first, clock.now(), newest)
    assert SECRET not in repr(found)


def test_types_that_nobody_knows_and_bodies_that_nobody_reads_are_named(database: Database, clock: FakeClock) -> None:
    keep(database, clock, {"eventType": "QUEUE_OPENED", "payload": {"a": 1}, "extra": 1})
    errors = [{"field": "record.id", "rule": "length", "message": "Must have 1 to 255 characters."}]
    keep(database, clock, {**CHANGE, "record": {**RECORD, "id": ""}}, errors=errors)
    assert set(told(report(database, clock))) == {
        ("unknown-type", "genesys.queue_opened", None, None, 1),
        ("unread-field", "genesys.queue_opened", "extra", None, 1),
        ("unreadable", "unreadable", "record.id", "length", 1),
    }


def test_a_field_whose_values_are_of_two_kinds_is_named_with_the_rarer(database: Database, clock: FakeClock) -> None:
    _, _, text, _ = (
        keep(database, clock, {**CHANGE, "record": {**RECORD, "fields": {"qty": quantity}}})
        for quantity in (5, 6.5, "7", None)
    )
    keep(database, clock, {**CHANGE, "schemaName": "Other", "record": {**RECORD, "fields": {"note": "x"}}})
    keep(database, clock, {**CHANGE, "record": {**RECORD, "fields": {"note": 5}}})
    found = report(database, clock)
    assert told(found) == [
        ("mixed-values", "custom_object.record.updated", "record.fields.qty", "number (2), text (1)", 1)
    ]
    assert found.found[0].sample == text


def test_attributes_on_the_bus_are_read_as_far_as_destinations_know(database: Database, clock: FakeClock) -> None:
    body = {"conversationId": "c-1", "attributes": {"a": "b"}, "eventTime": "2026-05-01T10:00:00Z", "queueId": SECRET}
    detail = {"topicName": "v2.detail.events.conversation.{id}.attributes", "eventBody": body}
    envelope = {
        "id": "e-1", "detail-type": "x", "source": "aws.partner/genesys.com/x", "time": "2026-05-01T10:00:00Z",
        "detail": detail,
    }  # fmt: skip
    keep(database, clock, envelope, source="bus")
    keep(database, clock, {**envelope, "id": "e-2", "detail": {**detail, "topicName": "v2.other.topic"}}, source="bus")
    kinds = {(one.kind, one.field) for one in report(database, clock).found}
    assert kinds == {("unread-field", "detail.eventBody.queueId"), ("unknown-type", None)}


def test_only_the_newest_since_then_of_the_source_are_looked_at(database: Database, clock: FakeClock) -> None:
    keep(database, clock, {**CHANGE, "old": 1})
    clock.advance(2 * 86_400)
    for number in range(250):
        keep(database, clock, {**CHANGE, f"x{number % 2}": 1})
    found = report(database, clock)
    assert (found.looked_at, {one.field for one in found.found}) == (250, {"x0", "x1"})
    assert report(database, clock, limit=201).looked_at == 201
    assert report(database, clock, source="bus").looked_at == 0
    assert report(database, clock, sources={}).found == [], "of a source that is gone no format can tell"


def test_names_of_fields_are_masked_like_everything(database: Database, clock: FakeClock) -> None:
    keep(database, clock, {**CHANGE, "eva@example.com": 1})
    assert "eva@example.com" not in repr(report(database, clock))
