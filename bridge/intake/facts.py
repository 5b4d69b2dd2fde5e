"""Facts that the bridge established itself, recorded in the settling transaction. It may not know the dispatcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from bridge.audit.notes import AuditNotes
from bridge.events import Event, RecordedEvent
from bridge.intake.arrivals import Arrival
from bridge.intake.canonical import canonical_json, event_key
from bridge.intake.ledger import BRIDGE
from bridge.intake.recorder import record
from bridge.privacy.vault import Vault


@dataclass(frozen=True, kw_only=True)
class FactRecorder:
    """Receiver for `signals.facts_established`: `connect(recorder.record_facts, weak=False)`."""

    notes: AuditNotes
    vault: Vault
    dedupe_window: timedelta
    #: Name of the source by which Genesys confirms what we did: a fact takes the key that its webhook will ask for.
    #: `bridge` where there is no such source.
    confirmed_by: str = BRIDGE

    def record_facts(
        self,
        _sender: object,
        *,
        facts: Sequence[Event],
        cause: RecordedEvent,
        session: Session,
        now: datetime,
    ) -> None:
        """Record each fact like any other event; a webhook that came first makes it a duplicate."""
        record(
            session,
            [self._arrival(fact, cause, now) for fact in facts],
            notes=self.notes,
            vault=self.vault,
            now=now,
            dedupe_window=self.dedupe_window,
        )

    def _arrival(self, fact: Event, cause: RecordedEvent, now: datetime) -> Arrival:
        key = event_key(self.confirmed_by, fact.type, fact.subject, fact.version, fact.payload)
        return Arrival(
            event=replace(fact, content_key=key, content_is_unique=fact.version is not None),
            source=BRIDGE,
            body=canonical_json(fact.payload),
            received_at=now,
            correlation_id=cause.correlation_id,
            traceparent=cause.traceparent,
            caused_by=cause.caused_by,
            actor="worker",
        )
