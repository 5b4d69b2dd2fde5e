"""What every chapter plays with: the stage, the teller, what was posted, and which claims did not hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bridge.clock import Clock
from bridge.demo.api import Api
from bridge.demo.calling import Thing
from bridge.demo.receivers import Receiver
from bridge.demo.stage import Stage
from bridge.demo.telling import Telling
from bridge.demo.webhooks import Posted, Webhook

PATIENCE_SECONDS = 10.0
#: The states of a command that will not change any more.
ENDED = ("succeeded", "failed", "cancelled")
_LOOK_SECONDS = 0.03


@dataclass(frozen=True, kw_only=True)
class Scene:
    stage: Stage
    tell: Telling
    clock: Clock
    #: Every webhook that was posted, in order.
    posted: list[Posted] = field(default_factory=list)
    #: The claims that did not hold.
    broken: list[str] = field(default_factory=list)

    def post(self, webhook: Webhook, *, signature: str | None = None) -> Posted:
        """Post it, and remember it for the account."""
        posted = self.stage.genesys.post(webhook, signature=signature)
        self.posted.append(posted)
        return posted

    def post_all(self, webhooks: Iterable[Webhook]) -> list[Posted]:
        return [self.post(webhook) for webhook in webhooks]

    def check(self, claim: str, held: bool) -> None:
        """Tell whether `claim` holds, and remember it where it does not."""
        self.tell.claim(claim, held=held)
        if not held:
            self.broken.append(claim)

    def until(self, true: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> bool:
        """Wait; True as soon as it is, False when the time is up. Raises DemoFailed where a process has ended."""
        deadline = self.clock.monotonic() + seconds
        while not true():
            self.stage.programs.require_running()
            if self.clock.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def until_taken(self, receiver: Receiver, count: int) -> bool:
        """Wait until it has accepted so many requests in all."""
        return self.until(lambda: len(receiver.accepted()) >= count)

    def command_ended(self, api: Api, command_id: str, *, seconds: float = PATIENCE_SECONDS) -> Thing:
        """A command as `api` is told of it, when it has ended, or the time is up."""
        self.until(lambda: api.read(f"/commands/{command_id}")["state"] in ENDED, seconds=seconds)
        return api.read(f"/commands/{command_id}")

    def deliveries(self, posted: Posted) -> list[Thing]:
        """What the API says that is owed because of `posted`, newest first."""
        return self.stage.api.every("/deliveries", event_id=posted.event_id)

    def states(self, posted: Iterable[Posted]) -> list[str]:
        """The state of the one delivery of each."""
        wanted = [one.event_id for one in posted]
        found = {one["event_id"]: one["state"] for one in self.stage.api.every("/deliveries") if not one["replay_of"]}
        return [found.get(event_id, "unknown") for event_id in wanted]
