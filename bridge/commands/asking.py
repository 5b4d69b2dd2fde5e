"""Takes a command: checks it, records it like an event, owes it to Genesys. It may not carry it out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from bridge import events, signals
from bridge.audit.notes import AuditNotes
from bridge.clock import Clock
from bridge.commands.ledger import hold_interactions
from bridge.database import Database
from bridge.errors import Conflict, FieldError, Invalid, TemporarilyUnavailable
from bridge.events import Event, conversation_subject, interaction_subject, record_subject
from bridge.genesys import Check, GenesysClient, Rules, Unsupported, check_command
from bridge.genesys import Invalid as BrokenRules
from bridge.intake.canonical import canonical_json
from bridge.intake.ledger import BRIDGE
from bridge.intake.recorder import Arrival, record
from bridge.privacy.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asks: for the audit, for echo suppression, and as the scope of idempotency keys."""

    #: `token:<id>` or `cli:<user>`.
    actor: str
    #: The destination whose own sender this is: it is not told what it asked for itself.
    destination: str | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A command that is recorded. `repeated`: it was before, under the same idempotency key."""

    id: str
    operation: str
    subject: str
    repeated: bool


class Commands:
    """The one way in for commands, whichever door they come by."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        notes: AuditNotes,
        vault: Vault,
        rules: Rules,
        client: GenesysClient | None,
        dedupe_window: timedelta,
    ) -> None:
        """`client` None: no organisation is configured, and every command is refused."""
        self.rules = rules
        self._database = database
        self._clock = clock
        self._notes = notes
        self._vault = vault
        self._client = client
        self._dedupe_window = dedupe_window

    def ask(
        self,
        operation: str,
        body: Mapping[str, object],
        *,
        asker: Asker,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
        traceparent: str | None = None,
        violations: Sequence[FieldError] = (),
    ) -> Asked:
        """Check and record one command, committed when this returns. `violations`: what the door has against it.

        Raises Invalid with every violation; Conflict where an open merge holds an interaction, or the idempotency key
        was used for another body; TemporarilyUnavailable where no Genesys organisation is configured.
        """
        self.check(operation, body, violations=violations)
        with self._database.write() as session:
            asked = self.record(
                session,
                operation,
                body,
                asker=asker,
                idempotency_key=idempotency_key,
                correlation_id=correlation_id,
                traceparent=traceparent,
            )
        signals.work_recorded.send(Commands)
        return asked

    def check(
        self,
        operation: str,
        body: Mapping[str, object],
        *,
        rules: Rules | None = None,
        violations: Sequence[FieldError] = (),
    ) -> None:
        """Raise what `ask` would, without recording anything; under `rules` where they are given."""
        if self._client is None:
            raise without_organisation()
        try:
            self._client.traits(operation)
            check_command(operation, body, Check(rules=rules or self.rules, now=self._clock.now()))
        except BrokenRules as broken:
            raise Invalid("The command breaks rules.", errors=(*violations, *broken.errors)) from None
        except Unsupported as unsupported:
            error = FieldError(field="operation", rule="unsupported", message=str(unsupported))
            raise Invalid("This API profile cannot do that.", errors=(*violations, error)) from None
        if violations:
            raise Invalid("The command breaks rules.", errors=violations)

    def record(
        self,
        session: Session,
        operation: str,
        body: Mapping[str, object],
        *,
        asker: Asker,
        subject: str | None = None,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
        traceparent: str | None = None,
    ) -> Asked:
        """Record a command that was checked, in the caller's transaction. Raises Conflict as `ask` does."""
        keys = command_keys(asker, idempotency_key, operation, body)
        if operation == events.INTERACTION_MERGE:
            body = {**body, "merge_request_id": body.get("merge_request_id") or _merge_request_id(keys[0])}
        now = self._clock.now()
        event = Event(
            type=operation,
            subject=subject or _subject(operation, body),
            payload={"body": dict(body)},
            occurred_at=now,
            delivery_key=keys[0],
            content_key=keys[1],
        )
        arrival = Arrival(
            event=event,
            source=BRIDGE,
            body=canonical_json(event.payload),
            received_at=now,
            correlation_id=correlation_id,
            traceparent=traceparent,
            caused_by=asker.destination,
            actor=asker.actor,
        )
        window = self._dedupe_window
        (receipt,) = record(session, [arrival], notes=self._notes, vault=self._vault, now=now, dedupe_window=window)
        if receipt.conflicting:
            raise Conflict("This Idempotency-Key was used for another command; use a new key for a new command.")
        if operation == events.INTERACTION_MERGE and not receipt.duplicate:
            self._hold(session, receipt.event_id, body)
        return Asked(id=receipt.event_id, operation=operation, subject=receipt.subject, repeated=receipt.duplicate)

    def _hold(self, session: Session, command_id: str, body: Mapping[str, object]) -> None:
        interactions = body["interactions"]
        assert isinstance(interactions, list)  # checked
        others = hold_interactions(session, command_id, [one["id"] for one in interactions])
        if others:
            raise Conflict(f"An open merge holds one of these interactions: wait for command {others[0]} to end.")


def command_keys(
    asker: Asker, idempotency_key: str | None, operation: str, body: Mapping[str, object]
) -> tuple[bytes | None, bytes | None]:
    """What makes a command the same one again: the asker's key; and what tells another body under that key."""
    if idempotency_key is None:
        return None, None
    scope = canonical_json(["command", asker.actor, idempotency_key])
    return hashlib.sha256(scope).digest(), hashlib.sha256(scope + canonical_json([operation, dict(body)])).digest()


def without_organisation() -> TemporarilyUnavailable:
    """The refusal of everything that needs Genesys, where nobody said which."""
    return TemporarilyUnavailable(
        "No Genesys organisation is configured: set GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET.", retry_after=300
    )


def _merge_request_id(key: bytes | None) -> str:
    """New for every merge, and the same again for the same idempotency key."""
    return str(uuid4() if key is None else UUID(bytes=key[:16], version=5))


def _subject(operation: str, body: Mapping[str, object]) -> str:
    match operation:
        case events.INTERACTION_UPDATE:
            return interaction_subject(str(body["interaction_id"]))
        case events.CONVERSATION_ATTRIBUTES_UPDATE:
            return conversation_subject(str(body["conversation_id"]))
        case events.RECORD_UPDATE:
            return record_subject(str(body["schema"]), str(body["record_id"]))
        case _:
            return f"merge:{body['merge_request_id']}"
