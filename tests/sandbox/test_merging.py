"""Merges: asynchronous, one per request, failed and conflicting on demand."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from bridge.sandbox import SandboxConfig
from tests.fakes import FakeClock
from tests.sandbox.calling import Caller
from tests.sandbox.conftest import Serve


def states(caller: Caller, merged_id: str, polls: int) -> list[str]:
    path = f"/api/v2/interactions/{merged_id}/status"
    return [caller.get(path).json()["processingState"] for _ in range(polls)]


def test_a_merge_is_pending_then_processing_then_completed(caller: Caller) -> None:
    answer = caller.merge()
    assert (answer.status_code, answer.json()["processingState"]) == (202, "pending")
    assert states(caller, answer.json()["id"], 4) == ["pending", "processing", "completed", "completed"]


def test_a_completed_merge_confirms_its_sources_and_closes_them(caller: Caller) -> None:
    merged_id = caller.merge().json()["id"]
    assert "sourceInteractionIds" not in caller.get(f"/api/v2/interactions/{merged_id}").json()
    states(caller, merged_id, 3)
    merged = caller.get(f"/api/v2/interactions/{merged_id}").json()
    assert merged["sourceInteractionIds"] == ["voice-1001", "chat-1002"]
    assert (merged["status"], merged["processingState"], merged["customer"]["id"]) == ("active", "completed", "cust-1")
    status = caller.get(f"/api/v2/interactions/{merged_id}/status").json()
    assert (status["version"], status["customer"]["id"]) == (merged["version"], "cust-1")
    source = caller.get("/api/v2/interactions/voice-1001").json()
    assert (source["status"], source["mergedInto"]) == ("merged", merged_id)


@pytest.mark.parametrize("polls", [0, 1])
def test_a_merge_may_be_quick(serve: Serve, polls: int) -> None:
    caller = serve(SandboxConfig(merge_polls=polls))
    answer = caller.merge().json()
    if polls == 0:
        assert answer["processingState"] == "completed"
    else:
        assert states(caller, answer["id"], 1) == ["completed"]


def test_a_merge_may_take_its_time_and_be_done_unpolled(serve: Serve, clock: FakeClock) -> None:
    caller = serve(SandboxConfig(merge_polls=None, merge_seconds=10))
    caller.merge()
    clock.advance(9.9)
    assert caller.state()["merges"]["merge-1"]["processingState"] == "processing"
    clock.advance(0.1)
    assert caller.state()["merges"]["merge-1"]["processingState"] == "completed"


def test_a_merge_that_nothing_moves_is_never_done(serve: Serve, clock: FakeClock) -> None:
    caller = serve(SandboxConfig(merge_polls=None))
    merged_id = caller.merge().json()["id"]
    clock.advance(3000)
    assert states(caller, merged_id, 5) == ["pending"] * 5


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("merge-1", {}), ("merge-1", {})),
        (("merge-1", {"X-Genesys-Idempotency-Key": "k"}), ("merge-2", {"X-Genesys-Idempotency-Key": "k"})),
    ],
)
def test_a_repeated_submission_is_one_merge(
    caller: Caller, first: tuple[str, Mapping[str, str]], second: tuple[str, Mapping[str, str]]
) -> None:
    answers = [caller.merge(request_id, headers=headers).json() for request_id, headers in (first, second)]
    assert answers[0] == answers[1]
    merges = caller.state()["merges"]
    assert list(merges) == ["merge-1"]
    assert merges["merge-1"]["submissions"] == 2


def test_eight_submissions_at_once_are_one_merge(caller: Caller, quick_switches: None) -> None:
    with ThreadPoolExecutor(8) as submitters:
        ids = {answer.json()["id"] for answer in submitters.map(lambda _: caller.merge(), range(8))}
    assert len(ids) == 1
    assert caller.state()["merges"]["merge-1"]["submissions"] == 8


def test_one_request_id_for_other_interactions_is_refused(caller: Caller) -> None:
    caller.merge("merge-1")
    answer = caller.merge("merge-1", "voice-1005", "chat-1006")
    assert (answer.status_code, answer.json()["code"]) == (400, "merge.request.reused")


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        (("voice-1001", "voice-9999"), "no such interaction"),
        (("voice-1001", "email-1008"), "is archived"),
        (("voice-1001", "sms-1009"), "is deleted"),
        (("voice-1001", "voice-1010"), "has no customer with a phone number"),
        (("voice-1001", "chat-1007"), "has no customer with a phone number"),
        (("voice-1001", "voice-1005"), "not all of one customer"),
        (("voice-1001", "voice-1001"), "named twice"),
    ],
)
def test_what_cannot_be_merged_is_refused_with_the_reason(caller: Caller, ids: tuple[str, ...], reason: str) -> None:
    answer = caller.merge("merge-1", *ids)
    assert answer.status_code == 400
    assert reason in [detail["message"] for detail in answer.json()["details"]]
    assert caller.state()["merges"] == {}


def test_a_stated_type_that_is_not_its_type_is_refused(caller: Caller) -> None:
    sources = [{"id": "voice-1001", "type": "chat"}, {"id": "chat-1002", "type": "chat"}]
    body = {"mergeRequestId": "m", "interactions": sources, "mergeRule": "timestamp", "priorityScore": 9}
    answer = caller.post("/api/v2/interactions/merge", body)
    assert [detail["message"] for detail in answer.json()["details"]] == ["is of type voice"]


def test_an_interaction_in_a_merge_cannot_be_in_another(caller: Caller) -> None:
    caller.merge("merge-1")
    answer = caller.merge("merge-2", "voice-1001", "sms-1004")
    assert [detail["message"] for detail in answer.json()["details"]] == ["is being merged already"]


@pytest.mark.parametrize("path", ["/api/v2/interactions/merge", "/api/v2/interactions/*/status"])
def test_a_merge_fails_on_demand_and_frees_its_sources(caller: Caller, path: str) -> None:
    caller.fault(path=path, kind="outcome", outcome="failed", reason="the archive is locked")
    merged_id = caller.merge().json()["id"]
    assert states(caller, merged_id, 3)[-1] == "failed"
    told = caller.get(f"/api/v2/interactions/{merged_id}/status").json()
    assert told["errorReason"] == "the archive is locked"
    assert "sourceInteractionIds" not in told
    assert caller.merge("merge-2").status_code == 202


def test_a_poll_answers_409_when_asked_and_the_interaction_tells_the_end(caller: Caller) -> None:
    merged_id = caller.merge().json()["id"]
    caller.fault(path=f"/api/v2/interactions/{merged_id}/status", kind="outcome", outcome="conflict")
    status = f"/api/v2/interactions/{merged_id}/status"
    assert [caller.get(status).status_code for _ in range(2)] == [409, 409]
    assert caller.get(f"/api/v2/interactions/{merged_id}").json()["processingState"] == "completed"


def test_there_is_no_status_of_what_was_not_merged(caller: Caller) -> None:
    assert caller.get("/api/v2/interactions/voice-1001/status").status_code == 404
