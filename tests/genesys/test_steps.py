"""Commands step by step, as an outbox sees them."""

from __future__ import annotations

import pytest

from bridge.genesys import Check, Command, GenesysClient, Rules, check_command
from bridge.genesys.errors import Invalid, Unavailable, Unsupported
from bridge.genesys.operations import OPERATIONS
from bridge.genesys.profiles import profile_named
from bridge.genesys.steps import restored
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox, settings
from tests.genesys.fake_genesys import FakeGenesys, Says

READ, WRITE = "/api/v2/conversations/c-1", "/api/v2/conversations/c-1/attributes"
BODY = {"conversation_id": "c-1", "attributes": {"tier": "gold"}}


def test_every_operation_is_carried_out_by_the_profile(client: GenesysClient) -> None:
    assert set(OPERATIONS) == set(profile_named("interaction").TRAITS)
    assert [client.traits(name).is_async for name in OPERATIONS] == [False, False, True, False, True]
    assert [client.traits(name).locking for name in OPERATIONS] == ["none", "if_match", "none", "body_version", "none"]


def test_an_operation_that_is_none_is_unsupported(client: GenesysClient, clock: FakeClock) -> None:
    command = Command(id="c", operation="interaction.erase", body={}, issued_at=clock.now())
    with pytest.raises(Unsupported, match=r"it has interaction\.update"):
        client.advance(command, None, clock.now())


def test_a_command_is_checked_without_a_client_or_a_network(clock: FakeClock) -> None:
    check = Check(rules=Rules(settings=settings()), now=clock.now())
    check_command("conversation.attributes.update", BODY, check)
    with pytest.raises(Invalid):
        check_command("conversation.attributes.update", {"conversation_id": "c-1"}, check)
    with pytest.raises(Unsupported):
        check_command("interaction.erase", {}, check)


def test_latency_retries_and_conflicts_are_counted_over_the_steps(
    genesys: FakeGenesys, outbox: Outbox, make_client: MakeClient, clock: FakeClock
) -> None:
    genesys.on("GET", READ, Says(200, {"id": "c-1", "state": "connected", "version": 3}))
    genesys.on("PATCH", WRITE, Says(401), Says(412), Says(401), Says(200, {"version": 9}))
    outbox.takes("conversation.attributes.update", BODY)
    first = outbox.step()
    assert (first.measures.retries, first.measures.conflicts, first.measures.latency_ms) == (1, 1, 0)
    clock.advance(1.5)
    outbox.client = make_client()
    measures = outbox.step().measures
    assert (measures.retries, measures.conflicts, measures.latency_ms) == (2, 1, 1500)
    assert measures.violations == 0


def test_violations_are_counted_on_the_error(outbox: Outbox) -> None:
    with pytest.raises(Invalid) as refused:
        outbox.takes("conversation.attributes.update", {"attributes": {"a": None, "b": None}}).step()
    assert refused.value.measures.violations == 3


def test_an_error_keeps_the_progress_of_the_steps_before(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", READ, Says(200, {"id": "c-1", "state": "connected", "version": 3}))
    genesys.on("PATCH", WRITE, Says(412), Says(503), Says(200, {"version": 9}))
    outbox.takes("conversation.attributes.update", BODY)
    outbox.step()
    with pytest.raises(Unavailable):
        outbox.step()
    assert outbox.run().measures.conflicts == 1


def test_the_last_answer_is_on_the_result(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", READ, Says(200, {"id": "c-1", "state": "connected", "version": 3}))
    genesys.on("PATCH", WRITE, Says(200, {"version": 4, "contextId": "x"}, {"ININ-Correlation-Id": "y"}))
    answer = outbox.takes("conversation.attributes.update", BODY).step().answer
    assert answer is not None
    assert (answer.status, answer.context_id, answer.correlation_id) == (200, "x", "y")
    assert "version" not in repr(answer)


def test_progress_of_another_version_of_the_program_goes_on() -> None:
    def kind(*, old: int, new: int = 7) -> tuple[int, int]:
        return old, new

    assert restored(kind, {"old": 1, "gone": 2}) == (1, 7)
