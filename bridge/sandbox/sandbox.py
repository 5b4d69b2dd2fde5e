"""One running sandbox: its parts, how they hang together, and how the routes reach it. It may not answer
anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import cast

from flask import current_app, has_request_context, request

from bridge.sandbox import merging, purging
from bridge.sandbox.config import SandboxConfig
from bridge.sandbox.faults import Faults
from bridge.sandbox.ids import Ids
from bridge.sandbox.journal import Journal
from bridge.sandbox.notices import Notice
from bridge.sandbox.pace import Pace
from bridge.sandbox.repeats import Repeats
from bridge.sandbox.seed import seed
from bridge.sandbox.tokens import Tokens
from bridge.sandbox.webhooks import WebhookSender
from bridge.sandbox.world import Clock, World

NOTICE = "This is the sandbox of the bridge, a stand-in for trying out and for tests. It is not Genesys Cloud."


def utc_now() -> datetime:
    """The time of this machine, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    config: SandboxConfig
    clock: Clock
    ids: Ids
    world: World
    tokens: Tokens
    pace: Pace
    repeats: Repeats
    faults: Faults
    journal: Journal
    sender: WebhookSender
    #: Set when the sandbox ends, so that nobody goes on waiting.
    ending: Event = field(default_factory=Event)

    def reset(self) -> None:
        """Everything as it was at the start; tokens end, too."""
        with self.world.lock:
            for part in (self.tokens, self.pace, self.repeats, self.faults, self.journal, self.sender):
                part.clear()
            self.ids.restart()
            self.world.clear()
            seed(self.world)

    def let_time_pass(self) -> None:
        """End the merges and purges whose time has come."""
        merging.advance_all(self.world)
        purging.advance_all(self.world)

    def close(self) -> None:
        """Stop waiting and sending."""
        self.ending.set()
        self.sender.close()


def build(config: SandboxConfig, clock: Callable[[], datetime]) -> Sandbox:
    """A seeded sandbox."""
    ids = Ids(config.seed)
    faults = Faults(ids)
    sender = WebhookSender(config, ids)

    def announce(notice: Notice) -> None:
        doubled = has_request_context() and faults.claim_duplicate(request.method, request.path)
        sender.send(notice, copies=2 if doubled else 1)

    world = World(config=config, clock=clock, ids=ids, announce=announce)
    seed(world)
    return Sandbox(
        config=config,
        clock=clock,
        ids=ids,
        world=world,
        tokens=Tokens(clock),
        pace=Pace(allowed=config.rate_per_minute, clock=clock),
        repeats=Repeats(world.lock),
        faults=faults,
        journal=Journal(),
        sender=sender,
    )


def current() -> Sandbox:
    """The sandbox of the app that answers this request."""
    return cast(Sandbox, current_app.extensions["sandbox"])
