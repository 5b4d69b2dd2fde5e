"""A sandbox that listens, with a clock that moves when told to."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest

from bridge.sandbox import SandboxConfig, SandboxServer
from tests.fakes import FakeClock
from tests.receivers import Receiver
from tests.sandbox.calling import Caller

Serve = Callable[[SandboxConfig], Caller]


@pytest.fixture
def serve(clock: FakeClock) -> Iterator[Serve]:
    """Serve a sandbox of this configuration until the test ends; gives somebody who is logged in."""
    with ExitStack() as running:

        def start(config: SandboxConfig) -> Caller:
            return Caller(running.enter_context(SandboxServer(config, clock=clock.now)).url).log_in()

        yield start


class HandedOver:
    """A clock that each test replaces by its own, so that one server can serve all of them."""

    def __init__(self) -> None:
        self.clock = FakeClock()

    def now(self) -> datetime:
        return self.clock.now()


@pytest.fixture(scope="session")
def _shared() -> Iterator[tuple[SandboxServer, HandedOver]]:
    time = HandedOver()
    with SandboxServer(SandboxConfig(), clock=time.now) as server:
        yield server, time


@pytest.fixture
def caller(_shared: tuple[SandboxServer, HandedOver], clock: FakeClock) -> Caller:
    """Calls a sandbox of the default configuration, as it is at its start."""
    server, time = _shared
    time.clock = clock
    server.sandbox.reset()
    return Caller(server.url).log_in()


@pytest.fixture
def bridge() -> Iterator[Receiver]:
    """Where webhooks go."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def told(serve: Serve, bridge: Receiver) -> Caller:
    """Calls a sandbox that posts webhooks to `bridge`."""
    config = SandboxConfig(
        webhook_url=f"{bridge.url}/webhooks/genesys", webhook_secret="tünnel", webhook_backoff=0.01, webhook_tries=3
    )
    return serve(config)


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads take turns every few microseconds, so that a missing lock shows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
