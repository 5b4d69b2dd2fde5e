"""What any worker may do and none has to: every step is guarded in the database, so two workers cannot do it twice.

It may not deliver anything.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bridge.audit.seal import SealedBatch, seal
from bridge.events import AUDIT_SEALED, Event, RecordedEvent
from bridge.intake.canonical import canonical_json
from bridge.intake.ledger import BRIDGE
from bridge.intake.recorder import Arrival, record
from bridge.outbox.ledger.blocked import any_blocked, skip_overdue
from bridge.outbox.replay_walk import has_steps, step_replays
from bridge.wiring import Wiring

SEAL_SECONDS = 10.0
#: So that sealing a long backlog does not keep the other chores waiting.
BATCHES_AT_ONCE = 10

log = structlog.get_logger()


class Chores:
    """Of one worker; `do` is called about once a second."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._sealed_at = float("-inf")

    def do(self) -> None:
        """Take the next step of whatever is due. What fails is tried again the next time."""
        try:
            self._step_replays()
            self._skip_overdue_lanes()
            self._seal_audit()
        except SQLAlchemyError as error:
            log.warning("chores.failed", error=type(error).__name__)

    def _step_replays(self) -> None:
        wiring = self._wiring
        with wiring.database.read() as session:
            if not has_steps(session):
                return
        with wiring.database.write() as session:
            step_replays(session, wiring.wanted, now=wiring.clock.now(), notes=wiring.notes)

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
        record(session, [arrival], notes=wiring.notes, now=now, dedupe_window=window)


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
