"""The webhook by which Genesys tells of our own command is not sent back to who asked for it, whichever comes first.

Real webhooks of the sandbox, which come when the test lets them: they are held by a receiver in between.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import requests
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select

from bridge.commands.asking import Asker
from bridge.events import COMMANDS, Event
from bridge.intake.backlog import Backlog
from bridge.intake.receiver import Receiver as Intake
from bridge.intake.recorder import Arrival
from bridge.intake.rejections import RejectionLog
from bridge.intake.shared_commits import SharedCommits
from bridge.intake.sources import build_source
from bridge.outbox.ledger.claim import claim
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.settings.model import Secret, SourceSettings, VerifySettings
from bridge.tables import DeliveryRow, EventRow
from tests.commands.office import Office, opened, settings
from tests.fakes import FakeClock
from tests.receivers import Received, Receiver

SECRET = "a webhook secret for tests"
GENESYS = SourceSettings(
    name="genesys", format="genesys", verify=VerifySettings(scheme="hub-sha256", secrets=(Secret(SECRET),))
)
CRM_TEAM = Asker(actor="token:crm", destination="crm")
CONVERSATION = {"conversation_id": "conv-2001", "attributes": {"tier": "gold", "score": 7}}
INTERACTION = {"interaction_id": "voice-1001", "customer_id": "cust-1", "attributes": {"topic": "refund"}}
ITEM = {"sku": "AB-1234", "quantity": 41, "price": 19.99, "status": "available"}
RECORD = {"schema": "InventoryItem", "record_id": "item-3001", "version": 1, "fields": ITEM}
ENRICHMENT = {"crm_lifetime_value": "12450.75", "crm_tier": "gold", "crm_last_ticket": "TCK-4711"}
MERGE = {"interactions": [{"id": "voice-1001", "type": "voice"}, {"id": "chat-1002", "type": "chat"}]}
#: Operation, body, and the webhook's type.
CHANGES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("conversation.attributes.update", CONVERSATION, "conversation.attributes.updated"),
    ("interaction.update", INTERACTION, "interaction.updated"),
    ("record.update", RECORD, "custom_object.record.updated"),
    ("interaction.merge", MERGE, "interaction.merged"),
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def held() -> Iterator[Receiver]:
    """Where the sandbox posts its webhooks to."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def sandbox(clock: FakeClock, held: Receiver) -> Iterator[SandboxServer]:
    config = SandboxConfig(webhook_url=held.url, webhook_secret=SECRET, merge_polls=1)
    with SandboxServer(config, clock=clock.now) as server:
        yield server


@pytest.fixture
def crm() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def office(database_url: str, sandbox: SandboxServer, crm: Receiver, clock: FakeClock) -> Iterator[Office]:
    configured = settings(database_url, sandbox.url, crm_url=crm.url)
    with opened(replace(configured, sources={"genesys": GENESYS}), clock) as office:
        yield office


class Door:
    """The bridge's door for webhooks, as `bridge.app` makes it."""

    def __init__(self, office: Office, clock: FakeClock) -> None:
        wiring = office.wiring
        assert wiring.echoes is not None
        window = wiring.settings.server.dedupe_window
        commits = SharedCommits(
            wiring.database,
            clock,
            notes=wiring.notes,
            vault=wiring.vault,
            dedupe_window=window,
            mark=wiring.echoes.mark,
        )
        self._intake = Intake(
            {"genesys": build_source(GENESYS, clock)},
            server=wiring.settings.server,
            commits=commits,
            backlog=Backlog(wiring.database, clock, max_backlog=1000),
            rejections=RejectionLog(commits, clock),
            clock=clock,
        )

    def take(self, request: Received) -> dict[str, Any]:
        """Hand on a webhook that was held; what the bridge answers."""
        environ = {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": request.headers["Content-Type"],
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_X_HUB_SIGNATURE_256": request.headers["X-Hub-Signature-256"],
            "wsgi.input": io.BytesIO(request.body),
            "REMOTE_ADDR": "127.0.0.1",
        }
        answer: dict[str, Any] = orjson.loads(self._intake.receive("genesys", environ).body)
        return answer

    def close(self) -> None:
        self._intake.stop()


@pytest.fixture
def door(office: Office, clock: FakeClock) -> Iterator[Door]:
    door = Door(office, clock)
    yield door
    door.close()


def ask(office: Office, operation: str, body: dict[str, Any], asker: Asker = CRM_TEAM) -> str:
    return office.wiring.commands.ask(operation, body, asker=asker).id


def until_over(office: Office, clock: FakeClock, command_id: str) -> None:
    for _ in range(20):
        office.carry_out()
        if office.state(command_id).is_over:
            assert office.state(command_id).state == "succeeded"
            return
        clock.advance(3)
    raise AssertionError(office.state(command_id))


def until_told(office: Office, clock: FakeClock, held: Receiver, count: int) -> list[Received]:
    """Carry out what is due, without the end of a command that polls, until the webhooks are there."""
    for _ in range(10):
        office.carry_out()
        with suppress(AssertionError):  # the sandbox posts from a thread of its own
            return held.wait_for(count, timeout=1.0)
        clock.advance(3)
    return held.wait_for(count)


def recorded(office: Office) -> list[tuple[str, str, str | None]]:
    """Source, type and mark of every event that is no command."""
    with office.wiring.database.read() as session:
        rows = session.scalars(select(EventRow).order_by(EventRow.id))
        return [(row.source, row.type, row.caused_by) for row in rows if row.type not in COMMANDS]


def owed_to_crm(office: Office) -> int:
    with office.wiring.database.read() as session:
        return len(session.scalars(select(DeliveryRow).where(DeliveryRow.destination == "crm")).all())


def change_as_agent(sandbox: SandboxServer, path: str, body: dict[str, Any]) -> None:
    method = "PUT" if path.startswith("records") else "PATCH"
    requests.request(method, f"{sandbox.url}/_sandbox/{path}", json=body, timeout=5).raise_for_status()


def lose_answers(sandbox: SandboxServer, times: int = 1) -> None:
    """Genesys does it, and hangs up in place of the answer: the webhook is there long before the fact."""
    for method, path in (("PATCH", "*"), ("PUT", "*"), ("GET", "*/status")):
        fault = {"path": path, "method": method, "kind": "drop_after_apply", "times": times}
        requests.post(f"{sandbox.url}/_sandbox/faults", json=fault, timeout=5).raise_for_status()


@pytest.mark.parametrize(("operation", "body", "event_type"), CHANGES)
def test_a_webhook_after_its_fact_is_the_same_event(
    office: Office, door: Door, clock: FakeClock, held: Receiver, operation: str, body: dict[str, Any], event_type: str
) -> None:
    until_over(office, clock, ask(office, operation, body))
    (webhook,) = held.wait_for(1)
    assert door.take(webhook)["duplicate"]
    assert recorded(office) == [("bridge", event_type, "crm")]
    assert owed_to_crm(office) == 0


@pytest.mark.parametrize(("operation", "body", "event_type"), CHANGES)
def test_a_webhook_before_its_fact_is_marked_and_not_sent_back(
    office: Office,
    door: Door,
    clock: FakeClock,
    sandbox: SandboxServer,
    held: Receiver,
    operation: str,
    body: dict[str, Any],
    event_type: str,
) -> None:
    lose_answers(sandbox)
    command = ask(office, operation, body)
    (webhook,) = until_told(office, clock, held, 1)
    assert not office.state(command).is_over
    told = door.take(webhook)
    assert (told["duplicate"], told["deliveries"]) == (False, [])
    until_over(office, clock, command)
    assert ("genesys", event_type, "crm") in recorded(office)
    assert {mark for _, _, mark in recorded(office)} == {"crm"}
    assert owed_to_crm(office) == 0


def test_while_the_step_runs_a_webhook_is_marked_too(
    office: Office, door: Door, clock: FakeClock, sandbox: SandboxServer, held: Receiver
) -> None:
    ask(office, "conversation.attributes.update", CONVERSATION)
    change_as_agent(sandbox, "conversations/conv-2001", {"attributes": CONVERSATION["attributes"]})
    (webhook,) = held.wait_for(1)
    wiring = office.wiring
    with wiring.database.write() as session:
        claimed = claim(
            session,
            "genesys",
            limit=1,
            policy=wiring.destinations["genesys"].policy,
            now=clock.now(),
            notes=wiring.notes,
            vault=wiring.vault,
        )
    assert len(claimed) == 1
    assert door.take(webhook)["deliveries"] == []


def test_before_anybody_carries_it_out_a_command_causes_nothing(
    office: Office, door: Door, sandbox: SandboxServer, held: Receiver
) -> None:
    ask(office, "conversation.attributes.update", CONVERSATION)
    change_as_agent(sandbox, "conversations/conv-2001", {"attributes": CONVERSATION["attributes"]})
    assert door.take(held.wait_for(1)[0])["deliveries"] == ["crm"]


def test_of_a_merge_destinations_hear_the_fact_though_the_webhook_came_first(
    office: Office, door: Door, clock: FakeClock, sandbox: SandboxServer, held: Receiver, crm: Receiver
) -> None:
    lose_answers(sandbox)
    command = ask(office, "interaction.merge", MERGE, Asker(actor="token:erp", destination="erp"))
    (webhook,) = until_told(office, clock, held, 1)
    assert not office.state(command).is_over
    assert door.take(webhook)["deliveries"] == []
    assert door.take(webhook)["duplicate"]
    until_over(office, clock, command)
    office.carry_out()
    (told,) = crm.wait_for(1)
    assert told.json()["metrics"]["priorityScore"] == 9
    assert told.json()["channelSequence"]


@pytest.mark.parametrize("asker", [Asker(actor="cli:eva"), Asker(actor="token:erp", destination="erp")])
def test_others_are_told_of_what_they_did_not_ask_for(
    office: Office, door: Door, clock: FakeClock, sandbox: SandboxServer, held: Receiver, asker: Asker
) -> None:
    lose_answers(sandbox)
    ask(office, "conversation.attributes.update", CONVERSATION, asker)
    (webhook,) = until_told(office, clock, held, 1)
    assert door.take(webhook)["deliveries"] == ["crm"]
    assert recorded(office) == [("genesys", "conversation.attributes.updated", asker.destination)]


@pytest.mark.parametrize(
    ("operation", "body", "path", "change"),
    [
        ("conversation.attributes.update", CONVERSATION, "conversations/conv-2001", {"attributes": {"tier": "gold"}}),
        (
            "conversation.attributes.update",
            CONVERSATION,
            "conversations/conv-2001",
            {"attributes": {"tier": "gold", "score": "7"}},
        ),
        ("interaction.update", INTERACTION, "interactions/voice-1001", {"attributes": {"topic": "other"}}),
        (
            "interaction.update",
            INTERACTION,
            "interactions/voice-1001",
            {"attributes": {"topic": "refund"}, "dispositionCode": "won"},
        ),
        ("record.update", RECORD, "records/InventoryItem/item-3001", {"fields": {"quantity": 42}}),
    ],
)
def test_what_says_something_else_is_somebody_elses(
    office: Office,
    door: Door,
    sandbox: SandboxServer,
    held: Receiver,
    operation: str,
    body: dict[str, Any],
    path: str,
    change: dict[str, Any],
) -> None:
    fault = {"path": "/api/v2/*", "kind": "status", "status": 503, "times": None}
    requests.post(f"{sandbox.url}/_sandbox/faults", json=fault, timeout=5).raise_for_status()
    ask(office, operation, body)
    office.carry_out()
    change_as_agent(sandbox, path, change)
    told = door.take(held.wait_for(1)[0])
    assert recorded(office) == [("genesys", told["type"], None)]


def test_a_change_back_by_somebody_else_is_told(
    office: Office, door: Door, clock: FakeClock, sandbox: SandboxServer, held: Receiver
) -> None:
    """Gold by the command, silver by an agent, gold by an agent: the last one is news to who asked for the first."""
    until_over(office, clock, ask(office, "conversation.attributes.update", CONVERSATION))
    for attributes in ({"tier": "silver"}, CONVERSATION["attributes"]):
        change_as_agent(sandbox, "conversations/conv-2001", {"attributes": attributes})
    taken = [door.take(webhook) for webhook in held.wait_for(3)]
    assert [(one["duplicate"], one["deliveries"]) for one in taken] == [(True, []), (False, ["crm"]), (False, ["crm"])]


def test_a_change_back_without_versions_to_tell_is_told_too(
    office: Office, door: Door, clock: FakeClock, sandbox: SandboxServer, held: Receiver
) -> None:
    """The same during an outage, while the command is begun and nobody knows which version it will give."""
    fault = {"path": "/api/v2/*", "kind": "status", "status": 503, "times": None}
    requests.post(f"{sandbox.url}/_sandbox/faults", json=fault, timeout=5).raise_for_status()
    ask(office, "conversation.attributes.update", CONVERSATION)
    office.carry_out()
    for attributes in (CONVERSATION["attributes"], {"tier": "silver"}, CONVERSATION["attributes"]):
        change_as_agent(sandbox, "conversations/conv-2001", {"attributes": attributes})
    taken = [door.take(webhook) for webhook in held.wait_for(3)]
    assert [one["deliveries"] for one in taken] == [[], ["crm"], ["crm"]]


def test_in_one_transaction_the_order_of_the_webhooks_counts_as_well(
    office: Office, clock: FakeClock, sandbox: SandboxServer, held: Receiver
) -> None:
    fault = {"path": "/api/v2/*", "kind": "status", "status": 503, "times": None}
    requests.post(f"{sandbox.url}/_sandbox/faults", json=fault, timeout=5).raise_for_status()
    ask(office, "conversation.attributes.update", CONVERSATION)
    office.carry_out()
    for attributes in (CONVERSATION["attributes"], {"tier": "silver"}, CONVERSATION["attributes"]):
        change_as_agent(sandbox, "conversations/conv-2001", {"attributes": attributes})
    source, echoes = build_source(GENESYS, clock), office.wiring.echoes
    assert echoes is not None
    arrivals = [
        Arrival(event=event, source="genesys", body=b"{}", received_at=clock.now())
        for webhook in held.wait_for(3)
        for event in source.format.parse(webhook.json(), source="genesys")
    ]
    with office.wiring.database.read() as session:
        assert [one.caused_by for one in echoes.mark(session, arrivals, clock.now())] == ["crm", None, None]


def test_several_commands_of_one_sender_about_the_same_thing_are_all_known(
    office: Office, door: Door, clock: FakeClock, sandbox: SandboxServer, held: Receiver
) -> None:
    """Asked for at once, carried out one by one, each of its webhooks before its fact."""
    commands = [
        ask(office, "conversation.attributes.update", {**CONVERSATION, "attributes": {"step": step}})
        for step in (1, 2, 3)
    ]
    lose_answers(sandbox, times=3)
    for number, command in enumerate(commands, start=1):
        webhook = until_told(office, clock, held, number)[-1]
        told = door.take(webhook)
        assert (told["duplicate"], told["deliveries"]) == (False, [])
        until_over(office, clock, command)
    assert owed_to_crm(office) == 0


def test_long_after_its_end_a_command_causes_nothing(
    office: Office, door: Door, clock: FakeClock, sandbox: SandboxServer, held: Receiver
) -> None:
    change_as_agent(sandbox, "interactions/voice-1001", {"attributes": {"topic": "refund", **ENRICHMENT}})
    until_over(office, clock, ask(office, "interaction.update", INTERACTION))
    clock.advance(office.wiring.settings.server.dedupe_window.total_seconds() + 1)
    assert door.take(held.wait_for(1)[0])["deliveries"] == ["crm"]


def test_a_webhook_of_another_source_is_never_an_echo(
    office: Office, clock: FakeClock, sandbox: SandboxServer, held: Receiver
) -> None:
    lose_answers(sandbox)
    ask(office, "conversation.attributes.update", CONVERSATION)
    (webhook,) = until_told(office, clock, held, 1)
    (event,) = build_source(GENESYS, clock).format.parse(webhook.json(), source="genesys")
    arrival = Arrival(event=event, source="other", body=b"{}", received_at=clock.now())
    echoes = office.wiring.echoes
    assert echoes is not None
    with office.wiring.database.read() as session:
        for others in ([], [replace(arrival, source="genesys")]):
            marked = echoes.mark(session, [*others, arrival], clock.now())
            assert [one.caused_by for one in marked] == [*["crm"] * len(others), None]


def test_the_same_values_under_another_version_are_another_change(
    office: Office, door: Door, clock: FakeClock, sandbox: SandboxServer, held: Receiver
) -> None:
    until_over(office, clock, ask(office, "conversation.attributes.update", CONVERSATION))
    change_as_agent(sandbox, "conversations/conv-2001", {"attributes": CONVERSATION["attributes"]})
    assert [door.take(webhook)["deliveries"] for webhook in held.wait_for(2)] == [[], ["crm"]]


def test_what_no_command_can_have_caused_is_not_looked_up(office: Office, clock: FakeClock) -> None:
    echoes, wiring = office.wiring.echoes, office.wiring
    assert echoes is not None
    event = Event(type="interaction.purged", subject="interaction:i-1", payload={"interactionId": "i-1"})
    arrivals = [Arrival(event=event, source="genesys", body=b"{}", received_at=clock.now())] * 3
    with wiring.database.read() as session:
        session.connection()
        statements: list[str] = []
        sqlalchemy_event.listen(
            wiring.database.engine, "before_cursor_execute", lambda *told: statements.append(told[2])
        )
        assert echoes.mark(session, arrivals, clock.now()) is arrivals
        assert statements == []
        changed = replace(event, type="interaction.updated")
        echoes.mark(session, [replace(arrivals[0], event=changed)] * 64, clock.now())
        assert len(statements) == 1, "one for all that are recorded together"
