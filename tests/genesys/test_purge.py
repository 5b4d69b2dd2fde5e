"""Operation 5: interactions are purged under a policy."""

from __future__ import annotations

import pytest
import requests

from bridge.genesys import Rules, Wait
from bridge.genesys.errors import Invalid, OperationFailed, RateLimited, Unavailable
from bridge.genesys.purge_policy import PurgeScope
from bridge.settings.model import GenesysSettings
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox
from tests.genesys.fake_genesys import FakeGenesys, Says
from tests.genesys.test_purge_policy import BODY

SUBMIT = "/api/v2/interactions/purge"
POLL = "/api/v2/interactions/purge/p-1"
RUNNING = Says(200, {"purgeId": "p-1", "status": "running", "interactions": [{"totalInteractionsPurged": 3}]})


def ended(status: str, *parts: dict[str, object]) -> Says:
    return Says(200, {"purgeId": "p-1", "status": status, "interactions": list(parts)})


@pytest.fixture(autouse=True)
def there(genesys: FakeGenesys) -> None:
    genesys.on("POST", SUBMIT, Says(202, {"purgeId": "p-1", "status": "queued"}))
    genesys.on("GET", POLL, RUNNING, ended("completed", {"totalInteractionsPurged": 62, "errorReason": None}))


@pytest.fixture
def submitted(outbox: Outbox) -> Outbox:
    outbox.takes("interactions.purge", BODY)
    outbox.step()
    outbox.step()
    return outbox


def test_it_submits_polls_and_tells(genesys: FakeGenesys, outbox: Outbox) -> None:
    done = outbox.takes("interactions.purge", BODY).run()
    assert genesys.sent("POST", SUBMIT) == [
        {
            "interactions": [
                {
                    "type": "voice",
                    "dateRange": {"start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z"},
                    "filters": {"attributes": {"queue": "sales"}},
                    "purgeType": "soft",
                    "reason": "end of the retention",
                }
            ]
        }
    ]
    [fact] = done.facts
    assert (fact.type, fact.subject) == ("purge.completed", None)
    assert fact.payload["policyApplied"] == BODY
    assert fact.payload["complianceTags"] == ["internal", "soft", "automated_retention"]
    assert fact.payload["metrics"] == {
        "jobId": "p-1",
        "status": "completed",
        "startTime": "2026-05-01T12:00:00Z",
        "endTime": "2026-05-01T12:00:31.500000Z",
        "durationMs": 31500,
        "totalInteractionsPurged": 62,
        "perSecond": 1.968,
        "errorReason": None,
    }
    assert fact.payload["maybe_doubled"] is False


def test_everything_is_sent_as_an_empty_filter(genesys: FakeGenesys, outbox: Outbox) -> None:
    outbox.takes("interactions.purge", {**BODY, "filters": None, "everything": True}).run()
    assert genesys.sent("POST", SUBMIT)[0]["interactions"][0]["filters"] == {}


def test_what_is_purged_so_far_is_seen_in_the_progress(submitted: Outbox) -> None:
    submitted.step()
    assert '"total_purged": 3' in str(submitted.stored)
    assert '"status": "running"' in str(submitted.stored)


def test_it_polls_after_15_seconds_then_slower_up_to_5_minutes(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", POLL, *[RUNNING] * 35, ended("completed"))
    outbox.takes("interactions.purge", BODY).run()
    waits = [delay.total_seconds() for delay in outbox.delays]
    assert waits[:5] == [0, 15, 16.5, pytest.approx(18.15), pytest.approx(19.965)]
    assert waits[-2:] == [300, 300]


def test_a_429_doubles_the_wait(genesys: FakeGenesys, submitted: Outbox) -> None:
    genesys.on("GET", POLL, Says(429), Says(429), RUNNING)
    for _ in range(3):
        submitted.step()
    assert [delay.total_seconds() for delay in submitted.delays[2:]] == [30, 60, pytest.approx(66)]


def test_a_429_that_says_for_how_long_is_obeyed(genesys: FakeGenesys, submitted: Outbox, clock: FakeClock) -> None:
    genesys.on("GET", POLL, Says(429, headers={"Retry-After": "100"}))
    submitted.step()
    assert submitted.delays[-1].total_seconds() == 100


def test_our_own_pace_doubles_nothing(genesys: FakeGenesys, submitted: Outbox) -> None:
    genesys.on("GET", POLL, Says(429, headers={"Retry-After": "20"}))
    submitted.step()
    stored = submitted.stored
    with pytest.raises(RateLimited) as limited:
        submitted.step()
    assert limited.value.deferred
    assert submitted.stored == stored


@pytest.mark.parametrize("status", ["failed", "cancelled", "FAILED"])
def test_a_bad_end_is_told_with_its_reason(genesys: FakeGenesys, outbox: Outbox, status: str) -> None:
    parts: list[dict[str, object]] = [
        {"totalInteractionsPurged": 4, "errorReason": "storage"},
        {"totalInteractionsPurged": 3},
    ]
    genesys.on("GET", POLL, ended(status, *parts))
    with pytest.raises(OperationFailed) as bad:
        outbox.takes("interactions.purge", BODY).run()
    [fact] = bad.value.facts
    assert fact.type == f"purge.{status.lower()}"
    metrics = fact.payload["metrics"]
    assert (metrics["totalInteractionsPurged"], metrics["errorReason"]) == (7, "storage")  # type: ignore[index]
    assert bad.value.result == fact.payload


def test_a_purge_that_genesys_does_not_know_any_more_has_failed(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", POLL, Says(404))
    with pytest.raises(OperationFailed) as bad:
        outbox.takes("interactions.purge", BODY).run()
    assert bad.value.facts[0].type == "purge.failed"
    reason = bad.value.result["metrics"]["errorReason"]  # type: ignore[index]
    assert reason == "Genesys does not know the purge any more"


def test_a_purge_is_waited_for_7_days_at_most(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", POLL, RUNNING)
    with pytest.raises(OperationFailed) as bad:
        outbox.takes("interactions.purge", BODY).run(most_steps=3000)
    assert bad.value.result["metrics"]["errorReason"] == "not confirmed within 7 days"  # type: ignore[index]
    assert 7 * 86400 <= sum(delay.total_seconds() for delay in outbox.delays) <= 7 * 86400 + 300


def test_nothing_is_sent_of_a_policy_that_governance_forbids(genesys: FakeGenesys, outbox: Outbox) -> None:
    with pytest.raises(Invalid):
        outbox.takes("interactions.purge", {**BODY, "classification": "pii"}).run()
    assert genesys.requests == []


def test_a_hold_set_between_plan_and_submission_still_blocks(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    holds: list[str] = []

    def rules(settings: GenesysSettings) -> Rules:
        return Rules(settings=settings, holds=lambda _scope: holds)

    outbox = Outbox(make_client(rules=rules), clock).takes("interactions.purge", BODY)
    outbox.step()
    holds.append("hold-1")
    with pytest.raises(Invalid, match="hold-1"):
        outbox.step()
    assert genesys.requests == []


def test_a_hold_set_after_a_lost_submission_says_that_it_may_come_too_late(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    holds: list[str] = []

    def rules(settings: GenesysSettings) -> Rules:
        return Rules(settings=settings, holds=lambda _scope: holds)

    genesys.on("POST", SUBMIT, requests.ReadTimeout())
    outbox = Outbox(make_client(rules=rules), clock).takes("interactions.purge", BODY)
    outbox.step()
    with pytest.raises(Unavailable):
        outbox.step()
    holds.append("hold-1")
    with pytest.raises(Invalid) as refused:
        outbox.step()
    assert [wrong.rule for wrong in refused.value.errors] == ["legal_hold", "maybe_submitted"]
    assert len(genesys.sent("POST", SUBMIT)) == 1


def test_a_hold_set_while_it_runs_does_not_lose_sight_of_it(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    holds: list[str] = []

    def rules(settings: GenesysSettings) -> Rules:
        return Rules(settings=settings, holds=lambda _scope: holds)

    outbox = Outbox(make_client(rules=rules), clock).takes("interactions.purge", BODY)
    outbox.step()
    outbox.step()
    holds.append("hold-1")
    assert outbox.run().result["status"] == "completed"


def test_a_purge_does_not_stand_in_its_own_way(make_client: MakeClient, clock: FakeClock) -> None:
    def open_purges(_scope: PurgeScope, command_id: str | None) -> list[str]:
        return [other for other in ("command-1", "command-2") if other != command_id]

    def rules(settings: GenesysSettings) -> Rules:
        return Rules(settings=settings, open_purges=open_purges)

    with pytest.raises(Invalid) as refused:
        Outbox(make_client(rules=rules), clock).takes("interactions.purge", BODY).run()
    assert "command-2" in str(refused.value)
    assert "command-1" not in str(refused.value)


def test_a_restart_between_submission_and_poll_submits_once(
    genesys: FakeGenesys, submitted: Outbox, make_client: MakeClient, clock: FakeClock
) -> None:
    clock.advance(3600)
    submitted.client = make_client()
    assert submitted.run().result["maybe_doubled"] is False
    assert len(genesys.sent("POST", SUBMIT)) == 1


def test_a_lost_answer_is_asked_again_under_the_same_key_and_the_doubt_is_said(
    genesys: FakeGenesys, outbox: Outbox
) -> None:
    genesys.on("POST", SUBMIT, requests.ReadTimeout(), Says(202, {"purgeId": "p-1", "status": "queued"}))
    outbox.takes("interactions.purge", BODY)
    outbox.step()
    with pytest.raises(Unavailable):
        outbox.step()
    assert outbox.run().result["maybe_doubled"] is True
    keys = [request.headers["X-Genesys-Idempotency-Key"] for request in genesys.sent_to("POST", SUBMIT)]
    assert keys == ["command-1", "command-1"]


def test_a_worker_that_died_while_submitting_leaves_a_doubt(outbox: Outbox, clock: FakeClock) -> None:
    outbox.takes("interactions.purge", BODY)
    outbox.step()
    clock.advance(30)  # its lease
    assert outbox.run().result["maybe_doubled"] is True


@pytest.mark.parametrize("trouble", [Says(503), Says(429), requests.ConnectTimeout()])
def test_waiting_before_anything_was_taken_leaves_no_doubt(
    genesys: FakeGenesys, outbox: Outbox, clock: FakeClock, trouble: Says | Exception
) -> None:
    genesys.on("POST", SUBMIT, trouble, Says(202, {"purgeId": "p-1"}))
    outbox.takes("interactions.purge", BODY)
    outbox.step()
    with pytest.raises((Unavailable, RateLimited)):
        outbox.step()
    clock.advance(3600)
    taken = isinstance(trouble, Says) and trouble.status == 503  # a 503 may come from behind the door
    assert outbox.run().result["maybe_doubled"] is taken


def test_waiting_for_our_own_pace_leaves_no_doubt(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    client = make_client(rate_per_minute=1)
    client.purge_status("p-1")
    outbox = Outbox(client, clock).takes("interactions.purge", BODY)
    outbox.step()
    with pytest.raises(RateLimited) as held:
        outbox.step()
    assert held.value.deferred
    clock.advance(900)
    assert isinstance(outbox.step(), Wait)
    outbox.step()
    assert '"purge_id": "p-1"' in str(outbox.stored)
    assert '"maybe_doubled": false' in str(outbox.stored)


def test_an_answer_without_an_id_is_a_doubt(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("POST", SUBMIT, Says(202, {}), Says(202, {"purgeId": "p-1"}))
    outbox.takes("interactions.purge", BODY)
    outbox.step()
    with pytest.raises(Unavailable):
        outbox.step()
    assert outbox.run().result["maybe_doubled"] is True
