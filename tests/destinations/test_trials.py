"""What a trial sends: one harmless request on the way that deliveries go, and nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks import Webhook

from bridge.audit.signing import AuditSigner
from bridge.clock import SystemClock
from bridge.destinations.registry import build_destinations
from bridge.genesys import GenesysClient
from bridge.outbox.contract import Delivered, Rejected, RetryLater
from bridge.privacy.masking import Masking
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.settings.model import AuthSettings, Secret, Settings
from tests.destinations.deliveries import delivery, destination
from tests.destinations.lakes import lake, organisation
from tests.destinations.s3_server import Bucket
from tests.destinations.ways import OPENED
from tests.receivers import Receiver

SIGNING_SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes of a signing key").decode()


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig()) as server:
        yield server


def asked(sandbox: SandboxServer) -> list[tuple[object, object]]:
    """Method and path of what reached the API, without the token requests."""
    entries = sandbox.sandbox.journal.newest()
    return [(one["method"], one["path"]) for one in entries if not str(one["path"]).startswith("/oauth")]


def test_a_trial_is_signed_authorised_and_says_that_it_is_one(receiver: Receiver) -> None:
    erp = destination(
        receiver,
        auth=AuthSettings(type="bearer", token=Secret("t0ken")),
        signing_secrets=(Secret(SIGNING_SECRET),),
        headers={"X-Tenant": "7"},
    )
    assert isinstance(erp.try_out(), Delivered)
    (request,) = receiver.requests
    assert Webhook(SIGNING_SECRET).verify(request.body, dict(request.headers))
    assert (request.headers["Authorization"], request.headers["X-Tenant"]) == ("Bearer t0ken", "7")
    assert (request.headers["X-Bridge-Test"], request.path) == ("true", "/hook")
    assert request.headers["webhook-id"].startswith("test_")
    assert request.headers["Idempotency-Key"] == request.headers["webhook-id"]


def test_no_delivery_looks_like_a_trial(receiver: Receiver) -> None:
    erp = destination(receiver)
    erp.send(delivery())
    assert "X-Bridge-Test" not in receiver.requests[0].headers


def test_every_trial_is_a_new_one(receiver: Receiver) -> None:
    erp = destination(receiver)
    erp.try_out()
    erp.try_out()
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 2


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("erp", {"schemaName": "BridgeTest", "recordId": "bridge-test", "fields": {}}),
        ("crm", {"eventType": "CONVERSATION_ATTRIBUTES_UPDATED"}),
        ("governance", {"count": 0}),
        ("http", {"type": "com.genesys.bridge.bridge.test", "source": "/sources/bridge-test"}),
    ],
)
def test_a_kind_tries_with_the_shape_that_it_sends(receiver: Receiver, kind: str, body: dict[str, Any]) -> None:
    assert isinstance(destination(receiver, kind=kind).try_out(), Delivered)
    assert body.items() <= receiver.requests[0].json().items()


def test_a_transform_reshapes_a_trial_where_it_can(receiver: Receiver) -> None:
    destination(receiver, transform="{id: recordId}").try_out()
    assert receiver.requests[0].json() == {"id": "bridge-test"}
    destination(receiver, transform="fields.sku").try_out()
    assert receiver.requests[1].json()["recordId"] == "bridge-test", "of what it needs a trial has nothing"


@pytest.mark.parametrize(("status", "outcome"), [(503, RetryLater), (302, RetryLater), (400, Rejected)])
def test_a_trial_is_judged_like_a_delivery(receiver: Receiver, status: int, outcome: type[object]) -> None:
    receiver.answers(status)
    tried = destination(receiver).try_out()
    assert isinstance(tried, outcome)
    assert tried.exchange.status == status
    assert len(receiver.requests) == 1


def test_a_trial_does_not_leave_the_guard_behind(receiver: Receiver) -> None:
    tried = destination(receiver, allow_local=False).try_out()
    assert isinstance(tried, RetryLater)
    assert tried.error_class == "egress"
    assert receiver.requests == []


def test_a_lake_gets_one_object_that_no_reader_looks_at(bucket: Bucket) -> None:
    one = lake(sink="s3", path="/interactions/", **bucket.settings)
    OPENED.append(one)
    for _ in range(2):
        tried = one.try_out()
        assert isinstance(tried, Delivered)
        assert tried.exchange.status == 200
    assert bucket.object_keys() == ["interactions/_bridge-test.jsonl.gz"]
    assert bucket.events()[0]["type"] == "com.genesys.bridge.bridge.test"


def test_a_lake_that_cannot_be_written_says_so_and_asks_nobody_else(bucket: Bucket, sandbox: SandboxServer) -> None:
    wrong = {**bucket.settings, "secret_key": Secret("wrong")}
    one = lake(sink="s3", genesys=organisation(sandbox.url), **wrong)
    OPENED.append(one)
    assert isinstance(one.try_out(), RetryLater)
    assert asked(sandbox) == []


def test_genesys_is_asked_for_what_is_not_there_and_nothing_is_changed(bucket: Bucket, sandbox: SandboxServer) -> None:
    exporting = lake(genesys=organisation(sandbox.url))
    both = lake(sink="s3", genesys=organisation(sandbox.url), **bucket.settings)
    OPENED.extend((exporting, both))
    for one in (exporting, both):
        tried = one.try_out()
        assert isinstance(tried, Delivered)
        assert tried.exchange.status == 404
    assert asked(sandbox) == [("GET", "/api/v2/interactions/bridge-test")] * 2
    assert len(bucket.object_keys()) == 1


def test_credentials_that_genesys_does_not_take_are_told(sandbox: SandboxServer) -> None:
    wrong = replace(organisation(sandbox.url), client_secret=Secret("wrong"))
    one = lake(genesys=wrong)
    OPENED.append(one)
    tried = one.try_out()
    assert isinstance(tried, RetryLater)
    assert (tried.error_class, tried.slow) == ("AuthenticationFailed", True)


def test_the_destination_genesys_is_tried_in_the_same_way(sandbox: SandboxServer) -> None:
    there = organisation(sandbox.url)
    built = build_destinations(
        Settings(genesys=there),
        masking=Masking((), b"key"),
        clock=SystemClock(),
        signer=AuditSigner(b"a key for tests"),
        genesys=GenesysClient(there),
    )
    assert isinstance(built["genesys"].try_out(), Delivered)
    assert asked(sandbox) == [("GET", "/api/v2/interactions/bridge-test")]
