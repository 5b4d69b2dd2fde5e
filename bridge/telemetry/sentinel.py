"""Looks for what no signal tells of: workers that stall, sources that are silent, an audit that was tampered with.

Run by web and worker alike, so that each sees the other fail. It may not mend anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bridge import signals
from bridge.audit.verify import verify_newest
from bridge.clock import Clock
from bridge.database import Database
from bridge.settings.model import SourceSettings
from bridge.telemetry.health import Expected, is_stalled
from bridge.telemetry.silence import last_heard

#: At most so far apart; closer where a stall shorter than this has to be noticed.
LOOK_SECONDS = 10.0
AUDIT_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class _Noticed:
    cause: str
    message: str
    subject: str | None = None


class Sentinel:
    """`look` where others keep the time, or `start` a thread of its own."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        expected: Expected,
        sources: Iterable[SourceSettings],
        trusted_keys: Collection[str],
        while_stalled: Callable[[], None] | None = None,
    ) -> None:
        """`trusted_keys`: whose audit is trusted. `while_stalled` is called after telling of a stall."""
        self._database, self._clock, self._expected = database, clock, expected
        self._sources = [one for one in sources if one.expect_every is not None]
        self._trusted_keys = trusted_keys
        self._while_stalled = while_stalled
        self._every = min(LOOK_SECONDS, expected.stall.total_seconds() / 2)
        self._audit_at = float("-inf")
        self._looked_at = clock.monotonic()
        self._since: datetime | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def look_if_due(self) -> None:
        """`look`, where the last time is long enough ago."""
        now = self._clock.monotonic()
        if now - self._looked_at >= self._every:
            self._looked_at = now
            self.look()

    def look(self) -> None:
        """Send `needs_attention` for everything that is found; nothing where the database does not answer."""
        try:
            with self._database.read() as session:
                stalled = is_stalled(session, self._clock.now(), self._expected)
                noticed = [*self._silent(session), *self._tampered(session)]
        except SQLAlchemyError:
            return
        if stalled:
            message = f"deliveries are due and nothing was tried for {self._expected.stall.total_seconds():g} s"
            noticed.append(_Noticed(cause="worker.stalled", message=message))
        for one in noticed:
            signals.needs_attention.send(
                Sentinel, cause=one.cause, destination=None, subject=one.subject, message=one.message
            )
        if stalled and self._while_stalled is not None:
            self._while_stalled()

    def start(self) -> None:
        """Look from time to time, on a thread, until `stop`."""
        self._thread = threading.Thread(target=self._run, name="sentinel", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every):
            self.look()

    def _silent(self, session: Session) -> Iterator[_Noticed]:
        """A source that was never heard is silent since this process began."""
        now = self._clock.now()
        self._since = self._since or now
        for source in self._sources:
            expected = source.expect_every or timedelta.max
            heard = last_heard(session, source.name)
            if now - (heard or self._since) > expected:
                silent = "never" if heard is None else f"last at {heard:%Y-%m-%d %H:%M:%S} UTC"
                message = f"no event came for longer than {expected.total_seconds():g} s: {silent}"
                yield _Noticed(cause="source.silent", subject=f"source:{source.name}", message=message)

    def _tampered(self, session: Session) -> Iterator[_Noticed]:
        now = self._clock.monotonic()
        if now - self._audit_at < AUDIT_SECONDS:
            return
        self._audit_at = now
        found = verify_newest(session, trusted=self._trusted_keys)
        if found.problem is not None:
            yield _Noticed(cause="audit.broken", message=found.problem)
