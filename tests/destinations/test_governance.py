"""Kind `governance`: what the receiver gets is what was signed, whole and verifiable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.audit.seal import SealedBatch, head_statement
from bridge.audit.signing import AuditSigner, is_signed_by
from bridge.commands.asking import Asker
from bridge.destinations.command_audit import signed_fact
from bridge.errors import ConfigurationError
from bridge.events import AUDIT_SEALED, PURGE_CANCELLED, PURGE_COMPLETED, PURGE_FAILED, RecordedEvent
from bridge.genesys import Fact
from bridge.outbox.contract import Delivered, Rejected, RetryLater
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.settings.model import DestinationSettings
from tests.commands.office import purge_policy
from tests.destinations.deliveries import RECEIVED_AT, RECORD, delivery, destination
from tests.destinations.lakes import organisation, wired
from tests.fakes import FakeClock
from tests.receivers import Receiver
from tests.sandbox.calling import Caller

SIGNER = AuditSigner(b"the key of the bridge")
ENDS = (PURGE_COMPLETED, PURGE_FAILED, PURGE_CANCELLED)
#: What JSON can spell in more than one way.
METRICS = {
    "jobId": "p1",
    "durationMs": 2**53 + 1,
    "perSecond": 0.1,
    "totalInteractionsPurged": 3.0,
    "rates": [1e16, 1e-7, -0.0, 1.5e300],
    "errorReason": 'Zürich \U0001f600 "\\\u2028</script>',
}
CAUSE = replace(RECORD, type="interactions.purge", subject="purge:c1", source="bridge")


def purge(event_type: str = PURGE_COMPLETED) -> RecordedEvent:
    """The end of a purge as it is recorded."""
    told = {"purgeId": "p1", "status": event_type, "policyApplied": {"b": 1, "a": None}, "metrics": METRICS}
    fact = Fact(type=event_type, subject=None, payload=told, occurred_at=RECEIVED_AT)
    return replace(CAUSE, type=event_type, payload=signed_fact(CAUSE, fact, SIGNER))


def verified(entry: dict[str, Any], public_key: str = SIGNER.public_key) -> bool:
    """What a receiver does who has the public key: take the signature out, and check the rest."""
    signature = entry.pop("auditSignature")
    return is_signed_by(public_key, entry, signature["value"])


@pytest.mark.parametrize("event_type", ENDS)
def test_a_receiver_can_verify_what_it_gets(receiver: Receiver, event_type: str) -> None:
    assert isinstance(destination(receiver, kind="governance").send(delivery(purge(event_type))), Delivered)
    [request] = receiver.requests
    entry = request.json()
    assert list(entry)[:2] == ["auditId", "timestamp"]
    assert entry["metrics"] == METRICS
    assert verified(entry)


def test_a_body_that_was_changed_on_the_way_does_not_verify(receiver: Receiver) -> None:
    destination(receiver, kind="governance").send(delivery(purge()))
    entry = receiver.requests[0].json()
    entry["metrics"]["totalInteractionsPurged"] = 4
    assert not verified(entry)


def test_a_request_is_named_by_its_audit_entry(receiver: Receiver) -> None:
    event = purge()
    destination(receiver, kind="governance").send(delivery(event))
    headers = receiver.requests[0].headers
    assert headers.get_all("X-Audit-Source") == ["genesys-purge-orchestrator"]
    assert headers.get_all("X-Request-ID") == [event.payload["auditId"]]
    assert headers["webhook-id"] == headers["Idempotency-Key"] == "w1"


def test_a_seal_is_named_by_its_event_and_can_be_verified(receiver: Receiver) -> None:
    signature = SIGNER.sign(head_statement(9, bytes(32)))["value"]
    seal = SealedBatch(first=1, last=9, head=bytes(32), signature=signature).as_told()
    event = replace(RECORD, type=AUDIT_SEALED, subject="audit:9", payload=seal)
    destination(receiver, kind="governance").send(delivery(event))
    [request] = receiver.requests
    told = request.json()
    assert told == {"from": 1, "to": 9, "count": 9, "head": "00" * 32, "signature": signature}
    statement = head_statement(told["to"], bytes.fromhex(told["head"]))
    assert is_signed_by(SIGNER.public_key, statement, told["signature"])
    assert request.headers["X-Request-ID"] == event.id
    assert request.headers["X-Audit-Source"] == "genesys-purge-orchestrator"


@pytest.mark.parametrize("audit_id", ["a\r\nX-Evil: 1", "", "ü", "a" * 129, 7, None])
def test_an_id_that_is_none_is_not_passed_on(receiver: Receiver, audit_id: object) -> None:
    event = replace(purge(), payload={"auditId": audit_id})
    destination(receiver, kind="governance").send(delivery(event))
    assert receiver.requests[0].headers["X-Request-ID"] == event.id
    assert "X-Evil" not in receiver.requests[0].headers


def test_the_configuration_cannot_speak_for_the_kind(receiver: Receiver) -> None:
    headers = {"x-audit-source": "somebody", "X-REQUEST-ID": "7", "X-Tenant": "t"}
    event = purge()
    destination(receiver, kind="governance", headers=headers).send(delivery(event))
    sent = receiver.requests[0].headers
    assert sent.get_all("X-Audit-Source") == ["genesys-purge-orchestrator"]
    assert sent.get_all("X-Request-ID") == [event.payload["auditId"]]
    assert sent["X-Tenant"] == "t"


def test_a_preview_shows_the_entry_and_its_headers() -> None:
    event = purge()
    shown = destination("http://127.0.0.1:9/", kind="governance").preview(event)
    assert shown.body == event.payload
    assert shown.headers["X-Request-ID"] == event.payload["auditId"]


def test_governance_takes_its_four_events() -> None:
    one = destination("http://127.0.0.1:9/", kind="governance")
    for event_type in (*ENDS, AUDIT_SEALED):
        assert one.wants(replace(CAUSE, type=event_type))
    for event_type in ("interactions.purge", "interaction.purged", "purge.started", "audit.exported"):
        assert one.wants(replace(CAUSE, type=event_type)) is None


def test_governance_has_no_request_for_other_events(receiver: Receiver) -> None:
    one = destination(receiver, kind="governance")
    assert isinstance(one.send(delivery(RECORD)), Rejected)
    with pytest.raises(ConfigurationError, match=r"destinations\.erp\.events: "):
        destination(receiver, kind="governance", events=("interaction.merged",))


def test_what_an_answer_means_is_the_same_as_for_every_kind(receiver: Receiver) -> None:
    receiver.answers(503, 400)
    one = destination(receiver, kind="governance")
    assert isinstance(one.send(delivery(purge())), RetryLater)
    assert isinstance(one.send(delivery(purge())), Rejected)


# --- from the command to the receiver ------------------------------------------------------------------------------


@pytest.fixture
def sandbox(clock: FakeClock) -> Iterator[Caller]:
    with SandboxServer(SandboxConfig(), clock=clock.now) as server:
        yield Caller(server.url)


@pytest.fixture
def clock() -> FakeClock:
    """Today, so that the sandbox's interactions are as old as they say."""
    return FakeClock(datetime.now(UTC))


@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
def test_the_end_of_a_purge_reaches_governance_as_it_was_signed(
    database_url: str, sandbox: Caller, receiver: Receiver, clock: FakeClock, ending: str
) -> None:
    if ending != "completed":
        sandbox.fault(path="/api/v2/interactions/purge*", kind="outcome", outcome=ending, times=1)
    governance = DestinationSettings(name="governance", kind="governance", url=receiver.url, allow_local=True)
    with wired(database_url, clock, governance, genesys=organisation(sandbox.url)) as bridge:
        asker, purges = Asker(actor="test"), bridge.wiring.purges
        planned = purges.plan(purge_policy(), person="ada", asker=asker)
        purges.approve(planned.id, person="grace", asker=asker)
        receiver.answers(503)  # the first try fails: what arrives then is the same
        for _ in range(40):
            bridge.deliver_due()
            if len(receiver.requests) == 2:
                break
            clock.advance(20)
        first, second = receiver.wait_for(2)
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        entry = second.json()
        assert (entry["status"], second.headers["X-Request-ID"]) == (ending, entry["auditId"])
        assert verified(entry, bridge.wiring.signer.public_key)
