"""How fast the client may call: calls per minute and writes at once. It may not wait: it refuses and says for how long.

Source: https://developer.genesys.cloud/platform/api/rate-limits (300 calls a minute and token; the three headers)
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from bridge.clock import Clock
from bridge.genesys.errors import RateLimited
from bridge.genesys.wire import Call

#: When all write slots of an endpoint are taken: about as long as one write lasts.
SLOT_WAIT = timedelta(seconds=1)


class Pace:
    """A token bucket that holds a minute's calls, corrected by what the platform says it has counted.

    A step of an operation is let in or refused as a whole: `admit` before its first call, `spend` for every call in it,
    below zero where need be. Were each call refused by itself, a step of two calls could for ever get its first only.
    """

    def __init__(self, *, per_minute: int, clock: Clock) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._lock = threading.Lock()
        self._left = self._capacity
        self._counted_at = clock.monotonic()
        #: On the monotonic clock; nothing is admitted before.
        self._closed_until = self._counted_at

    def admit(self) -> None:
        """Raises RateLimited (`deferred`) with the time until a call may begin."""
        with self._lock:
            self._refill()
            wait = max(self._closed_until - self._counted_at, (1 - self._left) / self._per_second)
        if wait > 0:
            raise RateLimited(
                "our own pace holds this back: wait, or raise genesys.rate_per_minute",
                retry_after=timedelta(seconds=wait),
                deferred=True,
            )

    def spend(self) -> None:
        """Count one call."""
        with self._lock:
            self._refill()
            self._left -= 1

    def learn(self, headers: Mapping[str, str]) -> None:
        """Never be more generous than the platform's own count (others may use the same budget)."""
        count, allowed = (_number(headers.get(f"inin-ratelimit-{name}")) for name in ("count", "allowed"))
        if count is None or allowed is None:
            return
        with self._lock:
            self._refill()
            self._left = min(self._left, allowed - count)
        if count >= allowed:
            self.hold(timedelta(seconds=_number(headers.get("inin-ratelimit-reset")) or 0))

    def hold(self, wait: timedelta) -> None:
        """Admit nothing for so long: the platform said so."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock.monotonic() + wait.total_seconds())

    def _refill(self) -> None:
        now = self._clock.monotonic()
        self._left = min(self._capacity, self._left + (now - self._counted_at) * self._per_second)
        self._counted_at = now


class WriteSlots:
    """So many writes at once per endpoint, no more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def hold(self, call: Call) -> Iterator[None]:
        """Hold a slot for `call`; a read needs none. Raises RateLimited (`deferred`) where all are taken."""
        if not call.writes:
            yield
            return
        with self._lock:
            if self._taken[call.endpoint] >= self._most:
                raise RateLimited("too many writes at once to this endpoint", retry_after=SLOT_WAIT, deferred=True)
            self._taken[call.endpoint] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[call.endpoint] -= 1


def _number(text: str | None) -> int | None:
    stated = (text or "").strip()
    return int(stated[:9]) if stated.isascii() and stated.isdigit() else None
