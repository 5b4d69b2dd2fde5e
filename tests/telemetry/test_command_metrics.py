"""What commands come to, counted against the sandbox over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
import requests
from prometheus_client import generate_latest

from bridge.outbox.dispatcher import Dispatcher
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.telemetry.metrics import Metrics
from bridge.wiring import wire
from tests.commands.office import ERP_TEAM, settings
from tests.fakes import FakeClock
from tests.telemetry.scraping import samples, value

OPERATION = "conversation.attributes.update"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_command_that_met_a_conflict_is_counted_with_every_request_that_it_took(database_url: str) -> None:
    clock = FakeClock(datetime.now(UTC))
    metrics = Metrics(None)
    with SandboxServer(SandboxConfig(), clock=clock.now) as sandbox:
        wiring = wire(settings(database_url, sandbox.url), clock=clock, observer=metrics.observe_genesys)
        to_genesys = {"genesys": wiring.destinations["genesys"]}
        dispatcher = Dispatcher(
            wiring.database, to_genesys, clock=clock, rng=Random(1), notes=wiring.notes, vault=wiring.vault
        )
        [conversation, *_] = requests.get(f"{sandbox.url}/_sandbox/state", timeout=5).json()["conversations"]
        order = {"path": "/api/v2/*", "method": "PATCH", "kind": "status", "status": 412, "times": 1}
        assert requests.post(f"{sandbox.url}/_sandbox/faults", json=order, timeout=5).status_code < 300
        body = {"conversation_id": conversation, "attributes": {"tier": "gold"}}
        wiring.commands.ask(OPERATION, body, asker=ERP_TEAM)
        for _ in range(20):
            dispatcher.deliver_due()
            clock.advance(5)
        wiring.close()
    metrics.close()
    found = samples(generate_latest(metrics.registry()).decode())
    assert value(found, "bridge_commands_total", operation=OPERATION, result="succeeded") == 1
    assert value(found, "bridge_conflicts_total", operation=OPERATION) == 1
    assert value(found, "bridge_genesys_requests_total", operation=OPERATION, status="412") == 1
    assert value(found, "bridge_genesys_requests_total", operation="oauth.token", status="200") == 1
    assert value(found, "bridge_events_total", source="bridge", type=OPERATION) == 1
    requests_made = sum(number for (name, _), number in found.items() if name == "bridge_genesys_requests_total")
    assert value(found, "bridge_genesys_seconds_count") == requests_made
