"""A client on a fake Genesys and a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from bridge.genesys import Command, Done, GenesysClient, GenesysError, Rules, Wait
from bridge.settings.model import GenesysSettings, Secret
from tests.fakes import FakeClock
from tests.genesys.fake_genesys import API_URL, LOGIN_URL, FakeGenesys

MakeClient = Callable[..., GenesysClient]


def settings(**changes: Any) -> GenesysSettings:
    basis: dict[str, Any] = {
        "api_url": API_URL,
        "login_url": LOGIN_URL,
        "client_id": "bridge",
        "client_secret": Secret("s3cr3t"),
        "verify_history": False,
    }
    return GenesysSettings(**{**basis, **changes})


@pytest.fixture
def genesys() -> FakeGenesys:
    return FakeGenesys()


@pytest.fixture
def make_client(genesys: FakeGenesys, clock: FakeClock) -> MakeClient:
    """A client with these settings; its sleep moves the clock."""

    def make(*, rules: Callable[[GenesysSettings], Rules] | None = None, **changes: Any) -> GenesysClient:
        chosen = settings(**changes)
        return GenesysClient(
            chosen,
            rules=rules(chosen) if rules else None,
            clock=clock,
            adapter=genesys,
            crm_adapter=genesys,
            sleep=clock.advance,
            random=Random(7),
        )

    return make


@pytest.fixture
def client(make_client: MakeClient) -> GenesysClient:
    return make_client()


class Outbox:
    """What an outbox does with a command: stores progress as JSON text, waits on the clock, tries again."""

    def __init__(self, client: GenesysClient, clock: FakeClock) -> None:
        self.client = client
        self._clock = clock
        self.command: Command | None = None
        self.stored: str | None = None
        #: How long each step asked to wait.
        self.delays: list[timedelta] = []

    def takes(self, operation: str, body: Mapping[str, object], *, command_id: str = "command-1") -> Outbox:
        self.command = Command(id=command_id, operation=operation, body=body, issued_at=self._clock.now())
        self.stored = None
        return self

    def step(self) -> Done | Wait:
        """One step. A failed one stores what its error says, and raises it."""
        assert self.command is not None
        progress = None if self.stored is None else json.loads(self.stored)
        try:
            result = self.client.advance(self.command, progress, self._clock.now())
        except GenesysError as error:
            if error.progress is not None:
                self.stored = json.dumps(error.progress)
            raise
        if isinstance(result, Wait):
            self.stored = json.dumps(result.progress)
            self.delays.append(result.delay)
        return result

    def run(self, *, most_steps: int = 500) -> Done:
        """Steps until it is done, the clock moved by what each asks to wait."""
        for _ in range(most_steps):
            result = self.step()
            if isinstance(result, Done):
                return result
            self._clock.advance(result.delay.total_seconds())
        raise AssertionError(f"not done after {most_steps} steps")


@pytest.fixture
def outbox(client: GenesysClient, clock: FakeClock) -> Outbox:
    return Outbox(client, clock)
