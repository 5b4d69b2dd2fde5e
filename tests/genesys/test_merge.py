"""Operation 3: several interactions become one."""

from __future__ import annotations

import json
import uuid

import pytest
import requests

from bridge.genesys.errors import OperationFailed, RateLimited, Unavailable
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox
from tests.genesys.fake_genesys import FakeGenesys, Says
from tests.genesys.merging import BODY, CUSTOMER, MERGED, STATUS, SUBMIT, polled, shown, stage


@pytest.fixture(autouse=True)
def there(genesys: FakeGenesys) -> None:
    stage(genesys)


def test_it_reads_submits_polls_and_tells(genesys: FakeGenesys, outbox: Outbox, clock: FakeClock) -> None:
    done = outbox.takes("interaction.merge", BODY).run()
    [sent] = genesys.sent("POST", SUBMIT)
    assert uuid.UUID(sent.pop("mergeRequestId"))
    assert sent == {
        "interactions": [{"id": "v", "type": "voice"}, {"id": "c", "type": "chat"}],
        "mergeRule": "timestamp",
        "priorityScore": 9,
    }
    [fact] = done.facts
    assert (fact.type, fact.subject, fact.version) == ("interaction.merged", "interaction:m-1", "2")
    assert fact.payload["customer"] == CUSTOMER
    assert fact.payload["sourceInteractionIds"] == ["v", "c"]
    assert fact.payload["channelSequence"] == ["chat", "voice"]
    assert fact.payload["metrics"] == {"mergeLatencyMs": 5000, "deduplicationAccuracy": 1.0, "priorityScore": 9}
    assert done.result["timeline"] == {
        "sessionStart": "2026-05-01T09:55:00Z",
        "sessionEnd": "2026-05-01T10:30:00Z",
        "channelSequence": ["chat", "voice"],
        "prioritySource": "voice",
        "deduplicationCount": 0,
        "authoritative": {"id": "v", "startTime": "2026-05-01T09:55:00Z", "endTime": "2026-05-01T10:30:00Z"},
    }
    assert done.measures.latency_ms == 5000


def test_no_personal_data_lies_in_the_progress_or_the_result(genesys: FakeGenesys, outbox: Outbox) -> None:
    outbox.takes("interaction.merge", BODY)
    outbox.step()
    outbox.step()
    assert "1234567" not in str(outbox.stored)
    assert "example.com" not in str(outbox.stored)
    assert "1234567" not in json.dumps(outbox.run().result)


def test_a_request_id_that_is_given_is_the_one_that_is_sent(genesys: FakeGenesys, outbox: Outbox) -> None:
    outbox.takes("interaction.merge", {**BODY, "merge_request_id": "mine"}).run()
    assert genesys.sent("POST", SUBMIT)[0]["mergeRequestId"] == "mine"


def test_a_replay_of_the_command_asks_for_the_same_merge(genesys: FakeGenesys, outbox: Outbox) -> None:
    for command_id in ("command-1", "command-1", "command-2"):
        outbox.takes("interaction.merge", BODY, command_id=command_id).run()
    first, again, other = (sent["mergeRequestId"] for sent in genesys.sent("POST", SUBMIT))
    assert first == again != other


def test_a_restart_between_submission_and_poll_submits_once(
    genesys: FakeGenesys, outbox: Outbox, make_client: MakeClient
) -> None:
    outbox.takes("interaction.merge", BODY)
    outbox.step()
    outbox.step()
    outbox.client = make_client()
    outbox.run()
    assert len(genesys.sent("POST", SUBMIT)) == 1


@pytest.mark.parametrize("crash", [True, False])
def test_a_lost_answer_is_asked_again_under_the_same_request_id_and_key(
    genesys: FakeGenesys, outbox: Outbox, make_client: MakeClient, crash: bool
) -> None:
    """Also when the sources say by now that they are merged: the plan was stored before."""
    outbox.takes("interaction.merge", BODY)
    outbox.step()
    if crash:
        before = outbox.stored
        outbox.step()
        outbox.stored, outbox.client = before, make_client()
    else:
        genesys.on("POST", SUBMIT, requests.ReadTimeout(), Says(202, {"id": "m-1"}))
        with pytest.raises(Unavailable):
            outbox.step()
    genesys.on("GET", "/api/v2/interactions/v", shown("v", status="merged"))
    outbox.run()
    first, second = genesys.sent_to("POST", SUBMIT)
    assert first.body == second.body
    assert first.headers["X-Genesys-Idempotency-Key"] == second.headers["X-Genesys-Idempotency-Key"] == "command-1"


def test_an_answer_without_an_id_is_asked_for_again(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("POST", SUBMIT, Says(202, {}), Says(202, {"id": "m-1"}))
    outbox.takes("interaction.merge", BODY)
    outbox.step()
    with pytest.raises(Unavailable):
        outbox.step()
    assert outbox.run().result["mergedInteractionId"] == "m-1"


def test_it_polls_after_2_seconds_then_slower_up_to_a_minute(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", STATUS, *[polled("processing")] * 11, polled("completed"))
    outbox.takes("interaction.merge", BODY).run()
    waits = [delay.total_seconds() for delay in outbox.delays]
    assert waits[:4] == [0, 2, 3, 4.5]
    assert waits[-3:] == [60, 60, 60]


def test_it_gives_up_after_an_hour_and_names_the_merged_interaction(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", STATUS, polled("processing"))
    with pytest.raises(OperationFailed, match="not confirmed within an hour") as failed:
        outbox.takes("interaction.merge", BODY).run()
    assert failed.value.result["mergedInteractionId"] == "m-1"
    assert 3600 <= sum(delay.total_seconds() for delay in outbox.delays) <= 3660


def test_a_merge_that_ended_while_nobody_looked_is_still_found_done(
    genesys: FakeGenesys, outbox: Outbox, clock: FakeClock
) -> None:
    genesys.on("GET", STATUS, polled("completed"))
    outbox.takes("interaction.merge", BODY)
    outbox.step()
    outbox.step()
    clock.advance(7200)
    assert outbox.run().result["state"] == "completed"


def test_a_merge_that_failed_is_said_to_have_failed(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", STATUS, polled("failed"))
    with pytest.raises(OperationFailed) as failed:
        outbox.takes("interaction.merge", BODY).run()
    assert failed.value.result["state"] == "failed"
    assert failed.value.facts == ()


@pytest.mark.parametrize("status", ["active", None])
def test_409_on_the_poll_means_that_the_merged_interaction_tells(
    genesys: FakeGenesys, outbox: Outbox, status: str | None
) -> None:
    genesys.on("GET", STATUS, Says(409))
    genesys.on("GET", MERGED, Says(200, {"id": "m-1", "status": status, "version": 5, "customer": CUSTOMER}))
    assert outbox.takes("interaction.merge", BODY).run().facts[0].version == "5"


def test_409_on_the_poll_of_a_failed_merge_is_a_failure(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", STATUS, Says(409))
    genesys.on("GET", MERGED, shown("m-1", processingState="failed"))
    with pytest.raises(OperationFailed):
        outbox.takes("interaction.merge", BODY).run()


def test_a_merge_may_take_a_minute_to_appear(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", STATUS, Says(404), Says(404), polled("completed"))
    outbox.takes("interaction.merge", BODY).run()


def test_a_merge_that_never_appears_has_failed(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", STATUS, Says(404))
    with pytest.raises(OperationFailed, match="does not know"):
        outbox.takes("interaction.merge", BODY).run()


@pytest.mark.parametrize(
    ("poll", "merged", "expected"),
    [
        (polled("completed", sourceInteractionIds=["v"]), Says(404), 0.5),
        (polled("completed", sourceInteractions=[{"id": "v"}, {"id": "c"}]), Says(404), 1.0),
        (polled("completed"), shown("m-1", sourceInteractionIds=["c"]), 0.5),
        (polled("completed", sourceInteractionIds=[]), Says(404), 0.0),
        (polled("completed"), Says(404), None),
    ],
)
def test_the_accuracy_is_what_genesys_confirms(
    genesys: FakeGenesys, outbox: Outbox, poll: Says, merged: Says, expected: float | None
) -> None:
    genesys.on("GET", STATUS, poll)
    genesys.on("GET", MERGED, merged)
    metrics = outbox.takes("interaction.merge", BODY).run().result["metrics"]
    assert metrics["deduplicationAccuracy"] == expected  # type: ignore[index]


def test_a_merged_interaction_that_is_not_shown_takes_its_customer_from_a_source(
    genesys: FakeGenesys, outbox: Outbox
) -> None:
    genesys.on("GET", MERGED, Says(403))
    fact = outbox.takes("interaction.merge", BODY).run().facts[0]
    assert fact.payload["customer"] == CUSTOMER
    assert fact.version is None


@pytest.mark.parametrize(("answer", "error"), [(Says(503), Unavailable), (Says(429), RateLimited)])
def test_a_poll_that_fails_is_polled_again_and_nothing_is_submitted_twice(
    genesys: FakeGenesys, outbox: Outbox, answer: Says, error: type[Exception]
) -> None:
    genesys.on("GET", STATUS, answer, polled("completed"))
    outbox.takes("interaction.merge", BODY)
    outbox.step()
    outbox.step()
    with pytest.raises(error):
        outbox.step()
    outbox.run()
    assert len(genesys.sent("POST", SUBMIT)) == 1
