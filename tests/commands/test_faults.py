"""What goes wrong at Genesys and between: breaker, rate limits, lost answers, killed workers, purges that end badly.

Against the sandbox over real HTTP, in the test's own time, on both databases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests

from bridge.audit.signing import is_signed_by
from bridge.commands.asking import Asker
from bridge.commands.reading import CommandView
from bridge.outbox.ledger.claim import claim
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.settings.model import BreakerSettings, DestinationSettings
from tests.commands.office import Office, opened, purge_policy, settings
from tests.fakes import FakeClock
from tests.receivers import Receiver

EVA, OTTO = Asker(actor="token:eva"), Asker(actor="token:otto")
UPDATE = {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
MERGE = {"interactions": [{"id": "voice-1001", "type": "voice"}, {"id": "chat-1002", "type": "chat"}]}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def sandbox(clock: FakeClock) -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(purge_polls=1), clock=clock.now) as server:
        yield server


@pytest.fixture
def governance() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def office(database_url: str, sandbox: SandboxServer, governance: Receiver, clock: FakeClock) -> Iterator[Office]:
    configured = settings(database_url, sandbox.url)
    destinations = {
        "governance": DestinationSettings(name="governance", kind="governance", url=governance.url, allow_local=True),
        # Out of the way of the client's own breaker.
        "genesys": replace(configured.destinations["genesys"], breaker=BreakerSettings(failures=1000)),
    }
    with opened(replace(configured, destinations=destinations), clock) as office:
        yield office


def fault(sandbox: SandboxServer, **order: object) -> None:
    requests.post(f"{sandbox.url}/_sandbox/faults", json=order, timeout=5).raise_for_status()


def seen(sandbox: SandboxServer, what: str) -> dict[str, Any]:
    state: dict[str, Any] = requests.get(f"{sandbox.url}/_sandbox/state", timeout=5).json()[what]
    return state


def calls(sandbox: SandboxServer) -> int:
    return sum(counted["count"] for counted in seen(sandbox, "requests").values())


def breaker(office: Office) -> str:
    client = office.wiring.genesys
    assert client is not None
    return client.breaker_state


def until_over(office: Office, clock: FakeClock, command_id: str, *, step: float = 5, steps: int = 60) -> CommandView:
    for _ in range(steps):
        office.carry_out()
        command = office.state(command_id)
        if command.is_over:
            return command
        clock.advance(step)
    raise AssertionError(command)


def test_failures_in_a_row_open_the_clients_breaker_and_nothing_is_sent_until_it_half_opens(
    office: Office, clock: FakeClock, sandbox: SandboxServer
) -> None:
    fault(sandbox, path="/api/v2/*", kind="status", status=503, times=6)
    command = office.ask("conversation.attributes.update", UPDATE)
    while breaker(office) == "closed":
        office.carry_out()
        if breaker(office) == "closed":
            clock.advance(5)
    attempts, made = office.state(command.id).attempts, calls(sandbox)
    assert attempts == 6, "more than five"
    for _ in range(5):
        clock.advance(5)
        office.carry_out()
    assert breaker(office) == "open"
    assert (office.state(command.id).attempts, calls(sandbox)) == (attempts, made), "held back is no failed try"
    clock.advance(120)
    assert breaker(office) == "half-open"
    assert until_over(office, clock, command.id).state == "succeeded"
    assert breaker(office) == "closed"


def test_a_probe_that_fails_opens_the_breaker_again(office: Office, clock: FakeClock, sandbox: SandboxServer) -> None:
    fault(sandbox, path="/api/v2/*", kind="status", status=500, times=7)
    command = office.ask("conversation.attributes.update", UPDATE)
    while breaker(office) == "closed":
        clock.advance(30)
        office.carry_out()
    clock.advance(120)
    office.carry_out()
    assert breaker(office) == "open"
    assert until_over(office, clock, command.id).state == "succeeded"


@pytest.mark.parametrize("as_date", [False, True])
def test_nothing_is_asked_before_a_rate_limit_is_over_in_either_form(
    office: Office, clock: FakeClock, sandbox: SandboxServer, as_date: bool
) -> None:
    over = (clock.now() + timedelta(seconds=41)).replace(microsecond=0)
    after = format_datetime(over, usegmt=True) if as_date else "40"
    fault(sandbox, path="*/conv-2001", kind="status", status=429, headers={"Retry-After": after})
    limited = office.ask("conversation.attributes.update", UPDATE)
    office.carry_out()
    other = office.ask("conversation.attributes.update", {**UPDATE, "conversation_id": "conv-2002"})
    made = calls(sandbox)
    for _ in range(3):
        clock.advance(12)
        office.carry_out()
    assert calls(sandbox) == made, "the limit is the client's, so nobody is asked anything"
    assert office.state(other.id).attempts == 0, "waiting for it is no failed try"
    clock.advance(6)
    assert until_over(office, clock, limited.id).state == "succeeded"
    assert until_over(office, clock, other.id).state == "succeeded"


def test_a_submission_whose_answer_is_lost_is_still_one_merge(
    office: Office, clock: FakeClock, sandbox: SandboxServer
) -> None:
    fault(sandbox, path="/api/v2/interactions/merge", kind="drop_after_apply", times=2)
    command = office.ask("interaction.merge", MERGE)
    assert until_over(office, clock, command.id).state == "succeeded"
    (merge,) = seen(sandbox, "merges").values()
    assert merge["submissions"] == 3
    assert office.state(command.id).progress["merged_id"] == merge["id"]


def test_a_worker_killed_before_it_could_store_the_submission_makes_one_merge(
    office: Office, clock: FakeClock, sandbox: SandboxServer
) -> None:
    fault(sandbox, path="/api/v2/interactions/merge", kind="status", status=503)
    command = office.ask("interaction.merge", MERGE)
    office.carry_out()
    clock.advance(10)
    wiring = office.wiring
    genesys = wiring.destinations["genesys"]
    with wiring.database.write() as session:
        (claimed,) = claim(
            session, "genesys", limit=1, policy=genesys.policy, now=clock.now(), notes=wiring.notes, vault=wiring.vault
        )
    genesys.send(claimed)  # what it gives dies with its process
    assert len(seen(sandbox, "merges")) == 1
    assert "merged_id" not in office.state(command.id).progress
    office.carry_out()
    assert [merge["submissions"] for merge in seen(sandbox, "merges").values()] == [1], "the lease still runs"
    clock.advance(genesys.policy.lease.total_seconds())
    assert until_over(office, clock, command.id).state == "succeeded"
    (merge,) = seen(sandbox, "merges").values()
    result = office.state(command.id).result
    assert result is not None
    assert result["mergedInteractionId"] == merge["id"]


@pytest.mark.parametrize(
    ("end", "state", "status", "fact"),
    [
        ("completed", "succeeded", "completed", "purge.completed"),
        ("failed", "failed", "failed", "purge.failed"),
        ("cancelled", "failed", "cancelled", "purge.cancelled"),
        ("unknown", "failed", "failed", "purge.failed"),
    ],
)
def test_however_a_purge_ends_governance_gets_a_signed_entry(
    office: Office,
    clock: FakeClock,
    sandbox: SandboxServer,
    governance: Receiver,
    end: str,
    state: str,
    status: str,
    fact: str,
) -> None:
    if end in ("failed", "cancelled"):
        fault(sandbox, path="/api/v2/interactions/purge", method="POST", kind="outcome", outcome=end)
    if end == "unknown":
        fault(sandbox, path="/api/v2/interactions/purge/*", method="GET", kind="status", status=404)
    purges = office.wiring.purges
    plan = purges.plan(purge_policy(), person="eva", asker=EVA)
    approved = purges.approve(plan.id, person="otto", asker=OTTO)
    command = until_over(office, clock, approved.id)
    assert command.state == state == purges.read(plan.id).state
    office.carry_out()
    (request,) = governance.wait_for(1)
    entry = request.json()
    assert (entry["status"], entry["command"]) == (status, command.id)
    assert entry["complianceTags"] == ["internal", "permanent", "automated_retention"]
    assert (request.headers["X-Audit-Source"], request.headers["X-Request-ID"]) == (
        "genesys-purge-orchestrator",
        entry["auditId"],
    )
    signature = entry.pop("auditSignature")
    assert signature["publicKey"] == office.wiring.signer.public_key
    assert is_signed_by(signature["publicKey"], entry, signature["value"])
    purges.plan(purge_policy(), person="eva", asker=EVA)  # it holds its range no longer


def test_while_a_purge_is_polled_it_is_seen_how_far_it_is(database_url: str, clock: FakeClock) -> None:
    with (
        SandboxServer(SandboxConfig(purge_polls=4), clock=clock.now) as sandbox,
        opened(settings(database_url, sandbox.url), clock) as office,
    ):
        purges = office.wiring.purges
        old = {"start": "2010-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"}
        plan = purges.plan(purge_policy(interactionType="email", dateRange=old), person="eva", asker=EVA)
        approved = purges.approve(plan.id, person="otto", asker=OTTO)
        seen_so_far = []
        for _ in range(3):
            office.carry_out()
            seen_so_far.append(office.state(approved.id).progress)
            clock.advance(20)
        assert [told["status"] for told in seen_so_far] == ["queued", "running", "running"]
        assert [told.get("total_purged") for told in seen_so_far] == [None, 0, 1]
        assert until_over(office, clock, approved.id).state == "succeeded"
