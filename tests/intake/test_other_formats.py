"""Facts about the formats beside `genesys`: what they become, what makes a repeat, what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import FieldError, Invalid
from bridge.events import Event
from bridge.intake.formats import find_format, format_names

TALK = "v2.detail.events.conversation"
UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
TIME = "2026-05-01T10:00:00Z"
AT = datetime(2026, 5, 1, 10, tzinfo=UTC)


def read(form: str, document: object) -> Event:
    (event,) = find_format(form).parse(document, source="s")
    return event


def wrong(form: str, document: object) -> set[tuple[str, str]]:
    with pytest.raises(Invalid) as refused:
        find_format(form).parse(document, source="s")
    assert form in refused.value.detail
    return {(error.field, error.rule) for error in refused.value.errors}


def message(**rest: Any) -> dict[str, Any]:
    channel = {"id": "c-1", "platform": "Open", "type": "Private", "time": TIME, "to": {"id": "x"}, "messageId": "m"}
    return {"id": "m-1", "channel": channel, "type": "Text", "text": "hello", "direction": "Outbound", **rest}


def test_an_open_message_is_about_its_conversation() -> None:
    event = read("open-messaging", message())
    assert (event.type, event.subject) == ("message.outbound.text", "conversation:c-1")
    assert (event.occurred_at, event.payload, event.content_is_unique) == (AT, message(), True)
    assert read("open-messaging", message(type="Receipt", direction="Inbound")).type == "message.inbound.receipt"


def test_an_open_message_is_told_apart_by_id_and_time() -> None:
    base = read("open-messaging", message())
    assert base.delivery_key == read("open-messaging", message(text="other")).delivery_key
    assert base.delivery_key != read("open-messaging", message(id="m-2")).delivery_key
    later = {**message()["channel"], "time": "2026-05-01T10:00:01Z"}
    assert base.delivery_key != read("open-messaging", message(channel=later)).delivery_key
    assert base.content_key != read("open-messaging", message(text="other")).content_key
    assert base.content_key == read("open-messaging", message(metadata={"correlationId": "1"})).content_key


def test_what_is_no_open_message_is_named() -> None:
    assert wrong("open-messaging", message(type="text", direction=None, channel={"id": "c", "time": 1}, text=5)) == {
        ("type", "choice"), ("direction", "required"), ("channel.time", "timestamp"), ("text", "type"),
    }  # fmt: skip
    assert wrong("open-messaging", []) == {("body", "type")}


def notification(topic: str, body: dict[str, Any] | None = None, **rest: Any) -> dict[str, Any]:
    sending = {"metadata": {"CorrelationId": "1"}, "timestamp": TIME}
    detail = {"topicName": topic, "version": "4", "eventBody": body or {}, **sending}
    return {
        "version": "0", "id": "e-1", "detail-type": topic, "source": "aws.partner/genesys.com/cloud/org/bus",
        "account": "1", "time": TIME, "region": "eu-central-1", "resources": [], "detail": detail, **rest,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "body", "event_type", "subject"),
    [
        (f"{TALK}.{{id}}.attributes", {"conversationId": "c"}, "conversation.attributes.updated", "conversation:c"),
        (f"{TALK}.{UUID}.attributes", {}, "conversation.attributes.updated", f"conversation:{UUID}"),
        (f"{TALK}.{{id}}.customer.end", {"conversationId": "c"}, "conversation.ended", "conversation:c"),
        (f"{TALK}.{{id}}.acw", {"conversationId": "c"}, "conversation.acw", "conversation:c"),
        (f"{TALK}.{{id}}.wrapup", {"conversationId": "c"}, "conversation.wrapup", "conversation:c"),
        (f"{TALK}.{{id}}.acw", {}, "conversation.acw", None),
        ("v2.externalcontacts.contacts.{id}", {"id": "k-1"}, "contact.updated", "contact:k-1"),
        (f"v2.externalcontacts.contacts.{UUID}", {"mergedTo": {}}, "contact.merged", f"contact:{UUID}"),
        (f"v2.users.{UUID}.presence", {}, "genesys.v2.users.{id}.presence", None),
        ("v2.users.{id}.presence", {}, "genesys.v2.users.{id}.presence", None),
        ("Something New!", {}, "genesys.something_new_", None),
    ],
)  # fmt: skip
def test_a_notification_has_the_type_of_its_topic(
    topic: str, body: dict[str, Any], event_type: str, subject: str | None
) -> None:
    event = read("eventbridge", notification(topic, body))
    assert event.type == event_type
    assert event.subject == subject or (subject is None and event.subject.startswith("unknown:"))


def test_attributes_from_eventbridge_have_the_shape_that_every_destination_knows() -> None:
    body = {"conversationId": "c-1", "attributes": {"k": "v"}, "eventTime": 1777629600000}
    event = read("eventbridge", notification("v2.detail.events.conversation.{id}.attributes", body))
    assert event.payload == {
        "conversationId": "c-1", "updatedAttributes": {"k": "v"}, "version": None, "processedAt": TIME,
    }  # fmt: skip
    assert (event.occurred_at, event.content_is_unique) == (AT, True)


def test_the_platform_sends_the_same_notification_twice_with_another_correlation_id() -> None:
    topic, body = "v2.detail.events.conversation.{id}.acw", {"conversationId": "c-1", "eventTime": 1}
    first = read("eventbridge", notification(topic, body))
    twin = notification(topic, body, id="e-2", time="2026-05-01T10:00:09Z")
    twin["detail"] = {**twin["detail"], "metadata": {"CorrelationId": "2"}, "timestamp": "2026-05-01T10:00:09Z"}
    again = read("eventbridge", twin)
    assert first.content_key == again.content_key
    assert first.delivery_key != again.delivery_key
    other = read("eventbridge", notification(topic, {**body, "eventTime": 2}))
    assert first.content_key != other.content_key
    assert first.delivery_key == other.delivery_key


def test_a_notification_without_a_time_of_its_own_is_unique_for_a_while_only() -> None:
    times: list[object] = [None, "soon", True, 1e300, [], "0001-01-01T00:00:00+23:59"]
    for event_time in times:
        event = read("eventbridge", notification("v2.users.{id}.presence", {"eventTime": event_time}))
        assert (event.content_is_unique, event.occurred_at) == (False, AT)


def test_what_is_not_the_envelope_is_named() -> None:
    broken = notification("v2.x", source="aws.s3", detail={"eventBody": []}, time="")
    assert wrong("eventbridge", broken) == {
        ("source", "source"), ("detail.topicName", "required"), ("detail.eventBody", "type"), ("time", "timestamp"),
    }  # fmt: skip


def test_engage_gives_one_event_per_entity() -> None:
    document = {"operationId": "contactUpdated", "data": {"entities": [{"id": "e-1", "a": 1}, {"b": 2}]}}
    first, second = find_format("engage").parse(document, source="s")
    assert (first.type, first.subject, first.payload) == ("engage.contactUpdated", "engage:e-1", {"id": "e-1", "a": 1})
    assert second.subject.startswith("unknown:")
    assert first.content_key != second.content_key
    assert not first.content_is_unique


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"operationId": "op", "data": {"entities": []}}, {("data.entities", "length")}),
        ({"operationId": "op", "data": {"entities": [{}, 1]}}, {("data.entities.1", "type")}),
        ({"operationId": "a b", "data": {}}, {("operationId", "characters"), ("data.entities", "required")}),
        ({"data": []}, {("operationId", "required"), ("data", "type")}),
    ],
)
def test_what_is_not_of_engage_is_named(document: object, expected: set[tuple[str, str]]) -> None:
    assert wrong("engage", document) == expected


def action(topic: str, **rest: Any) -> dict[str, Any]:
    return {"source": "genesys-data-action", "topic": topic, "eventTime": TIME, **rest}


def test_a_data_action_is_what_its_topic_says_in_the_shape_that_every_destination_knows() -> None:
    event = read("data-action", action("conversation.attributes.updated", conversationId="c-1", attributes={"k": "v"}))
    assert (event.type, event.subject, event.version) == ("conversation.attributes.updated", "conversation:c-1", None)
    assert event.payload == {
        "conversationId": "c-1", "updatedAttributes": {"k": "v"}, "version": None, "processedAt": TIME,
    }  # fmt: skip
    record = action("custom_object.record.updated", recordId="r-1", schemaName="Item", version=4, fields={"a": 1})
    event = read("data-action", record)
    assert (event.subject, event.version, event.occurred_at) == ("record:Item/r-1", "4", AT)
    assert event.payload == {
        "schemaName": "Item", "recordId": "r-1", "version": 4, "modifiedTime": TIME, "modifiedBy": None,
        "fields": {"a": 1}, "action": "update",
    }  # fmt: skip
    update = action("interaction.updated", interactionId="i-1", attributes={}, dispositionCode="won")
    assert read("data-action", update).payload["dispositionCode"] == "won"


def test_a_data_action_may_name_any_topic() -> None:
    for ids, subject in (({"conversationId": "c"}, "conversation:c"), ({"contactId": "k"}, "contact:k")):
        event = read("data-action", action("order.placed", total=5, **ids))
        assert (event.type, event.subject, event.payload["total"]) == ("order.placed", subject, 5)
    platform = action("v2.detail.events.conversation.{id}.customer.end", conversationId="c-1")
    assert read("data-action", platform).type == "conversation.ended"
    assert read("data-action", action("order.placed")).subject.startswith("unknown:")


def test_a_data_action_with_an_id_is_known_by_it() -> None:
    assert read("data-action", action("a.b")).delivery_key is None
    first = read("data-action", action("a.b", id="d-1"))
    assert first.delivery_key is not None
    assert first.content_key == read("data-action", action("a.b", id="d-2")).content_key
    later = action("a.b", id="d-1", eventTime="2026-05-01T11:00:00Z")
    assert first.content_key != read("data-action", later).content_key


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"source": "x", "topic": "A b"}, {("source", "choice"), ("topic", "form"), ("eventTime", "required")}),
        (action("custom_object.record.updated", recordId="r"), {("schemaName", "required")}),
        (action("custom_object.record.deleted"), {("schemaName", "required"), ("recordId", "required")}),
        (action("conversation.attributes.updated"), {("conversationId", "required")}),
        (action("interaction.updated", conversationId="c"), {("interactionId", "required")}),
        (action("a.b", attributes=[], version=-1), {("attributes", "type"), ("version", "version")}),
        (action("a.b", id="", eventTime=5), {("id", "length"), ("eventTime", "timestamp")}),
    ],
)  # fmt: skip
def test_what_is_no_data_action_is_named(document: object, expected: set[tuple[str, str]]) -> None:
    assert wrong("data-action", document) == expected


SCRAPS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4)),
    lambda below: st.one_of(st.lists(below, max_size=2), st.dictionaries(st.text(max_size=3), below, max_size=2)),
    max_leaves=4,
)
WHOLE: dict[str, dict[str, Any]] = {
    "open-messaging": message(),
    "eventbridge": notification(f"{TALK}.{{id}}.attributes", {"conversationId": "c", "eventTime": 1}),
    "engage": {"operationId": "op", "data": {"entities": [{"id": "e"}]}},
    "data-action": action("custom_object.record.updated", recordId="r", schemaName="S", fields={}),
}


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_whatever_the_document_it_becomes_events_or_named_errors(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(sorted(WHOLE)))
    document = dict(WHOLE[form])
    for key in data.draw(st.lists(st.sampled_from(sorted(document)), min_size=1, max_size=2)):
        scrap = data.draw(SCRAPS)
        inner = document[key]
        if isinstance(inner, dict) and inner and data.draw(st.booleans()):
            document[key] = {**inner, data.draw(st.sampled_from(sorted(inner))): scrap}
        else:
            document[key] = scrap
    events: list[Event] = []
    errors: tuple[FieldError, ...] = ()
    try:
        events = find_format(form).parse(document, source="s")
    except Invalid as refused:
        errors = refused.errors
    assert bool(events) != bool(errors)
    assert all(len(event.type) <= 255 and len(event.subject) <= 600 and event.content_key for event in events)


def test_five_formats_ship_with_the_bridge() -> None:
    assert {"data-action", "engage", "eventbridge", "genesys", "open-messaging"} <= set(format_names())
