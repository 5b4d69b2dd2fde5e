"""The export that Genesys is asked for, at the sandbox over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, INTERACTION_MERGED, INTERACTION_PURGED, RecordedEvent
from bridge.outbox.contract import Delivered, Rejected, RetryLater, Waiting
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.settings.model import Secret
from tests.destinations.deliveries import INTERACTION, RECORD, delivery
from tests.destinations.lakes import lake, organisation
from tests.destinations.s3_server import Bucket
from tests.fakes import FakeClock
from tests.receivers import Answer, Receiver
from tests.sandbox.calling import Caller

EXPORTS = "/api/v2/integrations/exports"
CONVERSATION = replace(INTERACTION, type=CONVERSATION_ATTRIBUTES_UPDATED, subject="conversation:v1")
CREDENTIALS: dict[str, Any] = {"access_key": Secret("a"), "secret_key": Secret("s")}
STORED = Answer(200, {"ETag": '"e"'})


@pytest.fixture
def sandbox() -> Iterator[Caller]:
    with SandboxServer(SandboxConfig()) as server:
        yield Caller(server.url)


def exports(sandbox: Caller) -> list[dict[str, Any]]:
    return list(sandbox.state()["exports"].values())


def asked_for(event: RecordedEvent, sandbox: Caller) -> dict[str, Any]:
    """The filter of the export that `event` becomes."""
    outcome = lake(genesys=organisation(sandbox.url)).send(delivery(event))
    assert isinstance(outcome, Delivered), outcome
    (export,) = exports(sandbox)
    wanted: dict[str, Any] = export["filter"]
    return wanted


def fault(sandbox: Caller, **fault: object) -> None:
    sandbox.fault(**{"path": EXPORTS, "kind": "status", "times": 1, **fault})


# --- what is asked for ---------------------------------------------------------------------------------------------


def test_an_event_asks_for_the_export_of_its_subject(sandbox: Caller) -> None:
    one = lake(genesys=organisation(sandbox.url), bucket="company-lake", path="interactions/updated")
    outcome = one.send(delivery(INTERACTION))
    assert isinstance(outcome, Delivered)
    assert outcome.exchange.status == 202
    (export,) = exports(sandbox)
    expected = {
        "name": "interaction-update-sync-i1",
        "type": "streaming",
        "filter": {"type": "interaction", "query": "id eq 'i1'"},
        "export": {"type": "s3", "configuration": {"bucket": "company-lake", "path": "interactions/updated"}},
    }
    assert export.items() >= expected.items()


@pytest.mark.parametrize(
    ("event", "kind", "query"),
    [
        (CONVERSATION, "conversation", "id eq 'v1'"),
        (RECORD, "customObjectRecord", "id eq 'r1'"),
        (replace(INTERACTION, type=INTERACTION_MERGED), "interaction", "id eq 'i1'"),
        (replace(INTERACTION, type=INTERACTION_PURGED), "interaction", "id eq 'i1'"),
        (replace(INTERACTION, subject="interaction:a:b/c"), "interaction", "id eq 'a:b/c'"),
        (replace(RECORD, subject="record:A/B/c/d", payload={"recordId": "c/d"}), "customObjectRecord", "id eq 'c/d'"),
        (replace(RECORD, payload={}), "customObjectRecord", "id eq 'r1'"),
    ],
)
def test_every_subject_has_its_filter(sandbox: Caller, event: RecordedEvent, kind: str, query: str) -> None:
    assert asked_for(event, sandbox) == {"type": kind, "query": query}


def test_an_id_cannot_add_a_condition(sandbox: Caller) -> None:
    event = replace(INTERACTION, subject="interaction:a' or id ne 'b")
    assert asked_for(event, sandbox)["query"] == "id eq 'a'' or id ne ''b'"


def test_a_repeat_is_one_export_to_genesys(sandbox: Caller) -> None:
    one = lake(genesys=organisation(sandbox.url))
    fault(sandbox, kind="drop_after_apply")
    assert isinstance(one.send(delivery(INTERACTION)), RetryLater)
    assert isinstance(one.send(delivery(INTERACTION, attempt=2, failures=1)), Delivered)
    assert len(exports(sandbox)) == 1


def test_another_delivery_is_another_export(sandbox: Caller) -> None:
    one = lake(genesys=organisation(sandbox.url))
    for webhook_id in ("w1", "w2"):
        one.send(delivery(INTERACTION, webhook_id=webhook_id))
    assert len(exports(sandbox)) == 2


def test_what_has_no_export_is_refused_before_anybody_is_asked(sandbox: Caller) -> None:
    outcome = lake(genesys=organisation(sandbox.url)).send(delivery(replace(INTERACTION, subject="purge:p1")))
    assert isinstance(outcome, Rejected)
    assert outcome.error_class == "event"
    assert exports(sandbox) == []


def test_a_preview_shows_what_genesys_would_be_asked(sandbox: Caller) -> None:
    one = lake(genesys=organisation(sandbox.url))
    shown = one.preview(RECORD)
    assert (shown.method, shown.url) == ("POST", f"{sandbox.url}{EXPORTS}")
    assert exports(sandbox) == []
    one.send(delivery())
    (export,) = exports(sandbox)
    assert isinstance(shown.body, dict)
    assert export.items() >= shown.body.items()


# --- what an answer means ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "slow"),
    [
        (500, "Unavailable", False),
        (408, "Unavailable", False),
        (403, "Forbidden", True),
        (404, "NotFound", True),
        (409, "VersionConflict", True),
    ],
)
def test_what_somebody_may_be_mending_is_tried_again(sandbox: Caller, status: int, kind: str, slow: bool) -> None:
    fault(sandbox, status=status)
    outcome = lake(genesys=organisation(sandbox.url)).send(delivery(INTERACTION))
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow, outcome.exchange.status) == (kind, slow, status)
    assert exports(sandbox) == []


def test_a_request_that_genesys_refuses_is_dead(sandbox: Caller) -> None:
    fault(sandbox, status=400)
    outcome = lake(genesys=organisation(sandbox.url)).send(delivery(INTERACTION))
    assert isinstance(outcome, Rejected)
    assert outcome.exchange.status == 400


def test_a_rate_limit_says_when_to_come_back(sandbox: Caller) -> None:
    fault(sandbox, status=429, headers={"Retry-After": "7"})
    outcome = lake(genesys=organisation(sandbox.url)).send(delivery(INTERACTION))
    assert isinstance(outcome, RetryLater)
    assert (outcome.retry_after, outcome.slow) == (timedelta(seconds=7), False)


def test_wrong_credentials_wait_for_a_person_and_are_not_told(sandbox: Caller) -> None:
    one = lake(genesys=organisation(sandbox.url, client_secret=Secret("a wrong secret")))
    outcome = one.send(delivery(INTERACTION))
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow) == ("AuthenticationFailed", True)
    assert "a wrong secret" not in repr(outcome)


def test_our_own_pace_is_no_failed_try(sandbox: Caller, clock: FakeClock) -> None:
    one = lake(genesys=organisation(sandbox.url, rate_per_minute=1), clock=clock)
    assert isinstance(one.send(delivery(INTERACTION)), Delivered)
    outcome = one.send(delivery(INTERACTION, webhook_id="w2"))
    assert isinstance(outcome, Waiting)
    clock.advance(outcome.wait.total_seconds())
    assert isinstance(one.send(delivery(INTERACTION, webhook_id="w2")), Delivered)


# --- both: the event in the bucket, and the export -----------------------------------------------------------------


def test_with_sink_s3_an_event_is_written_and_exported(sandbox: Caller, bucket: Bucket) -> None:
    outcome = lake(genesys=organisation(sandbox.url), sink="s3", **bucket.settings).send(delivery())
    assert isinstance(outcome, Delivered)
    assert [event["id"] for event in bucket.events()] == [RECORD.id]
    assert [export["filter"]["type"] for export in exports(sandbox)] == ["customObjectRecord"]


def test_an_export_that_fails_is_tried_again_alone(sandbox: Caller, receiver: Receiver) -> None:
    receiver.answer = lambda _: STORED
    one = lake(genesys=organisation(sandbox.url), sink="s3", endpoint_url=receiver.url, **CREDENTIALS)
    fault(sandbox, status=503)
    failed = one.send(delivery())
    assert isinstance(failed, RetryLater)
    again = delivery(progress=failed.progress, attempt=2, failures=1)
    assert isinstance(one.send(again), Delivered)
    assert len(receiver.requests) == len(exports(sandbox)) == 1


def test_an_event_that_could_not_be_written_is_not_exported(sandbox: Caller, receiver: Receiver) -> None:
    receiver.answers(503, STORED)
    one = lake(genesys=organisation(sandbox.url), sink="s3", endpoint_url=receiver.url, **CREDENTIALS)
    failed = one.send(delivery())
    assert isinstance(failed, RetryLater)
    assert (failed.progress, exports(sandbox)) == (None, [])
    assert isinstance(one.send(delivery(attempt=2, failures=1)), Delivered)
    assert len(exports(sandbox)) == 1


def test_what_was_written_is_written_again_where_there_is_nothing_to_export(receiver: Receiver) -> None:
    receiver.answers(STORED)
    one = lake(sink="s3", endpoint_url=receiver.url, **CREDENTIALS)
    assert isinstance(one.send(delivery(progress={"written": True})), Delivered)
    assert len(receiver.requests) == 1
