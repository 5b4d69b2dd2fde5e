from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.events import (
    CONVERSATION_ATTRIBUTES_UPDATED,
    INTERACTION_MERGE,
    INTERACTION_MERGED,
    INTERACTION_UPDATED,
    RECORD_CREATED,
    RECORD_DELETED,
    RECORD_UPDATED,
    RecordedEvent,
)
from tests.destinations.deliveries import INTERACTION, RECORD, destination

HERE = "http://127.0.0.1:9/"
MERGED = replace(
    INTERACTION,
    type=INTERACTION_MERGED,
    payload={
        "interactionId": "i9",
        "sourceInteractionIds": ["i1", "i2"],
        "customer": {"id": "c1", "phoneNumber": "+4917012345", "email": None},
        "version": None,
        "processedAt": "2026-05-01T11:59:59Z",
    },
)


def body(event: RecordedEvent, **settings: Any) -> Any:
    return destination(HERE, **settings).preview(event).body


# --- erp -----------------------------------------------------------------------------------------------------------

ERP_BODY = {
    "source": "genesys-cloud",
    "schemaName": "InventoryItem",
    "recordId": "r1",
    "timestamp": "2026-05-01T13:59:59+02:00",
    "modifiedBy": "u1",
    "fields": {"sku": "AB-1234", "quantity": 7},
}


def test_an_erp_gets_a_record_as_specified() -> None:
    assert body(RECORD) == ERP_BODY
    assert list(body(RECORD)) == list(ERP_BODY)


def test_an_erp_takes_updates_only_unless_the_configuration_lists_more() -> None:
    erp = destination(HERE)
    assert erp.wants(RECORD)
    for event_type in (RECORD_CREATED, RECORD_DELETED, INTERACTION_UPDATED, "custom_object.record.archived"):
        assert erp.wants(replace(RECORD, type=event_type)) is None


@pytest.mark.parametrize(
    "events", [(RECORD_CREATED, RECORD_UPDATED, RECORD_DELETED), ("custom_object.record.*",), ("*",)]
)
def test_an_erp_that_takes_more_is_told_the_action(events: tuple[str, ...]) -> None:
    for event_type, action in ((RECORD_CREATED, "create"), (RECORD_UPDATED, "update"), (RECORD_DELETED, "delete")):
        event = replace(RECORD, type=event_type)
        assert destination(HERE, events=events).wants(event)
        assert body(event, events=events) == {**ERP_BODY, "action": action}


def test_an_erp_that_lists_updates_gets_no_action() -> None:
    assert body(RECORD, events=(RECORD_UPDATED,)) == ERP_BODY


# --- crm -----------------------------------------------------------------------------------------------------------


def test_a_crm_gets_conversation_attributes_as_specified() -> None:
    payload = {
        "conversationId": "v1",
        "updatedAttributes": {"a": 1},
        "version": 5,
        "processedAt": "2026-05-01T11:59:59Z",
    }
    event = replace(INTERACTION, type=CONVERSATION_ATTRIBUTES_UPDATED, payload=payload)
    assert body(event, kind="crm") == {"eventType": "CONVERSATION_ATTRIBUTES_UPDATED", "payload": payload}


def test_a_crm_gets_an_interactions_update_as_specified() -> None:
    assert body(INTERACTION, kind="crm") == {
        "eventType": "INTERACTION_UPDATED",
        "payload": {
            "interactionId": "i1",
            "updatedAttributes": {"vip": "yes"},
            "dispositionCode": None,
            "processedAt": "2026-05-01T11:59:59Z",
        },
    }


def test_a_crm_gets_a_merge_as_specified() -> None:
    payload = {
        **MERGED.payload,
        "channelSequence": ["voice", "chat"],
        "metrics": {"mergeLatencyMs": 2100, "deduplicationAccuracy": 1.0, "priorityScore": 9},
    }
    assert body(replace(MERGED, payload=payload), kind="crm") == {
        "event": "interaction_merged",
        "timestamp": "2026-05-01T11:59:59Z",
        "interactionId": "i9",
        "channelSequence": ["voice", "chat"],
        "customer": {"id": "c1", "phoneNumber": "+4917012345", "email": None},
        "metrics": {"mergeLatencyMs": 2100, "deduplicationAccuracy": 1.0, "priorityScore": 9},
    }


def test_of_a_merge_that_we_were_only_told_of_no_number_is_made_up() -> None:
    told = body(replace(MERGED, payload={**MERGED.payload, "customer": None}), kind="crm")
    assert told["channelSequence"] is None
    assert told["customer"] == {"id": None, "phoneNumber": None, "email": None}
    assert told["metrics"] == {"mergeLatencyMs": None, "deduplicationAccuracy": None, "priorityScore": None}


def test_a_crm_takes_its_three_events() -> None:
    crm = destination(HERE, kind="crm")
    for event in (INTERACTION, MERGED, replace(INTERACTION, type=CONVERSATION_ATTRIBUTES_UPDATED)):
        assert crm.wants(event)
    assert crm.wants(RECORD) is None


# --- http ----------------------------------------------------------------------------------------------------------


def test_http_gets_a_cloud_event_as_specified() -> None:
    preview = destination(HERE, kind="http", events=("*",)).preview(RECORD)
    assert preview.headers["Content-Type"] == "application/cloudevents+json"
    assert preview.body == {
        "specversion": "1.0",
        "id": RECORD.id,
        "source": "/sources/genesys",
        "type": "com.genesys.bridge.custom_object.record.updated",
        "subject": "record:InventoryItem/r1",
        "time": "2026-05-01T11:59:59Z",
        "datacontenttype": "application/json",
        "data": RECORD.payload,
        "correlationid": "corr-1",
        "version": "3",
    }


def test_a_cloud_event_leaves_out_what_there_is_not_and_always_has_a_time() -> None:
    event = replace(RECORD, version=None, correlation_id=None, occurred_at=None, source="my source")
    told = body(event, kind="http", events=("*",))
    assert not {"version", "correlationid"} & set(told)
    assert (told["time"], told["source"]) == ("2026-05-01T12:00:00Z", "/sources/my%20source")
    assert all(name.isalnum() and name.islower() for name in told)  # CloudEvents 1.0, "Naming conventions"


def test_what_a_transform_makes_is_no_cloud_event_any_more() -> None:
    preview = destination(HERE, kind="http", events=("*",), transform="data").preview(RECORD)
    assert preview.headers["Content-Type"] == "application/json"
    assert preview.body == RECORD.payload


@pytest.mark.parametrize("events", [("interaction.*",), ("*",), (INTERACTION_MERGE,)])
def test_a_command_is_no_event_and_goes_to_genesys_alone(events: tuple[str, ...]) -> None:
    http = destination(HERE, kind="http", events=events)
    assert http.wants(replace(INTERACTION, type=INTERACTION_MERGE)) is None


def test_a_pattern_takes_what_begins_like_it() -> None:
    http = destination(HERE, kind="http", events=("interaction.*", RECORD_DELETED))
    assert http.wants(INTERACTION)
    assert http.wants(replace(RECORD, type=RECORD_DELETED))
    for event_type in (RECORD_UPDATED, "interaction", "interactions.purged"):
        assert http.wants(replace(RECORD, type=event_type)) is None


def test_http_without_events_takes_none() -> None:
    assert destination(HERE, kind="http").wants(INTERACTION) is None


# --- lanes and echoes ----------------------------------------------------------------------------------------------


def test_a_lane_is_the_events_subject_or_one_of_its_own() -> None:
    in_order = destination(HERE).wants(RECORD)
    alone = destination(HERE, order="none").wants(RECORD)
    assert in_order
    assert alone
    assert (in_order.destination, in_order.subject) == ("erp", "record:InventoryItem/r1")
    assert alone.subject == f"event:{RECORD.id}"


def test_what_a_destination_caused_itself_is_not_sent_back_to_it() -> None:
    echo, other = replace(RECORD, caused_by="erp"), replace(RECORD, caused_by="crm")
    assert destination(HERE).wants(echo) is None
    assert destination(HERE).wants(other)
    assert destination(HERE, echo="send").wants(echo)
