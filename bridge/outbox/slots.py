"""The sending threads of one destination, and when it is worth looking for work for them. No SQL here."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from datetime import datetime

from bridge.clock import Clock
from bridge.outbox.contract import ClaimedDelivery, Destination

#: Claimed per sending thread, so that a thread finds its next delivery without waiting for a commit.
AHEAD = 2
#: Even where nothing is known to be due, a look is taken that often: the safety net below the hint.
POLL_SECONDS = 1.0
#: A lane that is due but cannot be claimed (another worker is at it) must not make the loop spin.
LEAST_REST_SECONDS = 0.005

_Work = tuple[Callable[[ClaimedDelivery], None], ClaimedDelivery]


class Slots:
    """`policy.max_in_flight` threads (`max_threads` at most), started as they are needed.

    Used by the dispatcher's thread only, but for the sending threads' own loop.
    """

    def __init__(self, destination: Destination, max_threads: int, clock: Clock) -> None:
        self.destination = destination
        #: Claims handed out and not yet returned.
        self.in_flight = 0
        self._clock = clock
        self._width = min(destination.policy.max_in_flight, max_threads)
        self._threads = 0
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._look = True
        self._next_due: datetime | None = None
        self._rested_at = 0.0
        self._tokens = 1.0
        self._refilled = clock.monotonic()

    def free(self) -> int:
        """How many more deliveries may be claimed now."""
        room = self._width * AHEAD - self.in_flight
        rate = self.destination.policy.rate
        if rate is None:
            return room
        now = self._clock.monotonic()
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._refilled) * rate)
        self._refilled = now
        return min(room, int(self._tokens))

    def wants_work(self) -> bool:
        return self._look and self.free() > 0

    def look(self) -> None:
        """Something may be due: look at the next turn."""
        self._look = True

    def look_if_due(self, now: datetime) -> None:
        known = self._next_due is not None and self._next_due <= now
        if known or self._clock.monotonic() - self._rested_at >= POLL_SECONDS:
            self._look = True

    def rest_until(self, moment: datetime | None) -> None:
        """Nothing more is due until then (None: nothing waits at all)."""
        self._look = False
        self._next_due = moment
        self._rested_at = self._clock.monotonic()

    def idle_seconds(self, now: datetime) -> float:
        """How long the loop may sleep for this destination's sake."""
        if self._look:
            rate = self.destination.policy.rate
            starved = rate is not None and self._tokens < 1
            return (1 - self._tokens) / rate if starved and rate else POLL_SECONDS
        if self._next_due is None:
            return POLL_SECONDS
        return min(POLL_SECONDS, max(LEAST_REST_SECONDS, (self._next_due - now).total_seconds()))

    def submit(self, attempt: Callable[[ClaimedDelivery], None], delivery: ClaimedDelivery) -> None:
        self.in_flight += 1
        self._tokens -= 1
        if self._threads < min(self._width, self.in_flight):
            self._threads += 1
            name = f"{self.destination.name}-{self._threads}"
            threading.Thread(target=self._run, name=name, daemon=True).start()
        self._work.put((attempt, delivery))

    def returned(self) -> None:
        """A claim came back: its slot is free, and its lane may be due again."""
        self.in_flight -= 1
        self._look = True

    def close(self) -> list[ClaimedDelivery]:
        """End the threads once they finish what they send; return the claims that none of them had begun."""
        unsent = []
        while True:
            try:
                work = self._work.get_nowait()
            except queue.Empty:
                break
            if work is not None:
                unsent.append(work[1])
        for _ in range(self._threads):
            self._work.put(None)
        return unsent

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            attempt, delivery = work
            attempt(delivery)
