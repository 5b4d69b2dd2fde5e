"""The rate limit: so many calls per token and minute. It may not know HTTP."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the `inin-ratelimit-*` headers tell after a call."""

    count: int
    allowed: int
    #: Whole seconds until the count begins again, at least 1.
    reset: int

    @property
    def exceeded(self) -> bool:
        return self.count > self.allowed


class Pace:
    """Counts calls in windows of a minute that begin with a token's first call."""

    def __init__(self, *, allowed: int, clock: Callable[[], datetime]) -> None:
        self._allowed = allowed
        self._clock = clock
        self._lock = Lock()
        self._windows: dict[str, tuple[datetime, int]] = {}

    def count(self, token: str) -> Standing:
        """Count one call of this token."""
        now = self._clock()
        with self._lock:
            began, count = self._windows.get(token, (now, 0))
            if now - began >= WINDOW:
                began, count = now, 0
                self._windows = {key: kept for key, kept in self._windows.items() if now - kept[0] < WINDOW}
            self._windows[token] = (began, count + 1)
        left = (began + WINDOW - now).total_seconds()
        return Standing(count=count + 1, allowed=self._allowed, reset=max(1, math.ceil(left)))

    def clear(self) -> None:
        with self._lock:
            self._windows.clear()
