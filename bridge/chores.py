"""What any worker may do and none has to: every step is guarded in the database, so two workers cannot do it twice.

Replay steps, overdue lanes and sealing guard themselves, statement by statement; retention is done by one worker at a
time, whoever holds its lease. It may not deliver anything.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from random import Random

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bridge.audit.seal import SealedBatch, seal
from bridge.chore_lease import is_due, take
from bridge.errors import LeaseLost
from bridge.events import AUDIT_SEALED, Event, RecordedEvent
from bridge.intake.canonical import canonical_json
from bridge.intake.ledger import BRIDGE
from bridge.intake.recorder import Arrival, record
from bridge.keeping.old_audit import OldAudit
from bridge.keeping.retention import CHORE as RETENTION
from bridge.keeping.retention import Retention
from bridge.outbox.ledger.blocked import any_blocked, skip_overdue
from bridge.outbox.replay_walk import due_replays, step_replay
from bridge.wiring import Wiring, make_sentinel

SEAL_SECONDS = 10.0
#: So that sealing a long backlog does not keep the other chores waiting.
BATCHES_AT_ONCE = 10
#: Of every second, in which the steps of all replays go round.
REPLAY_SECONDS = 0.5
#: Between two rounds: on SQLite whoever waits for the lock looks at it only every few milliseconds.
GIVE_WAY_SECONDS = 0.01
#: Of every second, so that neither the other chores nor whoever writes on SQLite waits long.
RETENTION_SECONDS = 0.25

log = structlog.get_logger()


class Chores:
    """Of one worker; `do` is called about once a second."""

    def __init__(self, wiring: Wiring, rng: Random) -> None:
        self._wiring = wiring
        self._sealed_at = float("-inf")
        self._sentinel = make_sentinel(wiring)
        self._retention = _retention(wiring, rng)
        #: The run of retention that this worker is in the middle of.
        self._forgetting: Iterator[None] | None = None

    def do(self) -> None:
        """Take the next step of whatever is due. What fails is tried again the next time."""
        try:
            self._step_replays()
            self._skip_overdue_lanes()
            self._seal_audit()
            self._forget_old()
            self._sentinel.look_if_due()
        except SQLAlchemyError as error:
            log.warning("chores.failed", error=type(error).__name__)

    def _step_replays(self) -> None:
        """Short transactions, so that whoever records, pauses or cancels meanwhile waits for none."""
        wiring = self._wiring
        with wiring.database.read() as session:
            due = due_replays(session, now=wiring.clock.now())
        began = wiring.clock.monotonic()
        while due and wiring.clock.monotonic() - began < REPLAY_SECONDS:
            due = [one for one in due if self._step_replay(one)]
            threading.Event().wait(GIVE_WAY_SECONDS)

    def _step_replay(self, replay_id: str) -> bool:
        """Whether there may be more of it to do right away."""
        wiring = self._wiring
        with wiring.database.write() as session:
            return step_replay(session, replay_id, wiring.wanted, now=wiring.clock.now(), notes=wiring.notes) > 0

    def _skip_overdue_lanes(self) -> None:
        wiring = self._wiring
        for name, destination in wiring.destinations.items():
            if not destination.policy.block_on_dead:
                continue
            with wiring.database.read() as session:
                if not any_blocked(session, name):
                    continue
            with wiring.database.write() as session:
                now, max_block = wiring.clock.now(), destination.policy.max_block
                skip_overdue(session, name, max_block=max_block, now=now, notes=wiring.notes)

    def _forget_old(self) -> None:
        """Go on with the run of retention for a moment, or begin one where it is time."""
        run, self._forgetting = self._forgetting or self._begun_run(), None
        if run is None:
            return
        began = self._wiring.clock.monotonic()
        try:
            for _ in run:
                if self._wiring.clock.monotonic() - began >= RETENTION_SECONDS:
                    self._forgetting = run  # only now: a run that failed is begun anew, from where it has got to
                    return
        except LeaseLost:
            log.info("retention.lease_lost")

    def _begun_run(self) -> Iterator[None] | None:
        wiring = self._wiring
        with wiring.database.read() as session:
            if not is_due(session, RETENTION, now=wiring.clock.now()):
                return None
        with wiring.database.write() as session:
            lease = take(session, RETENTION, now=wiring.clock.now())
        return None if lease is None else self._retention.run(lease)

    def _seal_audit(self) -> None:
        monotonic = self._wiring.clock.monotonic()
        if monotonic - self._sealed_at < SEAL_SECONDS:
            return
        self._sealed_at = monotonic
        for _ in range(BATCHES_AT_ONCE):
            if not self._seal_batch():
                return

    def _seal_batch(self) -> bool:
        """Seal one batch and owe the news to whoever wants it, in one transaction; False where nothing waits."""
        wiring = self._wiring
        with wiring.database.write() as session:
            now = wiring.clock.now()
            batch = seal(session, wiring.signer, now=now)
            if batch is None:
                return False
            self._tell_governance(session, batch, now)
        return True

    def _tell_governance(self, session: Session, batch: SealedBatch, now: datetime) -> None:
        """Record the news only where somebody wants it: nobody else would ever look at it."""
        wiring = self._wiring
        news = Event(type=AUDIT_SEALED, subject=f"audit:{batch.last}", payload=batch.as_told(), occurred_at=now)
        if not any(wants(_as_recorded(news, now)) for wants in wiring.wanted.values()):
            return
        arrival = Arrival(event=news, source=BRIDGE, body=canonical_json(news.payload), received_at=now, actor="worker")
        window = wiring.settings.server.dedupe_window
        record(session, [arrival], notes=wiring.notes, vault=wiring.vault, now=now, dedupe_window=window)


def _retention(wiring: Wiring, rng: Random) -> Retention:
    settings = wiring.settings
    return Retention(
        database=wiring.database,
        clock=wiring.clock,
        notes=wiring.notes,
        vault=wiring.vault,
        settings=settings.retention,
        holds=wiring.holds,
        audit=OldAudit(
            database=wiring.database,
            clock=wiring.clock,
            notes=wiring.notes,
            signer=wiring.signer,
            beside=settings.config_path.parent,
        ),
        rng=rng,
    )


def _as_recorded(event: Event, now: datetime) -> RecordedEvent:
    return RecordedEvent(
        id="",
        source=BRIDGE,
        type=event.type,
        subject=event.subject,
        payload=event.payload,
        version=None,
        occurred_at=event.occurred_at,
        received_at=now,
        correlation_id=None,
        traceparent=None,
    )
