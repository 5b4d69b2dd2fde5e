"""Read what could not be read once more, with today's format of its source. It may not know how that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from bridge.admin.reasons import check_reason
from bridge.admin.search.events import raw_body
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.errors import Conflict, FieldError, Invalid, Malformed, NotFound
from bridge.events import Event
from bridge.intake import ledger, strict_json
from bridge.intake.arrivals import Arrival, Receipt, StandIn
from bridge.intake.formats import find_format
from bridge.intake.reading import read_events
from bridge.intake.recorder import record
from bridge.privacy.data_keys import remove_without_events
from bridge.privacy.vault import Vault
from bridge.settings.model import SourceSettings

#: What marks arrivals that are echoes of commands of ours, as at the door.
Mark = Callable[[Session, Sequence[Arrival], datetime], Sequence[Arrival]]


@dataclass(frozen=True, kw_only=True)
class Reparsed:
    """What became of one unreadable event."""

    id: str
    #: The events that its body tells of, in their order; the first has its id unless it is a duplicate. Empty: it
    #: still cannot be read.
    events: tuple[Receipt, ...] = ()
    #: Why it is still unreadable: what is wrong with which field, or where it was recorded meanwhile.
    errors: tuple[FieldError, ...] = ()

    @property
    def result(self) -> str:
        """`recorded`, `duplicate` (all of it was recorded meanwhile) or `unreadable`."""
        if not self.events:
            return "unreadable"
        return "duplicate" if all(one.duplicate for one in self.events) else "recorded"


@dataclass(frozen=True, kw_only=True)
class Reparser:
    """Reads again what a source sent; once per process."""

    sources: Mapping[str, SourceSettings]
    notes: AuditNotes
    vault: Vault
    dedupe_window: timedelta
    #: None: no command of ours can have caused anything.
    mark: Mark | None = None

    def reparse(self, session: Session, event_id: str, *, reason: str, actor: str, now: datetime) -> Reparsed:
        """Parse an unreadable event again: what it tells takes its place and is owed as if it came now.

        What was recorded meanwhile is not recorded twice; what still cannot be read is left with today's errors. Both
        are to be committed. Raises NotFound, Gone where it was erased, Conflict unless it is unreadable, Invalid
        without a reason.
        """
        check_reason(reason)
        kept = ledger.lock_event(session, event_id)
        if kept is None:
            raise NotFound("no event has this id; see GET /api/v1/events")
        if kept.state != "unreadable":
            raise Conflict("the event was read already; only an unreadable one can be parsed again")
        try:
            events = self._read(session, event_id, kept.source)
        except (Invalid, Malformed) as refused:
            errors = refused.errors or (FieldError(field="body", rule="json", message=refused.detail),)
            ledger.say_why_unreadable(session, event_id, errors)
            done = Reparsed(id=event_id, errors=errors)
        else:
            done = self._replace(session, event_id, kept, events, actor, now)
        self._note(session, done, reason, actor, now)
        return done

    def _read(self, session: Session, event_id: str, source: str) -> list[Event]:
        settings = self.sources.get(source)
        if settings is None:
            raise Conflict(f"its source {source} is not configured any more; configure it again, then parse it again")
        document = strict_json.parse(raw_body(session, event_id, self.vault))
        return read_events(find_format(settings.format), document, source=source)

    def _replace(
        self, session: Session, event_id: str, kept: ledger.Kept, events: Sequence[Event], actor: str, now: datetime
    ) -> Reparsed:
        body = raw_body(session, event_id, self.vault)
        row = ledger.take_away(session, event_id)
        stand_in = StandIn(id=event_id, duplicates=row["duplicates"])
        arrivals: Sequence[Arrival] = [
            Arrival(
                event=event,
                source=kept.source,
                body=body,
                # The order of ids and of these times is one: who gets a new id came now.
                received_at=now if place else kept.received_at,
                correlation_id=kept.correlation_id,
                traceparent=kept.traceparent,
                actor=actor,
                replaces=None if place else stand_in,
            )
            for place, event in enumerate(events)
        ]
        if self.mark is not None:
            arrivals = self.mark(session, arrivals, now)
        receipts = record(
            session, arrivals, notes=self.notes, vault=self.vault, now=now, dedupe_window=self.dedupe_window
        )
        errors: tuple[FieldError, ...] = ()
        if receipts[0].duplicate:
            errors = (_recorded_meanwhile(receipts[0]),)
            ledger.put_back(session, row, errors)
        elif row["key_id"] is not None:  # who is named in it is found by what it is now
            remove_without_events(session, [(row["subject"], row["key_id"])])
        return Reparsed(id=event_id, events=tuple(receipts), errors=errors)

    def _note(self, session: Session, done: Reparsed, reason: str, actor: str, now: datetime) -> None:
        details = {
            "event": done.id,
            "result": done.result,
            "events": [one.event_id for one in done.events],
            "fields": sorted({error.field for error in done.errors}),
        }
        entry = AuditEntry(
            actor=actor, action="event.reparsed", subject=f"event:{done.id}", reason=reason, details=details
        )
        self.notes.write(session, [entry], now)


def _recorded_meanwhile(receipt: Receipt) -> FieldError:
    message = f"Can be read now, and was recorded meanwhile as event {receipt.event_id}: nothing is left to do."
    return FieldError(field="body", rule="duplicate", message=message)
