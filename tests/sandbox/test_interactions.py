"""Interactions: what is read, what may be changed; exports; the CRM's customers."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote

import pytest

from tests.fakes import FakeClock
from tests.sandbox.calling import Caller

VOICE = "/api/v2/interactions/voice-1001"
EXPORT = {
    "name": "interaction-update-sync-voice-1001",
    "type": "streaming",
    "filter": {"type": "interaction", "query": "id eq 'voice-1001'"},
    "export": {"type": "s3", "configuration": {"bucket": "lake", "path": "interactions/updated"}},
}


def test_an_interaction_tells_what_the_operations_need(caller: Caller) -> None:
    read = caller.get(VOICE).json()
    assert (read["id"], read["type"], read["status"], read["version"]) == ("voice-1001", "voice", "active", 1)
    assert read["customer"] == {"id": "cust-1", "phoneNumber": "+15550100101", "email": "ada@example.com"}
    assert datetime.fromisoformat(read["startTime"]) < datetime.fromisoformat(read["endTime"])


def test_channels_write_their_times_in_different_zones(caller: Caller) -> None:
    zones = {
        kind: datetime.fromisoformat(caller.get(f"/api/v2/interactions/{kind}").json()["startTime"]).utcoffset()
        for kind in ("voice-1001", "chat-1002", "email-1003")
    }
    assert zones == {
        "voice-1001": timedelta(hours=2),
        "chat-1002": timedelta(hours=-4),
        "email-1003": timedelta(0),
    }


def test_the_examples_hold_every_case_that_an_operation_refuses(caller: Caller, clock: FakeClock) -> None:
    interactions = caller.state()["interactions"].values()
    assert {one["status"] for one in interactions} == {"active", "archived", "deleted"}
    assert {one["type"] for one in interactions} >= {"voice", "chat", "email", "sms"}
    assert any(one["customer"] is None for one in interactions)
    assert any(one["customer"] and "phoneNumber" not in one["customer"] for one in interactions)
    ages = [clock.now() - datetime.fromisoformat(one["createdDate"]) for one in interactions]
    assert any(age > timedelta(days=365) for age in ages)
    assert any(age > timedelta(days=2555) for age in ages)


def test_an_update_changes_attributes_and_disposition_under_a_new_version(caller: Caller, clock: FakeClock) -> None:
    clock.advance(5)
    answer = caller.patch(VOICE, {"attributes": {"crm_tier": "gold"}, "dispositionCode": "RESOLVED"})
    assert answer.status_code == 200
    after = caller.get(VOICE).json()
    assert after["attributes"]["crm_tier"] == "gold"
    assert (after["dispositionCode"], after["version"]) == ("RESOLVED", 2)
    assert after["updatedDate"] == "2026-05-01T12:00:05.000Z"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"attributes": {"createdDate": "x"}}, "attributes.createdDate"),
        ({"attributes": {"conversationId": "x"}}, "attributes.conversationId"),
        ({"attributes": {"a": 1}}, "attributes.a"),
        ({"attributes": []}, "attributes"),
        ({}, "attributes"),
        ({"attributes": {"a": "b"}, "status": "deleted"}, "status"),
        ({"dispositionCode": 7}, "dispositionCode"),
    ],
)
def test_an_update_that_is_wrong_names_the_field(caller: Caller, body: object, field: str) -> None:
    answer = caller.patch(VOICE, body)
    assert answer.status_code == 400
    assert [detail["fieldName"] for detail in answer.json()["details"]] == [field]
    assert caller.get(VOICE).json()["version"] == 1


@pytest.mark.parametrize(("interaction", "status"), [("nobody", 404), ("email-1008", 400), ("sms-1009", 400)])
def test_only_an_active_interaction_is_updated(caller: Caller, interaction: str, status: int) -> None:
    answer = caller.patch(f"/api/v2/interactions/{interaction}", {"attributes": {"a": "b"}})
    assert answer.status_code == status


def test_an_export_is_taken_and_remembered(caller: Caller) -> None:
    answer = caller.post("/api/v2/integrations/exports", EXPORT)
    assert answer.status_code == 202
    [export] = caller.state()["exports"].values()
    assert export.items() >= EXPORT.items()


@pytest.mark.parametrize("query", ["id eq 'a' or id ne 'b'", "id eq 'O'Hara'", "id eq ''", "everything"])
def test_an_export_whose_query_was_not_quoted_safely_is_refused(caller: Caller, query: str) -> None:
    answer = caller.post("/api/v2/integrations/exports", {**EXPORT, "filter": {"type": "interaction", "query": query}})
    assert answer.status_code == 400
    assert [detail["fieldName"] for detail in answer.json()["details"]] == ["filter.query"]


def test_a_quote_in_an_export_id_is_doubled(caller: Caller) -> None:
    body = {**EXPORT, "filter": {"type": "interaction", "query": "id eq 'O''Hara'"}}
    assert caller.post("/api/v2/integrations/exports", body).status_code == 202


def test_the_crm_tells_what_enrichment_needs(caller: Caller) -> None:
    caller.token = ""
    read = caller.get("/v1/customers/cust-1").json()
    assert read == {"id": "cust-1", "lifetimeValue": 12450.75, "tier": "gold", "lastSupportTicket": "TCK-4711"}
    assert caller.get("/v1/customers/cust-2").json()["lastSupportTicket"] is None
    assert caller.get(f"/v1/customers/{quote('nobody')}").status_code == 404
