"""Events on their way into a lake, through a wired bridge, its database and its outbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bridge.commands.asking import Asker
from bridge.events import Event
from bridge.outbox.contract import ClaimedDelivery, Delivered, Destination, Outcome, RetryLater
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.settings.model import DestinationSettings
from tests.destinations.deliveries import RECORD
from tests.destinations.lakes import organisation, wired
from tests.destinations.s3_server import Bucket, S3Server
from tests.fakes import FakeClock
from tests.sandbox.calling import Caller

CHANGED = Event(type=RECORD.type, subject=RECORD.subject, payload=RECORD.payload, version="3")


@pytest.fixture
def clock() -> FakeClock:
    """Today, so that the sandbox's interactions are as old as they say."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def sandbox(clock: FakeClock) -> Iterator[Caller]:
    with SandboxServer(SandboxConfig(), clock=clock.now) as server:
        yield Caller(server.url)


@pytest.fixture
def restless() -> Iterator[S3Server]:
    """A server of the same buckets that a test may stop."""
    server = S3Server()
    server.start()
    yield server
    server.stop()


def s3_lake(bucket: Bucket, **changes: object) -> DestinationSettings:
    settings = {"name": "lake", "kind": "datalake", "sink": "s3", "allow_local": True, **bucket.settings, **changes}
    return DestinationSettings(**settings)  # type: ignore[arg-type]


def test_a_lake_that_is_away_gets_its_event_when_it_is_back(
    database_url: str, bucket: Bucket, restless: S3Server, clock: FakeClock
) -> None:
    with wired(database_url, clock, s3_lake(bucket, endpoint_url=restless.url)) as bridge:
        bridge.record(CHANGED)
        restless.stop()
        assert bridge.deliver_due() == 1
        assert bridge.deliver_due() == 0, "it waits for its next try"
        clock.advance(3600)
        assert bridge.deliver_due() == 1
        assert bucket.object_keys() == []
    restless.start()
    clock.advance(3600)
    with wired(database_url, clock, s3_lake(bucket, endpoint_url=restless.url)) as bridge:  # another process
        assert bridge.deliver_due() == 1
        assert bridge.deliver_due() == 0
    (event,) = bucket.events()
    assert (event["subject"], event["data"]) == (RECORD.subject, RECORD.payload)


class Forgetful:
    """Delivers, and forgets it the first time: what a crash between the answer and our commit comes to."""

    def __init__(self, other: Destination) -> None:
        self._other = other
        self.name, self.policy = other.name, other.policy
        self.outcomes: list[Outcome] = []

    def send(self, delivery: ClaimedDelivery) -> Outcome:
        self.outcomes.append(self._other.send(delivery))
        return self.outcomes[-1] if len(self.outcomes) > 1 else RetryLater(reason="forgotten", error_class="test")


def test_an_event_that_was_written_and_not_settled_is_overwritten(
    database_url: str, bucket: Bucket, clock: FakeClock
) -> None:
    with wired(database_url, clock, s3_lake(bucket)) as bridge:
        bridge.record(CHANGED)
        forgetful = Forgetful(bridge.wiring.destinations["lake"])
        bridge.deliver_due({"lake": forgetful})
        (key,) = bucket.object_keys()
        before = bucket.read(key)
        clock.advance(60)
        bridge.deliver_due({"lake": forgetful})
    assert [type(outcome) for outcome in forgetful.outcomes] == [Delivered, Delivered]
    assert bucket.object_keys() == [key]
    assert bucket.read(key) == before


def test_a_fact_of_a_command_is_written_and_exported(
    database_url: str, sandbox: Caller, bucket: Bucket, clock: FakeClock
) -> None:
    export = DestinationSettings(name="export", kind="datalake", bucket="company-lake")
    with wired(database_url, clock, s3_lake(bucket), export, genesys=organisation(sandbox.url)) as bridge:
        sandbox.fault(path="/api/v2/integrations/exports", kind="status", status=503, times=1)
        body = {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
        bridge.wiring.commands.ask(
            "conversation.attributes.update", body, asker=Asker(actor="test"), idempotency_key="once"
        )
        for _ in range(10):
            bridge.deliver_due()
            clock.advance(5)
    (event,) = bucket.events()
    assert event["type"] == "com.genesys.bridge.conversation.attributes.updated"
    exports = sandbox.state()["exports"].values()
    assert {one["filter"]["query"] for one in exports} == {"id eq 'conv-2001'"}
    assert sorted(one["export"]["configuration"]["bucket"] for one in exports) == ["company-lake", bucket.name]
