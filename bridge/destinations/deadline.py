"""The end of one try, on a clock that never runs backwards. It may not know what is done until then."""

from __future__ import annotations

from bridge.clock import Clock


class Deadline:
    """One total limit for everything that one try does; every step asks what is left."""

    __slots__ = ("_clock", "_end", "seconds")

    def __init__(self, seconds: float, clock: Clock) -> None:
        #: The whole limit, for messages.
        self.seconds = seconds
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, more than 0. Raises TimeoutError when there are none."""
        left = self._end - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
