"""The blocking calls: tries and waits."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from bridge.errors import ConfigurationError
from bridge.genesys import GenesysClient
from bridge.genesys.errors import Invalid, OperationFailed, RateLimited, Unavailable, Unsupported, VersionConflict
from bridge.settings.model import GenesysSettings
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient
from tests.genesys.fake_genesys import FakeGenesys, Says
from tests.genesys.test_purge_policy import BODY as POLICY

READ, WRITE = "/api/v2/conversations/c-1", "/api/v2/conversations/c-1/attributes"
CONVERSATION = Says(200, {"id": "c-1", "state": "connected", "version": 3})


@pytest.fixture(autouse=True)
def there(genesys: FakeGenesys) -> None:
    genesys.on("GET", READ, CONVERSATION)
    genesys.on("PATCH", WRITE, Says(200, {"version": 4}))


def test_a_call_gives_the_result(client: GenesysClient) -> None:
    done = client.update_conversation_attributes("c-1", {"tier": "gold"})
    assert done.result["version"] == 4
    assert done.measures.retries == 0


def test_three_tries_with_growing_jittered_waits(genesys: FakeGenesys, client: GenesysClient, clock: FakeClock) -> None:
    genesys.on("GET", READ, Says(503))
    before = clock.monotonic()
    with pytest.raises(Unavailable):
        client.update_conversation_attributes("c-1", {"tier": "gold"})
    assert len(genesys.calls()) == 3
    assert 0.5 + 1 <= clock.monotonic() - before <= 1 + 2


def test_a_third_try_that_succeeds_is_a_success_and_counts_two_retries(
    genesys: FakeGenesys, client: GenesysClient
) -> None:
    genesys.on("GET", READ, Says(503), requests.ReadTimeout(), CONVERSATION)
    assert client.update_conversation_attributes("c-1", {"tier": "gold"}).measures.retries == 2


def test_every_try_carries_the_same_key(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on("PATCH", WRITE, Says(503), Says(200, {"version": 4}))
    client.update_conversation_attributes("c-1", {"tier": "gold"})
    keys = {request.headers["X-Genesys-Idempotency-Key"] for request in genesys.sent_to("PATCH", WRITE)}
    assert len(keys) == 1


def test_what_a_failed_try_learnt_is_known_to_the_next(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on("GET", READ, CONVERSATION, Says(200, {"id": "c-1", "state": "connected", "version": 5}))
    genesys.on("PATCH", WRITE, requests.ReadTimeout(), Says(200, {"version": 6}))
    assert client.update_conversation_attributes("c-1", {"tier": "gold"}).result["maybe_doubled"] is True


def test_a_rate_limit_is_waited_out(genesys: FakeGenesys, client: GenesysClient, clock: FakeClock) -> None:
    genesys.on("GET", READ, Says(429, headers={"Retry-After": "7"}), CONVERSATION)
    before = clock.monotonic()
    client.update_conversation_attributes("c-1", {"tier": "gold"})
    assert clock.monotonic() - before == 7


def test_a_wait_that_nobody_would_sit_through_is_told_at_once(
    genesys: FakeGenesys, client: GenesysClient, clock: FakeClock
) -> None:
    genesys.on("GET", READ, Says(429, headers={"Retry-After": "61"}))
    before = clock.monotonic()
    with pytest.raises(RateLimited):
        client.update_conversation_attributes("c-1", {"tier": "gold"})
    assert clock.monotonic() == before


def test_what_time_does_not_mend_is_not_tried_again(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on("PATCH", WRITE, Says(422))
    with pytest.raises(Invalid):
        client.update_conversation_attributes("c-1", {"tier": "gold"})
    assert len(genesys.sent("PATCH", WRITE)) == 1


def test_an_open_breaker_is_told_at_once(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on("GET", READ, Says(503))
    for _ in range(2):
        with pytest.raises(Unavailable):
            client.update_conversation_attributes("c-1", {"tier": "gold"})
    with pytest.raises(Unavailable) as held:
        client.update_conversation_attributes("c-1", {"tier": "gold"})
    assert held.value.deferred
    assert len(genesys.calls()) == 6


def test_conflicts_go_their_own_way(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on("PATCH", WRITE, Says(412))
    with pytest.raises(VersionConflict) as conflict:
        client.update_conversation_attributes("c-1", {"tier": "gold"})
    assert conflict.value.measures.conflicts == 4


def test_an_interaction(genesys: FakeGenesys, client: GenesysClient) -> None:
    path = "/api/v2/interactions/i-1"
    genesys.on("GET", path, Says(200, {"id": "i-1", "createdDate": "2026-05-01T10:00:00Z"}))
    genesys.on("PATCH", path, Says(200, {}))
    client.update_interaction("i-1", customer_id="cu-1", attributes={"a": "b"}, disposition_code="x")
    assert genesys.sent("PATCH", path) == [{"attributes": {"a": "b"}, "dispositionCode": "x"}]


def test_a_record(genesys: FakeGenesys, client: GenesysClient) -> None:
    path = "/api/v2/customobjects/schemas/Order/records/r-1"
    genesys.on("PUT", path, Says(200, {"version": 1}))
    client.update_record("Order", "r-1", version=0, fields={"a": 1}, tags=["nightly"])
    [sent] = genesys.sent("PUT", path)
    assert (sent["version"], sent["metadata"]["tags"]) == (0, ["nightly"])


def merge_of(genesys: FakeGenesys, status: Says) -> list[dict[str, str]]:
    shown = {"type": "voice", "createdDate": "2026-05-01T10:00:00Z", "customer": {"id": "c", "phoneNumber": "1"}}
    for id_ in ("a", "b"):
        genesys.on("GET", f"/api/v2/interactions/{id_}", Says(200, {"id": id_, **shown}))
    genesys.on("POST", "/api/v2/interactions/merge", *[Says(503)] * 4, Says(202, {"id": "m-1"}))
    genesys.on("GET", "/api/v2/interactions/m-1/status", status)
    return [{"id": "a", "type": "voice"}, {"id": "b", "type": "voice"}]


def test_a_merge_gets_five_tries_and_is_waited_for(
    genesys: FakeGenesys, client: GenesysClient, clock: FakeClock
) -> None:
    wanted = merge_of(genesys, Says(200, {"processingState": "completed"}))
    assert client.merge_interactions(wanted).result["mergedInteractionId"] == "m-1"
    assert len(genesys.sent("POST", "/api/v2/interactions/merge")) == 5


def test_a_merge_that_fails_raises(genesys: FakeGenesys, client: GenesysClient) -> None:
    with pytest.raises(OperationFailed):
        client.merge_interactions(merge_of(genesys, Says(200, {"processingState": "failed"})))


def test_a_purge_is_submitted_and_asked_after(genesys: FakeGenesys, client: GenesysClient, clock: FakeClock) -> None:
    submit, poll = "/api/v2/interactions/purge", "/api/v2/interactions/purge/p-1"
    genesys.on("POST", submit, Says(202, {"purgeId": "p-1", "status": "queued"}))
    parts: list[dict[str, Any]] = [{"totalInteractionsPurged": 2}, {"totalInteractionsPurged": 3}]
    genesys.on("GET", poll, Says(503), Says(200, {"purgeId": "p-1", "status": "running", "interactions": parts}))
    before = clock.monotonic()
    begun = client.purge_interactions(POLICY)
    assert (begun.purge_id, begun.status, begun.maybe_doubled) == ("p-1", "queued", False)
    assert clock.monotonic() == before  # it does not wait for the end
    state = client.purge_status("p-1")
    assert (state.status, state.total_purged) == ("running", 5)


def test_an_unknown_profile_names_those_there_are(make_client: MakeClient) -> None:
    with pytest.raises(Unsupported, match="interaction"):
        make_client(api="platform")


@pytest.mark.parametrize("missing", ["client_id", "client_secret"])
def test_missing_credentials_are_told_at_the_start(make_client: MakeClient, missing: str) -> None:
    with pytest.raises(ConfigurationError, match="GENESYS_CLIENT_ID"):
        make_client(**{missing: None})


def test_a_client_without_a_region_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="GENESYS_REGION"):
        GenesysClient(GenesysSettings(client_id="x"))
