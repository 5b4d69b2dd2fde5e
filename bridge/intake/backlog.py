"""The guard that answers 503 before the bridge drowns: too much owed, or no disk left. It may not ask per request."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from bridge import signals
from bridge.clock import Clock
from bridge.database import Database
from bridge.errors import TemporarilyUnavailable
from bridge.tables import LaneRow

REFRESH_SECONDS = 5.0
#: Counting may take this share of the time at most; a long count is repeated more rarely.
COUNTING_SHARE = 0.02
RETRY_AFTER_SECONDS = 60
MIN_FREE_BYTES = 256 * 1024 * 1024
#: The share of the limit at which somebody is told.
WARN_AT = 0.8

_COUNT = select(func.coalesce(func.sum(LaneRow.last_seq - LaneRow.head_seq + 1), 0))
#: Lanes with something open are due or blocked, never both: two partial indexes instead of every lane there is.
_COUNTS_OF_OPEN = (_COUNT.where(LaneRow.due_at.is_not(None)), _COUNT.where(LaneRow.blocked_at.is_not(None)))


class Backlog:
    """Knows, a few seconds late, whether there is room for more. Its thread starts with the first question."""

    def __init__(
        self, database: Database, clock: Clock, *, max_backlog: int, min_free_bytes: int = MIN_FREE_BYTES
    ) -> None:
        self._database = database
        self._clock = clock
        self._max_backlog = max_backlog
        self._min_free_bytes = min_free_bytes
        self._refusal: str | None = None
        self._warned = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def check(self) -> None:
        """Raise TemporarilyUnavailable while there is no room, as far as was known when this was asked."""
        refusal = self._refusal
        if self._thread is None:
            self._start()
        if refusal is not None:
            raise TemporarilyUnavailable(
                "Nothing was stored: there is no room for more now. Send the same again later.",
                retry_after=RETRY_AFTER_SECONDS,
                cause=refusal,
            )

    @property
    def is_full(self) -> bool:
        """True while there is no room, as far as is known."""
        return self._refusal is not None

    def refresh(self) -> None:
        """Look now; where the database does not answer, what was known stays."""
        open_deliveries = self._count_open()
        if open_deliveries is None:
            return
        if self._free_bytes() < self._min_free_bytes:
            self._refusal = "disk-full"
        else:
            self._refusal = "backlog-full" if open_deliveries > self._max_backlog else None
        self._warn(open_deliveries > WARN_AT * self._max_backlog or self._refusal is not None)

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="backlog", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            started = self._clock.monotonic()
            self.refresh()
            pause = max(REFRESH_SECONDS, (self._clock.monotonic() - started) / COUNTING_SHARE)

    def _count_open(self) -> int | None:
        try:
            with self._database.read() as session:
                return sum(int(session.scalar(count) or 0) for count in _COUNTS_OF_OPEN)
        except SQLAlchemyError:
            return None

    def _free_bytes(self) -> float:
        """Free space where the database is a local file; what a server has is the server's to know."""
        file = self._database.engine.url.database
        if not self._database.is_sqlite or not file or file == ":memory:":
            return float("inf")
        return shutil.disk_usage(Path(file).absolute().parent).free

    def _warn(self, is_high: bool) -> None:
        if is_high and not self._warned:
            signals.needs_attention.send(
                Backlog,
                cause=self._refusal or "backlog-high",
                destination=None,
                subject=None,
                message="Deliveries pile up or the disk fills: soon webhooks are, or already they are, answered 503.",
            )
        self._warned = is_high
