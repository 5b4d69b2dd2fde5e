"""The destination `genesys`: carries commands out, a durable step per try. It may not know how a step is made.

What every step gave is stored with the delivery, so that a crash, a rate limit or an outage loses nothing: the next
try goes on from there. What a crash between Genesys's answer and our commit does is said in each operation's module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from bridge.clock import rfc3339
from bridge.destinations.command_audit import audit_entry, signed_fact
from bridge.destinations.forwarder import RequestPreview
from bridge.destinations.genesys_access import try_access
from bridge.destinations.genesys_answers import exchange_of, held_back, tried_again
from bridge.destinations.wiring import Surroundings, policy_of
from bridge.errors import ConfigurationError, FieldError, Invalid
from bridge.events import COMMANDS, Event, Owed, RecordedEvent
from bridge.genesys import Command, Done, Fact, GenesysClient, GenesysError, Measures, OperationFailed, Wait
from bridge.genesys.wire import Answer
from bridge.intake.ledger import BRIDGE
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome, Rejected, Waiting
from bridge.settings.model import DestinationSettings

#: A step makes several calls of 10 s (a merge's 30 s), one after the other.
STEP_SECONDS = 90.0
LEASE = timedelta(seconds=120)
#: Longer than the longest poll of a purge.
MAX_AGE = timedelta(days=8)
#: How many steps are shown of a command that polls for days.
SHOWN_STEPS = 50


class Genesys:
    """Takes every command, and nothing else."""

    def __init__(self, settings: DestinationSettings, around: Surroundings) -> None:
        """Raises ConfigurationError where no organisation is configured."""
        if around.genesys is None:
            raise ConfigurationError(
                [f"destinations.{settings.name}: set GENESYS_CLIENT_ID and GENESYS_CLIENT_SECRET for the kind genesys"]
            )
        self._client: GenesysClient = around.genesys
        self._signer, self._masking, self._clock = around.signer, around.masking, around.clock
        self._name = settings.name
        base = policy_of(settings)
        self._policy = replace(
            base,
            timeout=max(base.timeout, STEP_SECONDS),
            lease=max(base.lease, LEASE),
            max_age=max(base.max_age, MAX_AGE),
            skip_stale=False,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def policy(self) -> DeliveryPolicy:
        return self._policy

    def owe(self, sender: object, *, event: RecordedEvent, session: Session) -> Owed | None:
        """Receiver of `event_recorded`."""
        return self.wants(event)

    def wants(self, event: RecordedEvent) -> Owed | None:
        if event.type not in COMMANDS or event.source != BRIDGE:
            return None
        return Owed(destination=self._name, subject=event.subject)

    def preview(self, event: RecordedEvent) -> RequestPreview:
        """A command is several requests, each made of what Genesys answered to the one before."""
        error = FieldError(field="destination", rule="request", message="See the command: GET /api/v1/commands/{id}.")
        raise Invalid("A command has no single request to show.", errors=[error])

    def try_out(self) -> Outcome:
        """Read something that is not there: shows that credentials and the way are fine, and changes nothing."""
        return try_access(self._client, self._masking)

    def close(self) -> None:
        """Nothing is held open beyond a step."""

    def send(self, delivery: ClaimedDelivery) -> Outcome:
        """Carry out the next step."""
        now = self._clock.now()
        stored: dict[str, Any] = dict(delivery.progress or {})
        try:
            result = self._client.advance(_command(delivery.event), stored.get("work"), now)
        except GenesysError as error:
            return self._failed(delivery.event, stored, error, now)
        if isinstance(result, Wait):
            told = self._told(stored, now, "waiting", result.measures, answer=result.answer)
            return Waiting(
                progress=told | {"work": result.progress},
                wait=result.delay,
                exchange=exchange_of(result.answer, self._masking),
            )
        return self._done(delivery.event, stored, result, now)

    def _done(self, event: RecordedEvent, stored: dict[str, Any], result: Done, now: datetime) -> Delivered:
        told = self._told(stored, now, "done", result.measures, answer=result.answer)
        return Delivered(
            exchange=exchange_of(result.answer, self._masking),
            facts=tuple(self._event(event, fact) for fact in result.facts),
            notes=(audit_entry(event, result.result, result.measures, "succeeded", self._signer),),
            progress=told | {"result": self._masking.tree(result.result)},
        )

    def _failed(self, event: RecordedEvent, stored: dict[str, Any], error: GenesysError, now: datetime) -> Outcome:
        reason = self._masking.text(str(error))
        if error.progress is not None:
            stored = stored | {"work": error.progress}
        waiting = held_back(error, stored)
        if waiting is not None:
            return waiting
        told = self._told(stored, now, "failed", error.measures, detail=reason, answer=error.answer)
        exchange, kind = exchange_of(error.answer, self._masking), type(error).__name__
        later = tried_again(error, reason=reason, exchange=exchange, progress=told)
        if later is not None:
            return later
        match error:
            case OperationFailed(result=result, facts=facts):
                told = told | {"result": self._masking.tree(result)}
                established = tuple(self._event(event, fact) for fact in facts)
                note = audit_entry(event, result, error.measures, "failed", self._signer)
                return Rejected(
                    reason=reason, error_class=kind, exchange=exchange, facts=established, notes=(note,), progress=told
                )
            case _:
                note = audit_entry(event, {"error": reason}, error.measures, "refused", self._signer)
                return Rejected(reason=reason, error_class=kind, exchange=exchange, notes=(note,), progress=told)

    def _event(self, cause: RecordedEvent, fact: Fact) -> Event:
        return Event(
            type=fact.type,
            subject=fact.subject or cause.subject,
            payload=signed_fact(cause, fact, self._signer),
            version=fact.version,
            occurred_at=fact.occurred_at,
        )

    def _told(
        self,
        stored: dict[str, Any],
        now: datetime,
        outcome: str,
        measures: Measures,
        *,
        detail: str | None = None,
        answer: Answer | None = None,
    ) -> dict[str, Any]:
        """What is stored with one more step in it."""
        step: dict[str, object] = {"at": rfc3339(now), "outcome": outcome}
        if detail is not None:
            step["detail"] = detail
        if answer is not None:
            step["status"] = answer.status
            step["genesys_correlation_id"] = answer.correlation_id
        steps = [*stored.get("steps", ()), step][-SHOWN_STEPS:]
        return stored | {"steps": steps, "measures": asdict(measures)}


def _command(event: RecordedEvent) -> Command:
    body = event.payload["body"]
    assert isinstance(body, Mapping)  # as `commands.asking` recorded it
    return Command(
        id=event.id,
        operation=event.type,
        body=body,
        issued_at=event.received_at,
        correlation_id=event.correlation_id,
        traceparent=event.traceparent,
    )
