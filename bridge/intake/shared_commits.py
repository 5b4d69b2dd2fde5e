"""One transaction for all requests that wait at the same moment. It may not know HTTP, or what is in an arrival."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from bridge import signals
from bridge.audit.notes import AuditNotes
from bridge.clock import Clock
from bridge.database import Database
from bridge.errors import TemporarilyUnavailable
from bridge.intake import ledger
from bridge.intake.arrivals import Arrival, Receipt
from bridge.intake.ledger import Rejection
from bridge.intake.recorder import record
from bridge.privacy.vault import Vault

MAX_BATCH = 64
MAX_WAITING = 1024
#: Longer than two tries of a transaction that waits for the database's own lock timeout.
PATIENCE_SECONDS = 25.0
RETRY_AFTER_SECONDS = 5
#: The database is away, locked, full or failing over: the same request may succeed later.
_AWAY_CAUSE = "database-away"
_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout)

#: Gives the arrivals back, in their order, with `caused_by` where somebody's own command caused them. Reads only.
Mark = Callable[[Session, Sequence[Arrival], datetime], Sequence[Arrival]]


class SharedCommits:
    """Requests submit and wait; one thread commits what has gathered, and answers each after its own commit.

    Nobody is made to wait for others: a batch is what came in while the last one was being committed. The thread
    starts with the first submission, so that it lives in the process that serves (servers fork).
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        notes: AuditNotes,
        vault: Vault,
        dedupe_window: timedelta,
        max_waiting: int = MAX_WAITING,
        mark: Mark | None = None,
    ) -> None:
        """`mark` is asked within the transaction that records; None: nobody here gives commands."""
        self._database = database
        self._clock = clock
        self._notes = notes
        self._vault = vault
        self._dedupe_window = dedupe_window
        self._mark = mark
        self._max_waiting = max_waiting
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False

    @property
    def waiting(self) -> int:
        """How many submissions wait for the next transaction."""
        return self._queue.qsize()

    def submit(self, arrivals: Sequence[Arrival], *, rejections: Sequence[Rejection] = ()) -> list[Receipt]:
        """Record `arrivals` (and `rejections`) in one committed transaction; one receipt per arrival.

        Raises TemporarilyUnavailable where the database is away or too many wait: nothing was acknowledged.
        Anything else that it raises is the fault of this submission alone.
        """
        waiting = _Waiting(arrivals, rejections)
        with self._lock:
            if self._stopped or self._queue.qsize() >= self._max_waiting:
                raise _unavailable("overloaded")
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="shared-commits", daemon=True)
                self._thread.start()
            self._queue.put(waiting)
        if not waiting.answered.acquire(timeout=PATIENCE_SECONDS):
            raise _unavailable("database-slow")
        if waiting.error is not None:
            raise waiting.error
        return waiting.receipts

    def stop(self) -> None:
        """Commit what is waiting, then end the thread; later submissions are refused."""
        with self._lock:
            self._stopped = True
            thread = self._thread
            self._queue.put(None)
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, more = self._gather(first)
            self._commit(batch)
            if not more:
                return

    def _gather(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """What waits, at most MAX_BATCH; False where `stop` was met on the way."""
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                break
            if waiting is None:
                return batch, False
            batch.append(waiting)
        return batch, True

    def _commit(self, batch: list[_Waiting]) -> None:
        if (error := self._try(batch)) is not None:
            if len(batch) > 1:
                self._commit_each_alone(batch)
            else:
                batch[0].error = error
        for waiting in batch:
            waiting.answered.release()
        if any(receipt.deliveries for waiting in batch for receipt in waiting.receipts):
            signals.work_recorded.send(SharedCommits)

    def _commit_each_alone(self, batch: list[_Waiting]) -> None:
        """One of them failed: each gets a transaction of its own, so that it fails only for its own fault."""
        away = False
        for waiting in batch:
            waiting.error = _unavailable(_AWAY_CAUSE) if away else self._try([waiting])
            # Away for one is away for all: do not let each of them wait for the same timeout.
            away = away or (isinstance(waiting.error, TemporarilyUnavailable) and waiting.error.cause == _AWAY_CAUSE)

    def _try(self, batch: list[_Waiting]) -> Exception | None:
        """Commit `batch` as one transaction: fills the receipts, or gives what went wrong."""
        try:
            receipts = self._write(batch)
        except _AWAY:
            return _unavailable(_AWAY_CAUSE)
        except Exception as error:  # noqa: BLE001 (handed over: raised again in the thread that asked)
            return error
        for waiting in batch:
            waiting.receipts = [next(receipts) for _ in waiting.arrivals]
        return None

    def _write(self, batch: list[_Waiting]) -> Iterator[Receipt]:
        arrivals: Sequence[Arrival] = [arrival for waiting in batch for arrival in waiting.arrivals]
        rejections = [rejection for waiting in batch for rejection in waiting.rejections]
        receipts: list[Receipt] = []
        with self._database.write() as session:
            now = self._clock.now()
            if arrivals:
                receipts = record(
                    session,
                    self._mark(session, arrivals, now) if self._mark else arrivals,
                    notes=self._notes,
                    vault=self._vault,
                    now=now,
                    dedupe_window=self._dedupe_window,
                )
            if rejections:
                ledger.insert_rejections(session, self._vault, rejections, now=now)
        return iter(receipts)


class _Waiting:
    """One submission and what becomes of it; `answered` is released when `receipts` or `error` is set."""

    __slots__ = ("answered", "arrivals", "error", "receipts", "rejections")

    def __init__(self, arrivals: Sequence[Arrival], rejections: Sequence[Rejection]) -> None:
        self.arrivals = arrivals
        self.rejections = rejections
        self.receipts: list[Receipt] = []
        self.error: Exception | None = None
        self.answered = threading.Lock()  # a bare lock: an Event costs ten times as much
        self.answered.acquire()


def _unavailable(cause: str) -> TemporarilyUnavailable:
    return TemporarilyUnavailable(
        "Nothing was stored: the database cannot take it now. Send the same again later.",
        retry_after=RETRY_AFTER_SECONDS,
        cause=cause,
    )
