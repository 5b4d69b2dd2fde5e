"""A whole bridge beside a sandbox of Genesys: commands in over the API, webhooks back, governance and CRM told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.sandbox.config import connection
from tests.journeys.site import SECRET, Api, Reply, configuration, eventually, site
from tests.processes import BridgeFolder
from tests.receivers import Receiver


@dataclass(frozen=True)
class Receivers:
    erp: Receiver
    crm: Receiver
    governance: Receiver


def organised(path: Path, database_url: str, receivers: Receivers) -> BridgeFolder:
    """A folder whose commands go to Genesys with short waits; `connect` says which one. Nothing is started yet."""
    config = f"""{configuration(receivers.erp, receivers.crm)}
[destinations.governance]
kind = "governance"
url = "{receivers.governance.url}/audits"
allow_local = true
retry = {{ base = 0.05, cap = 0.4 }}

[destinations.genesys]
kind = "genesys"
max_in_flight = 8
retry = {{ base = 0.05, cap = 0.5 }}
breaker = {{ failures = 3, cooldown = 1 }}

[genesys]
rate_per_minute = 100000
max_writes = 8
conflict_tries = 100
"""
    return site(path, database_url, config)


def sandbox_for(bridge: BridgeFolder, *, webhooks_to: str | None = None, **more: Any) -> SandboxServer:
    """A sandbox that tells `bridge` of every change, or who is named; the processes that are started later know it."""
    config = SandboxConfig(
        webhook_url=webhooks_to or f"{bridge.url}/webhooks/genesys",
        webhook_secret=SECRET,
        webhook_tries=10,
        rate_per_minute=100_000,
        **more,
    )
    server = SandboxServer(config)
    bridge.environment.update(connection(server.url, config))
    return server


def fault(sandbox: SandboxServer, **order: object) -> None:
    requests.post(f"{sandbox.url}/_sandbox/faults", json=order, timeout=5).raise_for_status()


def seen(sandbox: SandboxServer, what: str) -> dict[str, Any]:
    """One part of the sandbox's state."""
    state: dict[str, Any] = requests.get(f"{sandbox.url}/_sandbox/state", timeout=5).json()[what]
    return state


def ended(api: Api, reply: Reply, *, seconds: float = 20) -> Mapping[str, Any]:
    """The command that `reply` gave, when it is over."""
    assert reply.status in (200, 202), reply
    path = f"/commands/{reply.body['command']}"
    eventually(lambda: api.get(path)["finished_at"] is not None, "over", seconds=seconds)
    told: Mapping[str, Any] = api.get(path)
    return told
