"""What the commands of a span came to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from bridge.clock import rfc3339
from bridge.commands.asking import Asker
from bridge.commands.measures import OperationMeasures, measure
from bridge.sandbox import SandboxConfig, SandboxServer
from tests.commands.office import Office, opened, purge_policy, settings
from tests.fakes import FakeClock

EVA, OTTO = Asker(actor="token:eva"), Asker(actor="token:otto")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def sandbox(clock: FakeClock) -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(), clock=clock.now) as server:
        yield server


@pytest.fixture
def office(database_url: str, sandbox: SandboxServer, clock: FakeClock) -> Iterator[Office]:
    with opened(settings(database_url, sandbox.url), clock) as office:
        yield office


def fault(sandbox: SandboxServer, **order: object) -> None:
    requests.post(f"{sandbox.url}/_sandbox/faults", json=order, timeout=5).raise_for_status()


def measured(office: Office, *, since: datetime, until: datetime) -> dict[str, OperationMeasures]:
    with office.wiring.database.read() as session:
        return {one.operation: one for one in measure(session, since=since, until=until)}


def test_everything_is_counted_per_operation(office: Office, clock: FakeClock, sandbox: SandboxServer) -> None:
    began = clock.now()
    fault(sandbox, path="/api/v2/conversations/conv-2001", kind="status", status=503, times=1)
    fault(sandbox, path="/api/v2/conversations/*/attributes", kind="status", status=412, times=2)
    office.ask("conversation.attributes.update", {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}})
    refused = {"conversation_id": "conv-2003", "attributes": {"system.queue": "sales"}}
    office.ask("conversation.attributes.update", refused)
    for _ in range(10):
        office.carry_out()
        clock.advance(1)
    office.ask("conversation.attributes.update", {"conversation_id": "conv-2002", "attributes": {"tier": "gold"}})
    told = measured(office, since=began, until=began + timedelta(minutes=2))
    counted = told["conversation.attributes.update"]
    assert (counted.asked, counted.succeeded, counted.failed, counted.open) == (3, 1, 1, 1)
    assert (counted.retries, counted.conflicts, counted.violations) == (1, 2, 1)
    assert counted.per_minute == 1.0, "two have ended in two minutes"
    assert counted.latency_ms is not None
    assert counted.latency_ms.p50 <= counted.latency_ms.p95 == counted.latency_ms.max
    assert counted.latency_ms.max >= 1000, "from the first step to the last"
    untouched = told["record.update"]
    assert (untouched.asked, untouched.latency_ms) == (0, None)


def test_purged_interactions_are_counted(office: Office, clock: FakeClock) -> None:
    began, purges = clock.now(), office.wiring.purges
    old = {"start": "2010-01-01T00:00:00Z", "end": rfc3339(clock.now() - timedelta(days=366))}
    plan = purges.plan(purge_policy(interactionType="voice", dateRange=old), person="eva", asker=EVA)
    purges.approve(plan.id, person="otto", asker=OTTO)
    for _ in range(8):
        office.carry_out()
        clock.advance(20)
    told = measured(office, since=began, until=clock.now())["interactions.purge"]
    assert (told.succeeded, told.purged) == (1, 2)


def test_only_what_was_asked_for_in_the_span_counts(office: Office, clock: FakeClock) -> None:
    body = {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
    moments = []
    for _ in range(3):
        moments.append(clock.now())
        office.ask("conversation.attributes.update", body)
        clock.advance(60)
    told = measured(office, since=moments[1], until=moments[2])
    assert told["conversation.attributes.update"].asked == 1
