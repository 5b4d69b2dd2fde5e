"""The dispatcher: claims what is due, sends it on bounded threads, settles what came out, in batches.

One thread talks to the database, and only in short transactions; the sending threads hold none. It may not know how
a destination sends.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import structlog
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from bridge import signals
from bridge.audit.notes import AuditNotes
from bridge.clock import Clock
from bridge.database import Database
from bridge.events import RecordedEvent
from bridge.outbox.contract import ClaimedDelivery, Delivered, Destination, Rejected, RetryLater
from bridge.outbox.ledger.admission import next_due
from bridge.outbox.ledger.breaker import is_breaking, record_tries
from bridge.outbox.ledger.claim import claim
from bridge.outbox.ledger.pause import pause
from bridge.outbox.ledger.settle import Settlement, give_back, settle
from bridge.outbox.retry import decide
from bridge.outbox.slots import Slots
from bridge.outbox.telling import tell
from bridge.outbox.wakeup import watch
from bridge.privacy.vault import Vault

#: The safety net below the hint.
POLL_SECONDS = 1.0
#: Settlements per transaction at most.
BATCH = 256
DATABASE_PAUSE_SECONDS = 0.5
#: What a stop may take (spec 7: 30 s in all); whatever is not settled by then is found by its lease.
FINISH_SECONDS = 25.0

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class _Unsent:
    """A claim that was never tried: the lease had become too short, or the worker stops."""

    delivery: ClaimedDelivery


class _Hint:
    """Wakes the loop: something may be due anywhere."""


_HINT = _Hint()
_Result = Settlement | _Unsent


class Dispatcher:
    """Delivers what is owed to `destinations`, until stopped.

    Any number may run, in any number of processes, on one database.
    """

    def __init__(
        self,
        database: Database,
        destinations: Mapping[str, Destination],
        *,
        clock: Clock,
        rng: Random,
        notes: AuditNotes,
        vault: Vault,
        max_threads: int = 16,
    ) -> None:
        self._database = database
        self._clock = clock
        self._rng = rng
        self._notes = notes
        self._vault = vault
        self._slots = {name: Slots(one, max_threads, clock) for name, one in destinations.items()}
        self._results: queue.SimpleQueue[_Result | _Hint] = queue.SimpleQueue()
        self._unsettled: list[_Result] = []
        self._opened: list[str] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        """Deliver until `stop` is called; then finish what is being sent, give back the rest, and return."""
        watcher = threading.Thread(
            target=watch, args=(self._database, self._hint, self._stopping), name="watch", daemon=True
        )
        watcher.start()
        while not self._stopping.is_set():
            self._turn()
            self._collect(timeout=self._idle_seconds())
        self._finish()
        watcher.join(timeout=5)

    def stop(self) -> None:
        """Ask `run` to end; returns at once. Safe in a signal handler and from any thread."""
        self._stopping.set()
        self._hint()

    def deliver_due(self) -> int:
        """Deliver everything that is due now and what becomes due by it, in the caller's own time; return how many
        tries that took. For tests and tools: a worker calls `run`."""
        tries = 0
        while True:
            self._look_everywhere()
            self._turn()
            if not self._in_flight():
                return tries
            while self._in_flight():
                self._collect(timeout=None)
                tries += len(self._unsettled)
                self._turn()

    def _hint(self) -> None:
        self._results.put(_HINT)

    def _turn(self) -> None:
        """One transaction: settle what came back, claim what has a free slot. Then hand the claims to the threads."""
        batch, self._unsettled = self._unsettled[:BATCH], self._unsettled[BATCH:]
        try:
            claimed = self._settle_and_claim(batch)
        except OperationalError as error:  # the database is away or busy: nothing is lost, only late
            log.warning("database.unavailable", error=type(error.orig).__name__, unsettled=len(batch))
            self._unsettled = batch + self._unsettled
            threading.Event().wait(DATABASE_PAUSE_SECONDS)
        except DBAPIError:
            self._settle_one_by_one(batch)
        else:
            for delivery in claimed:
                self._slots[delivery.destination].submit(self._try, delivery)

    def _settle_and_claim(self, batch: Sequence[_Result]) -> list[ClaimedDelivery]:
        hungry = [] if self._stopping.is_set() else [one for one in self._slots.values() if one.wants_work()]
        if not batch:
            hungry = self._with_something_due(hungry)
            if not hungry:
                return []
        claimed: list[ClaimedDelivery] = []
        self._opened.clear()  # of a transaction that failed
        with self._database.write() as session:
            lost = self._settle(session, batch)
            for slots in hungry:
                claimed += self._claim(session, slots)
        self._tell(batch, lost)
        return claimed

    def _settle(self, session: Session, batch: Sequence[_Result]) -> set[str]:
        """Write the results; returns the ids of those deliveries whose lease was lost."""
        now = self._clock.now()
        settlements = [one for one in batch if isinstance(one, Settlement)]
        kept = settle(session, settlements, now=now, notes=self._notes)
        self._record_health(session, kept)
        for one in kept:
            if isinstance(one.outcome, Rejected) and one.outcome.pause:
                reason = one.outcome.reason
                pause(session, one.delivery.destination, reason=reason, actor="worker", now=now, notes=self._notes)
            if isinstance(one.outcome, Delivered | Rejected):
                self._record_consequences(session, one.outcome, one.delivery.event, now)
        give_back(session, [one.delivery for one in batch if isinstance(one, _Unsent)], now=now)
        return {one.delivery.delivery_id for one in settlements} - {one.delivery.delivery_id for one in kept}

    def _record_consequences(
        self, session: Session, outcome: Delivered | Rejected, cause: RecordedEvent, now: datetime
    ) -> None:
        self._notes.write(session, outcome.notes, now)
        if outcome.facts:
            signals.facts_established.send(Dispatcher, facts=outcome.facts, cause=cause, session=session, now=now)

    def _record_health(self, session: Session, kept: Sequence[Settlement]) -> None:
        """Let the breakers of all workers know; what opened one is told after the commit."""
        health: dict[str, list[bool]] = {}
        for one in kept:
            health.setdefault(one.delivery.destination, []).append(not is_breaking(one.outcome))
        for name, tries in sorted(health.items()):
            policy, now = self._slots[name].destination.policy, self._clock.now()
            if record_tries(session, name, tries, policy=policy, now=now, rng=self._rng, notes=self._notes):
                self._opened.append(name)

    def _claim(self, session: Session, slots: Slots) -> list[ClaimedDelivery]:
        name, policy, limit = slots.destination.name, slots.destination.policy, slots.free()
        now = self._clock.now()
        claimed = claim(session, name, limit=limit, policy=policy, now=now, notes=self._notes, vault=self._vault)
        if len(claimed) < limit:
            slots.rest_until(next_due(session, name))
        return claimed

    def _with_something_due(self, hungry: Iterable[Slots]) -> list[Slots]:
        """Those with a lane that is due; the others rest until theirs is. Takes no write lock."""
        now = self._clock.now()
        found = []
        with self._database.read() as session:
            for slots in hungry:
                moment = next_due(session, slots.destination.name)
                if moment is not None and moment <= now:
                    found.append(slots)
                else:
                    slots.rest_until(moment)
        return found

    def _settle_one_by_one(self, batch: Sequence[_Result]) -> None:
        """A result that cannot be written must not hold up the others: its lease ends, and it is tried again."""
        for one in batch:
            try:
                with self._database.write() as session:
                    lost = self._settle(session, [one])
            except SQLAlchemyError as error:
                log.error("settle.failed", delivery=one.delivery.delivery_id, error=type(error).__name__)
            else:
                self._tell([one], lost)

    def _try(self, delivery: ClaimedDelivery) -> None:
        """Runs on a sending thread: one try, its outcome, its verdict. Never raises, or a slot would be lost."""
        destination = self._slots[delivery.destination].destination
        policy = destination.policy
        started_at, started = self._clock.now(), self._clock.monotonic()
        if started_at + timedelta(seconds=policy.timeout) > delivery.lease_until:
            self._results.put(_Unsent(delivery=delivery))
            return
        try:
            outcome = delivery.unopened or destination.send(delivery)
        except Exception as error:  # the one broad except: a bug in a destination must not cost its lane
            log.exception("destination.failed", destination=destination.name, delivery=delivery.delivery_id)
            outcome = RetryLater(reason=f"the bridge itself failed: {type(error).__name__}", error_class="internal")
        now = self._clock.now()
        self._results.put(
            Settlement(
                delivery=delivery,
                outcome=outcome,
                verdict=decide(outcome, delivery, policy, now, self._rng),
                started_at=started_at,
                duration_ms=max(0, round((self._clock.monotonic() - started) * 1000)),
                block_on_dead=policy.block_on_dead,
            )
        )

    def _collect(self, *, timeout: float | None) -> None:
        """Wait for a result or a hint, then take everything that has gathered."""
        try:
            result = self._results.get(timeout=timeout)
            while True:
                self._take(result)
                result = self._results.get_nowait()
        except queue.Empty:
            if timeout is not None:
                self._look_at_the_due()

    def _take(self, result: _Result | _Hint) -> None:
        if isinstance(result, _Hint):
            self._look_everywhere()
            return
        self._slots[result.delivery.destination].returned()
        self._unsettled.append(result)

    def _look_everywhere(self) -> None:
        for slots in self._slots.values():
            slots.look()

    def _look_at_the_due(self) -> None:
        now = self._clock.now()
        for slots in self._slots.values():
            slots.look_if_due(now)

    def _idle_seconds(self) -> float:
        now = self._clock.now()
        return min((slots.idle_seconds(now) for slots in self._slots.values()), default=POLL_SECONDS)

    def _in_flight(self) -> bool:
        return any(slots.in_flight for slots in self._slots.values())

    def _tell(self, batch: Iterable[_Result], lost: set[str]) -> None:
        tell([one for one in batch if isinstance(one, Settlement)], lost=lost, opened=self._opened)
        self._opened.clear()

    def _finish(self) -> None:
        """Give back what waits for a thread, let the running tries end within their deadline, settle everything."""
        for slots in self._slots.values():
            for delivery in slots.close():
                self._results.put(_Unsent(delivery=delivery))
        deadline = self._clock.monotonic() + FINISH_SECONDS
        while (self._in_flight() or self._unsettled) and self._clock.monotonic() < deadline:
            if self._in_flight():
                self._collect(timeout=POLL_SECONDS)
            self._turn()
