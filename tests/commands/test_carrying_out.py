"""Commands from the ask to the fact, against the sandbox over real HTTP, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from sqlalchemy import select

from bridge.commands.asking import Asker
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.tables import AuditEntryRow, EventRow
from tests.commands.office import Office, opened, settings
from tests.fakes import FakeClock
from tests.opened import opened_events
from tests.receivers import Receiver


@pytest.fixture
def clock() -> FakeClock:
    """Today, so that the sandbox's retention examples are what they say."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def sandbox(clock: FakeClock) -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(), clock=clock.now) as server:
        yield server


@pytest.fixture
def crm() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def office(database_url: str, sandbox: SandboxServer, crm: Receiver, clock: FakeClock) -> Iterator[Office]:
    with opened(settings(database_url, sandbox.url, crm_url=crm.url), clock) as office:
        yield office


def until_over(office: Office, clock: FakeClock, command_id: str, *, step: float = 5, steps: int = 60) -> str:
    """Let time pass until the command has ended; its state."""
    for _ in range(steps):
        office.carry_out()
        state = office.state(command_id).state
        if state not in ("accepted", "running"):
            return state
        clock.advance(step)
    return state


def fault(sandbox: SandboxServer, **order: object) -> None:
    assert requests.post(f"{sandbox.url}/_sandbox/faults", json=order, timeout=5).status_code < 300


def seen(sandbox: SandboxServer) -> dict[str, dict[str, object]]:
    answer: dict[str, dict[str, object]] = requests.get(f"{sandbox.url}/_sandbox/state", timeout=5).json()
    return answer


def facts(office: Office, event_type: str) -> list[EventRow]:
    with office.wiring.database.read() as session:
        rows = session.scalars(select(EventRow).where(EventRow.type == event_type))
        return opened_events(session, rows, office.wiring.vault)


def audited(office: Office, action: str) -> list[dict[str, object]]:
    with office.wiring.database.read() as session:
        return list(session.scalars(select(AuditEntryRow.details).where(AuditEntryRow.action == action)))


def test_an_attribute_update_reaches_genesys_and_its_fact_the_crm(
    office: Office, clock: FakeClock, crm: Receiver
) -> None:
    body = {"conversation_id": "conv-2001", "attributes": {"tier": "gold", "score": 7}}
    asked = office.ask("conversation.attributes.update", body)
    assert until_over(office, clock, asked.id) == "succeeded"
    (request,) = crm.wait_for(1)
    told = request.json()
    assert told["eventType"] == "CONVERSATION_ATTRIBUTES_UPDATED"
    assert told["payload"]["conversationId"] == "conv-2001"
    assert told["payload"]["updatedAttributes"] == {"tier": "gold", "score": 7}
    (entry,) = audited(office, "conversation.attributes.update")
    assert entry["updatedKeys"] == ["score", "tier"]


def test_a_conflict_is_read_again_and_counted(office: Office, clock: FakeClock, sandbox: SandboxServer) -> None:
    fault(sandbox, path="/api/v2/conversations/*/attributes", method="PATCH", kind="status", status=412, times=1)
    asked = office.ask(
        "conversation.attributes.update", {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
    )
    assert until_over(office, clock, asked.id) == "succeeded"
    assert office.state(asked.id).conflicts == 1


def test_an_interaction_update_is_enriched_from_the_crm(office: Office, clock: FakeClock, crm: Receiver) -> None:
    body = {"interaction_id": "voice-1001", "customer_id": "cust-1", "attributes": {"topic": "refund"}}
    asked = office.ask("interaction.update", body)
    assert until_over(office, clock, asked.id) == "succeeded"
    (request,) = crm.wait_for(1)
    assert request.json()["payload"]["updatedAttributes"] == {
        "topic": "refund",
        "crm_lifetime_value": "12450.75",
        "crm_tier": "gold",
        "crm_last_ticket": "TCK-4711",
    }


def test_a_reply_lost_after_it_was_applied_does_not_do_it_twice(
    office: Office, clock: FakeClock, sandbox: SandboxServer
) -> None:
    fault(sandbox, path="/api/v2/conversations/*/attributes", method="PATCH", kind="drop_after_apply", times=1)
    asked = office.ask(
        "conversation.attributes.update", {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
    )
    assert until_over(office, clock, asked.id) == "succeeded"
    assert len(facts(office, "conversation.attributes.updated")) == 1
    requests_made = seen(sandbox)["requests"]["PATCH /api/v2/conversations/conv-2001/attributes"]
    assert requests_made["count"] == 1, "the second try saw that the values were there"  # type: ignore[index]


def test_a_merge_polls_durably_and_is_submitted_once(
    office: Office, clock: FakeClock, sandbox: SandboxServer, crm: Receiver
) -> None:
    body = {"interactions": [{"id": "voice-1001", "type": "voice"}, {"id": "chat-1002", "type": "chat"}]}
    asked = office.ask("interaction.merge", body)
    assert until_over(office, clock, asked.id) == "succeeded"
    merges = seen(sandbox)["merges"]
    assert [one["submissions"] for one in merges.values()] == [1]  # type: ignore[index]
    result = office.state(asked.id).result
    assert result is not None
    assert result["metrics"]["priorityScore"] == 9  # type: ignore[index]
    told = crm.wait_for(1)[0].json()
    assert told["event"] == "interaction_merged"
    assert told["metrics"]["deduplicationAccuracy"] in (1, None)


def test_a_record_update_under_an_old_version_fails_with_both_versions(office: Office, clock: FakeClock) -> None:
    fields = {"sku": "AB-1234", "quantity": 41, "price": 19.99, "status": "available"}
    body = {"schema": "InventoryItem", "record_id": "item-3001", "version": 7, "fields": fields}
    asked = office.ask("record.update", body)
    assert until_over(office, clock, asked.id) == "failed"
    assert office.state(asked.id).error == "the record has version 1: read it again and decide"


def test_an_outage_of_genesys_loses_no_command(office: Office, clock: FakeClock, sandbox: SandboxServer) -> None:
    fault(sandbox, path="/api/v2/conversations/*", kind="status", status=503, times=4)
    asked = office.ask(
        "conversation.attributes.update", {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
    )
    assert until_over(office, clock, asked.id) == "succeeded"
    assert office.state(asked.id).attempts > 1


def test_a_rate_limit_is_waited_for_without_holding_anybody(
    office: Office, clock: FakeClock, sandbox: SandboxServer
) -> None:
    fault(
        sandbox,
        path="/api/v2/conversations/conv-2001",
        kind="status",
        status=429,
        headers={"Retry-After": "30"},
        times=1,
    )
    slow = office.ask(
        "conversation.attributes.update", {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
    )
    office.carry_out()
    assert office.state(slow.id).state == "running"
    clock.advance(29)
    office.carry_out()
    assert office.state(slow.id).state == "running"
    clock.advance(2)
    assert until_over(office, clock, slow.id) == "succeeded"


def test_commands_about_one_subject_are_carried_out_in_order(office: Office, clock: FakeClock) -> None:
    asked = [
        office.ask("conversation.attributes.update", {"conversation_id": "conv-2001", "attributes": {"step": step}})
        for step in (1, 2, 3)
    ]
    for one in asked:
        assert until_over(office, clock, one.id) == "succeeded"
    steps = [fact.payload["updatedAttributes"]["step"] for fact in facts(office, "conversation.attributes.updated")]
    assert steps == [1, 2, 3]


def test_the_sender_of_a_command_is_not_told_what_it_asked_for(office: Office, clock: FakeClock, crm: Receiver) -> None:
    body = {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
    asked = office.wiring.commands.ask(
        "conversation.attributes.update", body, asker=Asker(actor="token:crm", destination="crm")
    )
    assert until_over(office, clock, asked.id) == "succeeded"
    assert len(facts(office, "conversation.attributes.updated")) == 1
    assert crm.wait_for(0) == []


def test_a_token_revoked_in_the_middle_is_renewed(office: Office, clock: FakeClock, sandbox: SandboxServer) -> None:
    fault(sandbox, path="/api/v2/conversations/*/attributes", kind="revoke_token", times=1)
    asked = office.ask(
        "conversation.attributes.update", {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
    )
    assert until_over(office, clock, asked.id) == "succeeded"


def test_a_long_poll_survives_days(office: Office, clock: FakeClock, sandbox: SandboxServer) -> None:
    clock.advance(timedelta(days=1).total_seconds())
    body = {"interactions": [{"id": "voice-1001", "type": "voice"}, {"id": "chat-1002", "type": "chat"}]}
    fault(sandbox, path="/api/v2/interactions/*/status", kind="status", status=503, times=5)
    asked = office.ask("interaction.merge", body)
    assert until_over(office, clock, asked.id, step=20) == "succeeded"
    assert [one["submissions"] for one in seen(sandbox)["merges"].values()] == [1]  # type: ignore[index]
