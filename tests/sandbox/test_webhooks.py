"""Webhooks: signed, in the order of the changes, at least once."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import requests

from bridge.sandbox import SandboxConfig
from tests.receivers import Answer, Receiver, hang_up
from tests.sandbox.calling import RECORDS, Caller, eventually
from tests.sandbox.conftest import Serve

CONVERSATION = "/api/v2/conversations/conv-2001"


def bodies(bridge: Receiver, count: int) -> list[dict[str, Any]]:
    return [{key: part for key, part in one.json().items() if key != "metadata"} for one in bridge.wait_for(count)]


def touch(caller: Caller, value: object = "x") -> None:
    answer = caller.patch(f"{CONVERSATION}/attributes", {"attributes": {"a": value}}, {"If-Match": "*"})
    assert answer.status_code == 200


def test_a_webhook_is_signed_over_its_raw_bytes(told: Caller, bridge: Receiver) -> None:
    touch(told, "Zürich")
    [request] = bridge.wait_for(1)
    digest = hmac.new("tünnel".encode(), request.body, hashlib.sha256).digest()
    assert request.headers["X-Hub-Signature-256"] == "sha256=" + base64.b64encode(digest).decode()
    assert (request.path, request.headers["Content-Type"]) == ("/webhooks/genesys", "application/json")
    assert "Zürich".encode() in request.body


def test_a_conversation_tells_its_new_version(told: Caller, bridge: Receiver) -> None:
    touch(told)
    assert bodies(bridge, 1) == [
        {
            "eventType": "CONVERSATION_ATTRIBUTES_UPDATED",
            "payload": {
                "conversationId": "conv-2001",
                "updatedAttributes": {"a": "x"},
                "version": 2,
                "processedAt": "2026-05-01T12:00:00.000Z",
            },
        }
    ]


def test_an_interaction_tells_its_disposition(told: Caller, bridge: Receiver) -> None:
    told.patch("/api/v2/interactions/voice-1001", {"attributes": {"a": "b"}, "dispositionCode": "RESOLVED"})
    [body] = bodies(bridge, 1)
    assert body["eventType"] == "INTERACTION_UPDATED"
    assert (
        body["payload"].items() >= {"interactionId": "voice-1001", "version": 2, "dispositionCode": "RESOLVED"}.items()
    )


def test_a_record_tells_all_its_fields_at_every_action(told: Caller, bridge: Receiver) -> None:
    fields = {"sku": "AB-1234", "quantity": 5, "price": 2.5}
    told.put(f"{RECORDS}/item-9", {"version": 0, "fields": fields})
    told.put(f"{RECORDS}/item-9", {"version": 1, "fields": fields})
    requests.delete(f"{told.url}/_sandbox/records/InventoryItem/item-9", timeout=5)
    received = bodies(bridge, 3)
    assert [(one["action"], one["record"]["version"]) for one in received] == [
        ("create", 1),
        ("update", 2),
        ("delete", 3),
    ]
    assert received[0] == {
        "action": "create",
        "schemaName": "InventoryItem",
        "record": {
            "id": "item-9",
            "version": 1,
            "modifiedTime": "2026-05-01T12:00:00.000Z",
            "modifiedBy": {"id": "sandbox-client"},
            "fields": fields,
        },
    }


def test_a_merge_tells_its_sources_once_it_is_done(told: Caller, bridge: Receiver) -> None:
    merged_id = told.merge().json()["id"]
    for _ in range(5):
        told.get(f"/api/v2/interactions/{merged_id}/status")
    [body] = bodies(bridge, 1)
    assert body["eventType"] == "INTERACTION_MERGED"
    assert (
        body["payload"].items()
        >= {
            "interactionId": merged_id,
            "sourceInteractionIds": ["voice-1001", "chat-1002"],
            "customer": {"id": "cust-1", "phoneNumber": "+15550100101", "email": "ada@example.com"},
        }.items()
    )
    assert told.state()["webhooks"]["delivered"] + told.state()["webhooks"]["waiting"] == 1


def test_a_purge_tells_of_every_interaction(told: Caller, bridge: Receiver) -> None:
    purge_id = told.purge().json()["purgeId"]
    for _ in range(3):
        told.get(f"/api/v2/interactions/purge/{purge_id}")
    purged = [
        (one["eventType"], one["payload"]["interactionId"], one["payload"]["purgeId"]) for one in bodies(bridge, 2)
    ]
    assert sorted(purged) == [("INTERACTION_PURGED", one, purge_id) for one in ("email-1903", "email-1904")]


def test_webhooks_leave_in_the_order_of_the_changes(told: Caller, bridge: Receiver) -> None:
    bridge.answers(503, hang_up, 204, Answer(500))
    for value in range(20):
        touch(told, value)
    versions = [one["payload"]["version"] for one in bodies(bridge, 23)]
    assert versions == sorted(versions)
    assert sorted(set(versions)) == list(range(2, 22))


def test_a_webhook_is_posted_again_until_it_is_taken(told: Caller, bridge: Receiver) -> None:
    bridge.answers(503, hang_up)
    touch(told)
    assert len({request.body for request in bridge.wait_for(3)}) == 1
    eventually(lambda: bool(told.state()["webhooks"]["delivered"] == 1))
    [posting] = told.state()["webhooks"]["newest"]
    assert (posting["state"], posting["tries"], posting["answer"]) == ("delivered", 3, "204")


def test_a_webhook_is_given_up_after_its_tries_and_the_next_one_leaves(told: Caller, bridge: Receiver) -> None:
    bridge.answers(503, 503, 503)
    touch(told)
    touch(told)
    assert [request.json()["payload"]["version"] for request in bridge.wait_for(4)] == [2, 2, 2, 3]
    eventually(lambda: bool(told.state()["webhooks"]["waiting"] == 0))
    webhooks = told.state()["webhooks"]
    assert (webhooks["delivered"], webhooks["failed"]) == (1, 1)


def test_a_webhook_that_is_refused_is_not_posted_again(told: Caller, bridge: Receiver) -> None:
    bridge.answers(401)
    touch(told)
    touch(told)
    assert [request.json()["payload"]["version"] for request in bridge.wait_for(2)] == [2, 3]


def test_a_redirect_is_not_followed(told: Caller, bridge: Receiver) -> None:
    bridge.answers(Answer(307, {"Location": f"{bridge.url}/elsewhere"}))
    touch(told)
    eventually(lambda: bool(told.state()["webhooks"]["failed"] == 1))
    assert [request.path for request in bridge.requests] == ["/webhooks/genesys"]


def test_a_doubled_webhook_differs_only_in_its_correlation_id(told: Caller, bridge: Receiver) -> None:
    told.fault(path="/api/v2/conversations/*", kind="duplicate_webhook")
    touch(told)
    touch(told)
    requests_ = bridge.wait_for(3)
    first, second, third = bodies(bridge, 3)
    assert first == second != third
    correlations = [request.json()["metadata"]["CorrelationId"] for request in requests_]
    assert len(set(correlations)) == 3
    assert correlations == [request.headers["ININ-Correlation-Id"] for request in requests_]


def test_a_state_that_changes_at_the_desk_is_told_too(told: Caller, bridge: Receiver) -> None:
    requests.patch(f"{told.url}/_sandbox/conversations/conv-2001", json={"state": "terminated"}, timeout=5)
    [body] = bodies(bridge, 1)
    assert (body["eventType"], body["payload"]["state"]) == ("CONVERSATION_STATE_CHANGED", "terminated")


def test_a_refused_change_tells_nobody(told: Caller, bridge: Receiver) -> None:
    told.patch(f"{CONVERSATION}/attributes", {"attributes": {"a": 1}}, {"If-Match": '"9"'})
    touch(told)
    assert [one["payload"]["version"] for one in bodies(bridge, 1)] == [2]
    assert told.state()["webhooks"]["newest"][0]["subject"] == "conversation:conv-2001"


def test_without_a_url_changes_are_listed_and_nobody_is_told(serve: Serve) -> None:
    caller = serve(SandboxConfig())
    touch(caller)
    state = caller.state()
    assert (state["webhooks"]["newest"], len(state["changes"])) == ([], 1)
