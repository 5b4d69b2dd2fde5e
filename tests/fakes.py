"""Fakes that are handed in where the real thing would make a test wait or guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bridge.privacy.key_ring import KeyRing
from bridge.privacy.vault import Vault

#: What a test seals and opens bodies with, where no settings name a secret.
#: What BRIDGE_SECRET_KEY has to be where a whole bridge works beside it.
SECRET_KEY = "a secret of the tests, long enough for anybody"
VAULT = Vault(KeyRing([SECRET_KEY.encode()]))


class FakeClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let that much time pass on both clocks."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock alone: time that did not pass."""
        self._now += timedelta(seconds=seconds)
