"""A token bucket in this process's memory. It may not know what it meters."""

from __future__ import annotations

import threading

from bridge.clock import Clock


class TokenBucket:
    """Lets `rate` through per second on average and `burst` at once; starts full. Safe for threads."""

    def __init__(self, *, rate: float, burst: float, clock: Clock) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = burst
        self._filled_at = clock.monotonic()

    def take(self) -> float:
        """Take one token: 0.0, or the seconds until there is one (and none is taken)."""
        with self._lock:
            now = self._clock.monotonic()
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._tokens >= 1:
                self._tokens -= 1
                return 0.0
            return (1 - self._tokens) / self._rate
