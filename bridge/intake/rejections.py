"""Keeping refused requests, bounded so that nobody can fill the database with them. It may not refuse anything."""

from __future__ import annotations

from contextlib import suppress

from bridge import signals
from bridge.clock import Clock, new_id
from bridge.errors import TemporarilyUnavailable
from bridge.intake.bucket import TokenBucket
from bridge.intake.ledger import Rejection
from bridge.intake.shared_commits import SharedCommits

#: What one process keeps: so many per second, and so many at once. The signal is sent for every one.
KEPT_PER_SECOND = 10.0
KEPT_AT_ONCE = 100.0


class RejectionLog:
    """Tells of every refused request, and keeps as many of them as the bounds allow."""

    def __init__(self, commits: SharedCommits, clock: Clock) -> None:
        self._commits = commits
        self._clock = clock
        self._bucket = TokenBucket(rate=KEPT_PER_SECOND, burst=KEPT_AT_ONCE, clock=clock)

    def keep(self, *, source: str, cause: str, status: int, address: str, size: int, body: bytes | None) -> None:
        """Commit the rejection where the bounds and the database allow, and tell of it in any case.

        `body` is None unless the sender was verified.
        """
        if self._bucket.take() == 0.0:
            rejection = Rejection(
                id=new_id(),
                at=self._clock.now(),
                source=source,
                cause=cause,
                status=status,
                address=address,
                size=size,
                body=body,
            )
            with suppress(TemporarilyUnavailable):  # the refusal stands without its row: 401 does not become 503
                self._commits.submit((), rejections=[rejection])
        self.count(source=source, cause=cause)

    def count(self, *, source: str, cause: str) -> None:
        """Tell of a rejection that is never kept: of an unknown source, or while nothing can be stored."""
        signals.request_rejected.send(RejectionLog, source=source, cause=cause)
