"""What a person should look at: grouped by cause and whom it is about, at most one per period; here as log lines.

Receivers of `signals.needs_attention`. It may not write a row (see `alerts`).
"""

from __future__ import annotations

import threading
from datetime import timedelta

import structlog

from bridge.clock import Clock

log = structlog.get_logger()

#: A cause, and the destination (or, where there is none, the subject) that it is about.
Kind = tuple[str, str | None]


class Grouping:
    """Lets the first of a kind through, then one per period. Per process; safe for threads."""

    def __init__(self, clock: Clock, every: timedelta) -> None:
        self._clock = clock
        self._every = every.total_seconds()
        self._lock = threading.Lock()
        self._said_at: dict[Kind, float] = {}
        self._held_back: dict[Kind, int] = {}

    def admitted(self, kind: Kind) -> int | None:
        """How many were held back since the last that was let through; None: this one is held back too."""
        now = self._clock.monotonic()
        with self._lock:
            said_at = self._said_at.get(kind)
            if said_at is not None and now - said_at < self._every:
                self._held_back[kind] = self._held_back.get(kind, 0) + 1
                return None
            self._said_at[kind] = now
            return self._held_back.pop(kind, 0)

    def give_back(self, kind: Kind, count: int) -> None:
        """So many that were let through were not told after all."""
        with self._lock:
            self._held_back[kind] = self._held_back.get(kind, 0) + count


class AttentionLog:
    """Logs the first of a kind at once, then how many more there were when the period is over and another comes."""

    def __init__(self, clock: Clock, every: timedelta) -> None:
        self._grouping = Grouping(clock, every)

    def receive(
        self,
        _sender: object,
        *,
        cause: str,
        destination: str | None = None,
        subject: str | None = None,
        message: str = "",
        event_type: str | None = None,
        delivery: str | None = None,
    ) -> None:
        more = self._grouping.admitted(kind_of(cause, destination, subject))
        if more is None:
            return
        log.warning(
            "needs_attention",
            cause=cause,
            destination=destination,
            subject=subject,
            message=message,
            type=event_type,
            delivery=delivery,
            since_last=more,
        )


def kind_of(cause: str, destination: str | None, subject: str | None) -> Kind:
    """What is grouped: all subjects of one destination together, and each source for itself."""
    return cause, destination or subject
