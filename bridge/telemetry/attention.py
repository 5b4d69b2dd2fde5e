"""What a person should look at, said once: grouped by cause and destination, at most one per period.

A receiver of `signals.needs_attention`; today it writes a log line.
"""

from __future__ import annotations

import threading
from datetime import timedelta

import structlog

from bridge.clock import Clock

log = structlog.get_logger()


class AttentionLog:
    """Logs the first of a kind at once, then how many more there were when the period is over and another comes."""

    def __init__(self, clock: Clock, every: timedelta) -> None:
        self._clock = clock
        self._every = every.total_seconds()
        self._lock = threading.Lock()
        self._said_at: dict[tuple[str, str | None], float] = {}
        self._held_back: dict[tuple[str, str | None], int] = {}

    def receive(
        self,
        _sender: object,
        *,
        cause: str,
        destination: str | None = None,
        subject: str | None = None,
        message: str = "",
    ) -> None:
        kind = (cause, destination)
        now = self._clock.monotonic()
        with self._lock:
            said_at = self._said_at.get(kind)
            if said_at is not None and now - said_at < self._every:
                self._held_back[kind] = self._held_back.get(kind, 0) + 1
                return
            self._said_at[kind] = now
            more = self._held_back.pop(kind, 0)
        log.warning(
            "needs_attention", cause=cause, destination=destination, subject=subject, message=message, since_last=more
        )
