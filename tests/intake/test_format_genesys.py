"""Facts about the format `genesys`: what its three shapes become, and what is not one of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import ConfigurationError, FieldError, Invalid
from bridge.events import Event
from bridge.intake.formats import find_format

GENESYS = find_format("genesys")
TIME = "2026-05-01T12:00:00.5+02:00"
UTC_TIME = datetime(2026, 5, 1, 10, 0, 0, 500_000, tzinfo=UTC)


def change(**record: Any) -> dict[str, Any]:
    base = {"id": "r-1", "version": 3, "modifiedTime": TIME, "modifiedBy": {"id": "u-1", "x": 1}, "fields": {"a": 1}}
    return {"action": "update", "schemaName": "Item", "record": {**base, **record}, "extra": 1}


def typed(event_type: object, payload: object) -> dict[str, Any]:
    return {"eventType": event_type, "payload": payload}


def attributes(**payload: Any) -> dict[str, Any]:
    base = {"conversationId": "c-1", "updatedAttributes": {"k": "v"}, "version": "7", "processedAt": TIME}
    return typed("CONVERSATION_ATTRIBUTES_UPDATED", {**base, **payload})


def read(document: object, source: str = "genesys") -> Event:
    (event,) = GENESYS.parse(document, source=source)
    return event


def wrong(document: object) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        GENESYS.parse(document, source="genesys")
    return {(error.field, error.rule) for error in refused.value.errors}


@pytest.mark.parametrize(
    ("action", "event_type"),
    [
        ("create", "custom_object.record.created"),
        ("update", "custom_object.record.updated"),
        ("delete", "custom_object.record.deleted"),
    ],
)
def test_a_record_change_becomes_an_event_about_the_record(action: str, event_type: str) -> None:
    event = read({**change(), "action": action})
    assert (event.type, event.subject, event.version) == (event_type, "record:Item/r-1", "3")
    assert event.occurred_at == UTC_TIME
    assert event.payload == {
        "schemaName": "Item", "recordId": "r-1", "version": 3, "modifiedTime": TIME, "modifiedBy": "u-1",
        "fields": {"a": 1}, "action": action,
    }  # fmt: skip
    assert event.content_is_unique


def test_version_and_modifier_of_a_record_may_be_missing() -> None:
    document = change()
    del document["record"]["version"], document["record"]["modifiedBy"]
    event = read(document)
    assert (event.version, event.payload["version"], event.payload["modifiedBy"]) == (None, None, None)
    assert event.content_is_unique  # by its modifiedTime


@pytest.mark.parametrize("version", [0, 2**63, "0", "00017", "9" * 255])
def test_a_record_version_is_a_number_from_zero(version: object) -> None:
    assert read(change(version=version)).version == str(version)


@pytest.mark.parametrize("version", [-1, 1.0, True, "", "three", "-1", "\u0661", "1 ", "9" * 256, [1], {}])
def test_any_other_record_version_is_refused(version: object) -> None:
    assert wrong(change(version=version)) == {("record.version", "version")}


def test_conversation_attributes_become_an_event_about_the_conversation() -> None:
    event = read(attributes())
    assert (event.type, event.subject) == ("conversation.attributes.updated", "conversation:c-1")
    assert (event.version, event.occurred_at, event.content_is_unique) == ("7", UTC_TIME, True)
    assert event.payload == {
        "conversationId": "c-1", "updatedAttributes": {"k": "v"}, "version": "7", "processedAt": TIME,
    }  # fmt: skip


@pytest.mark.parametrize("version", [5, "v-5", "5", "2026-05-01"])
def test_a_conversation_version_may_be_any_text(version: object) -> None:
    event = read(attributes(version=version))
    assert (event.version, event.payload["version"]) == (str(version), version)


@pytest.mark.parametrize("version", [None, "", "a\nb", "x" * 256, -1, 1.5, False])
def test_but_it_is_there_and_bounded(version: object) -> None:
    ((field, _),) = wrong(attributes(version=version))
    assert field == "payload.version"


def test_an_interaction_update_becomes_an_event_about_the_interaction() -> None:
    payload: dict[str, Any] = {
        "interactionId": "i-1", "updatedAttributes": {}, "dispositionCode": "won", "version": 2, "processedAt": TIME,
    }  # fmt: skip
    event = read(typed("INTERACTION_UPDATED", {**payload, "unknown": 1}))
    assert (event.type, event.subject, event.version) == ("interaction.updated", "interaction:i-1", "2")
    assert event.payload == payload
    del payload["dispositionCode"], payload["version"]
    bare = read(typed("INTERACTION_UPDATED", payload))
    assert bare.payload == {**payload, "dispositionCode": None, "version": None}
    assert not bare.content_is_unique


def test_a_merge_names_its_sources_and_its_customer() -> None:
    payload = {"interactionId": "m-1", "sourceInteractionIds": ["i-1", "i-2"], "processedAt": TIME}
    event = read(typed("INTERACTION_MERGED", {**payload, "customer": {"id": "k-1", "email": "a@b.c", "vip": True}}))
    assert (event.type, event.subject) == ("interaction.merged", "interaction:m-1")
    customer = {"id": "k-1", "phoneNumber": None, "email": "a@b.c"}
    assert event.payload == {**payload, "customer": customer, "version": None}
    assert read(typed("INTERACTION_MERGED", payload)).payload["customer"] is None


def test_a_purge_names_its_purge() -> None:
    event = read(typed("INTERACTION_PURGED", {"interactionId": "i-1", "purgeId": "p-1", "processedAt": TIME}))
    assert (event.type, event.subject) == ("interaction.purged", "interaction:i-1")
    assert event.payload == {"interactionId": "i-1", "purgeId": "p-1", "processedAt": TIME}


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        ("ROUTING_STATUS_CHANGED", "genesys.routing_status_changed"),
        ("routingStatus.Changed", "genesys.routing_status_changed"),
        ("HTTPError", "genesys.httperror"),
        ("conversation_attributes_updated", "genesys.conversation_attributes_updated"),
        ("x" * 128, "genesys." + "x" * 128),
    ],
)
def test_an_unknown_event_type_is_kept_under_a_name_of_its_own(event_type: str, expected: str) -> None:
    event = read(typed(event_type, {"a": 1}))
    assert (event.type, event.payload) == (expected, {"a": 1})
    assert event.subject.startswith("unknown:")
    assert event.subject == read({**typed(event_type, {"a": 1}), "timestamp": "later"}).subject


def test_an_unknown_event_is_unique_for_ever_only_by_a_version_or_time_of_its_own() -> None:
    assert not read(typed("X", {"a": 1})).content_is_unique
    assert not read(typed("X", None)).content_is_unique
    assert read(typed("X", {"version": 1})).content_is_unique
    assert read(typed("X", {"eventTime": TIME})).content_is_unique


@pytest.mark.parametrize("document", [None, 1, "x", [], [change()], {}, {"hello": "world"}, {"payload": {}}])
def test_a_document_of_neither_form_is_refused(document: object) -> None:
    assert wrong(document) == {("body", "form")}


@pytest.mark.parametrize("part", ["action", "record"])
def test_a_document_of_both_forms_is_refused(part: str) -> None:
    assert wrong({part: change()[part], **attributes()}) == {("eventType", "form")}


def test_every_wrong_field_is_named() -> None:
    broken = {"action": "explode", "record": {"id": 1, "modifiedTime": "yesterday", "modifiedBy": {}, "fields": []}}
    assert wrong(broken) == {
        ("action", "choice"), ("schemaName", "required"), ("record.id", "type"), ("record.modifiedTime", "timestamp"),
        ("record.modifiedBy.id", "required"), ("record.fields", "type"),
    }  # fmt: skip
    merge = {"interactionId": "", "sourceInteractionIds": ["i", 2], "customer": [], "processedAt": TIME}
    assert wrong(typed("INTERACTION_MERGED", merge)) == {
        ("payload.interactionId", "length"), ("payload.sourceInteractionIds.1", "type"), ("payload.customer", "type"),
    }  # fmt: skip


@pytest.mark.parametrize("event_type", [None, 1, [], {}, "", "x" * 129, "a\nb", "\u00e4"])
def test_an_event_type_is_a_short_text(event_type: object) -> None:
    ((field, _),) = wrong(typed(event_type, {}))
    assert field == "eventType"


@pytest.mark.parametrize("text", ["x", "x" * 255, "\u00e4/..", "' OR 1=1--"])
def test_an_id_is_any_text_without_control_characters(text: str) -> None:
    assert read(change(id=text)).payload["recordId"] == text


@pytest.mark.parametrize("text", ["", "x" * 256, "a\tb", "\x7f", "\x85"])
def test_ids_that_are_empty_long_or_hold_control_characters_are_refused(text: str) -> None:
    assert {field for field, _ in wrong(change(id=text))} == {"record.id"}
    assert {field for field, _ in wrong({**change(), "schemaName": text})} == {"schemaName"}


@pytest.mark.parametrize(
    "text",
    ["2026-05-01T10:00:00", "2026-05-01", "2026-02-30T10:00:00Z", "2026-05-01T25:00:00Z", "0001-01-01T00:00:00+23:59",
     "2026-05-01T10:00:00+24:00", "20260501T100000Z", "2026-05-01T10:00:00.Z", 1777636800, None,
     "\u0662026-05-01T10:00:00Z", "2026-05-01T10:00:00Z\n"],
)  # fmt: skip
def test_a_time_is_rfc_3339_with_zone(text: object) -> None:
    assert {field for field, _ in wrong(change(modifiedTime=text))} == {"record.modifiedTime"}


@pytest.mark.parametrize(
    "text", ["2026-05-01t10:00:00z", "2026-05-01 10:00:00.123456789-00:00", "9999-12-31T23:59:59Z"]
)
def test_every_rfc_3339_form_is_taken(text: str) -> None:
    assert read(change(modifiedTime=text)).payload["modifiedTime"] == text


def test_the_same_change_has_the_same_key_and_another_time_or_version_another() -> None:
    base = read(attributes())
    assert base.content_key == read(attributes(processedAt="2026-05-02T10:00:00Z")).content_key
    assert base.content_key != read(attributes(version="8")).content_key
    assert base.content_key != read(attributes(), source="other").content_key
    bare = change()
    del bare["record"]["version"]
    later = {**bare, "record": {**bare["record"], "modifiedTime": "2026-05-02T10:00:00Z"}}
    assert read(bare).content_key != read(later).content_key


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["action", "schemaName", "record", "id", "version", "modifiedTime", "modifiedBy", "fields", "eventType",
                 "payload", "conversationId", "interactionId", "updatedAttributes", "processedAt", "customer"]
            ),
            st.one_of(below, st.sampled_from(["CONVERSATION_ATTRIBUTES_UPDATED", "INTERACTION_MERGED", TIME])),
            max_size=6,
        ),
    ),
    max_leaves=25,
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(JSON)
def test_whatever_the_document_it_becomes_events_or_named_errors(document: object) -> None:
    events: list[Event] = []
    errors: tuple[FieldError, ...] = ()
    try:
        events = GENESYS.parse(document, source="genesys")
    except Invalid as refused:
        errors = refused.errors
    assert bool(events) != bool(errors)
    assert all(len(event.type) <= 255 and len(event.subject) <= 600 and event.content_key for event in events)


def test_an_unknown_format_stops_the_start_and_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="genesys"):
        find_format("gnesys")
