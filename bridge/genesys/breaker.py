"""The circuit breaker of one Genesys organisation. It may not know what is called, only whether there was an answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

from bridge.clock import Clock
from bridge.genesys.errors import GenesysError, Unavailable

MOST_FAILURES = 5
COOLDOWN_SECONDS = 30.0

BreakerState = Literal["closed", "open", "half-open"]


class Breaker:
    """Opens after more than `most_failures` calls in a row without a usable answer; after `cooldown` seconds one call
    is let through, and its end closes or reopens it."""

    def __init__(self, *, clock: Clock, most_failures: int = MOST_FAILURES, cooldown: float = COOLDOWN_SECONDS) -> None:
        self._clock = clock
        self._most_failures = most_failures
        self._cooldown = cooldown
        self._lock = threading.Lock()
        self._failures = 0
        #: On the monotonic clock; None while it is closed.
        self._opened_at: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        with self._lock:
            if self._opened_at is None:
                return "closed"
            return "half-open" if self._left() <= 0 else "open"

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around one call. Raises Unavailable (`deferred`) without it while the breaker is open."""
        self._enter()
        try:
            yield
        except Unavailable:
            self._failed()
            raise
        except GenesysError:  # a refusal too is a sign of life
            self._succeeded()
            raise
        except BaseException:
            self._gave_nothing()
            raise
        self._succeeded()

    def _enter(self) -> None:
        with self._lock:
            if self._opened_at is None:
                return
            left = self._left()
            if left > 0 or self._probing:
                wait = timedelta(seconds=max(left, 1.0))
                raise Unavailable("the breaker is open after failures in a row", retry_after=wait, deferred=True)
            self._probing = True

    def _left(self) -> float:
        return (self._opened_at or 0.0) + self._cooldown - self._clock.monotonic()

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._probing = False
            if self._failures > self._most_failures:
                self._opened_at = self._clock.monotonic()

    def _succeeded(self) -> None:
        with self._lock:
            self._failures = 0
            self._probing = False
            self._opened_at = None

    def _gave_nothing(self) -> None:
        with self._lock:
            self._probing = False
