"""Notices when a source's requests fail verification one after the other. It may not refuse anything."""

from __future__ import annotations

import threading

from bridge import signals
from bridge.events import RecordedEvent

#: So many in a row, in one process, are no accident.
IN_A_ROW = 10
#: How the causes of failed verification begin (`intake.verification`).
_CAUSES = ("signature-", "timestamp-", "credentials-")


class VerificationSeries:
    """A receiver of `request_rejected` and `event_recorded`, per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row: dict[str, int] = {}

    def count(self, _sender: object, *, source: str, cause: str) -> None:
        """One more of `source`, where it is about verification."""
        if not cause.startswith(_CAUSES):
            return
        with self._lock:
            found = self._in_a_row[source] = self._in_a_row.get(source, 0) + 1
        if found >= IN_A_ROW:
            signals.needs_attention.send(
                VerificationSeries,
                cause="source.unverified",
                destination=None,
                subject=f"source:{source}",
                message=f"{found} requests in a row failed verification, the last with {cause}: "
                "is the secret the same on both sides?",
            )

    def end(self, source: object, *, event: RecordedEvent, **_: object) -> None:
        """`source` was verified: the series is over."""
        if self._in_a_row:
            with self._lock:
                self._in_a_row.pop(event.source, None)
