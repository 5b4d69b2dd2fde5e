"""Purges: a plan by one person, approved by another, then a command like any other. It may not purge by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bridge import signals
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import Clock, new_id
from bridge.commands.asking import Asked, Asker, Commands, command_keys
from bridge.commands.ledger import (
    all_open_purges,
    approve_purge,
    cancel_purge,
    lock_purges,
    open_purges,
    planned_under,
)
from bridge.commands.reading import CommandView, read_command, read_commands
from bridge.database import Database
from bridge.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from bridge.events import INTERACTIONS_PURGE
from bridge.genesys import Check, PurgePolicy, PurgeScope
from bridge.genesys import Invalid as BrokenRules
from bridge.genesys.operations.purge import read_command as read_purge
from bridge.genesys.rules import no_open_purges
from bridge.outbox.replay import cancel_delivery
from bridge.privacy.holds import Hold, holding_range
from bridge.tables import PurgeKeyRow, PurgeRow, core

_PURGE = core(PurgeRow)
_KEY = core(PurgeKeyRow)


@dataclass(frozen=True, kw_only=True)
class PurgeView:
    """A purge as it is shown. `state`: awaiting_approval, cancelled, or from approval on the command's own."""

    id: str
    state: str
    policy: Mapping[str, object]
    #: How many interactions it will take, where the API profile can count them; else None.
    expected: int | None
    planner: str
    approver: str | None
    planned_at: datetime
    approved_at: datetime | None
    command_id: str | None


class Purges:
    """The two keys of a purge."""

    def __init__(
        self, commands: Commands, *, database: Database, clock: Clock, notes: AuditNotes, two_persons: bool
    ) -> None:
        self._commands = commands
        # Overlaps are looked for under the lock, and are a conflict rather than a broken rule.
        self._plan_rules = replace(commands.rules, open_purges=no_open_purges)
        self._database = database
        self._clock = clock
        self._notes = notes
        self._two_persons = two_persons

    def validate(self, body: Mapping[str, object]) -> PurgePolicy:
        """The policy that `body` states; nothing is recorded. Raises Invalid with every violation."""
        check = Check(rules=self._plan_rules, now=self._clock.now())
        try:
            return read_purge(body, check)
        except BrokenRules as broken:
            raise Invalid("The policy breaks rules.", errors=broken.errors) from None

    def plan(
        self,
        body: Mapping[str, object],
        *,
        person: str,
        asker: Asker,
        idempotency_key: str | None = None,
        violations: Sequence[FieldError] = (),
    ) -> PurgeView:
        """Record a plan that awaits approval, or find the one that was under the same key and with the same body.

        `violations`: what the door has against it. Raises Invalid with every violation; Conflict where it overlaps an
        open purge of the same type, or the key was used for another body.
        """
        self._commands.check(INTERACTIONS_PURGE, body, rules=self._plan_rules, violations=violations)
        policy = self.validate(body)
        now, purge_id, scope = self._clock.now(), new_id(), policy.scope
        key, content = command_keys(asker, idempotency_key, INTERACTIONS_PURGE, body)
        with self._database.write() as session:
            lock_purges(session)
            if key is not None and (known := planned_under(session, key)) is not None:
                if known.asked_content != content:
                    raise Conflict("This Idempotency-Key was used for another purge; use a new key for a new purge.")
                return self.read(known.purge_id)
            _refuse_overlap(session, scope)
            session.execute(
                insert(_PURGE),
                {
                    "id": purge_id,
                    "state": "awaiting_approval",
                    "policy": dict(body),
                    "interaction_type": scope.interaction_type,
                    "range_start": scope.start,
                    "range_end": scope.end,
                    "planned_at": now,
                    "planner": person,
                },
            )
            if key is not None:
                session.execute(insert(_KEY), {"asked_key": key, "asked_content": content, "purge_id": purge_id})
            self._note(session, "purge.planned", purge_id, asker, policy.reason, {"planner": person}, now)
        return self.read(purge_id)

    def approve(self, purge_id: str, *, person: str, asker: Asker) -> Asked:
        """Turn a plan into a command. Raises NotFound; Forbidden for the planner; Conflict unless it awaits approval;
        Invalid where the policy does not hold any more; TemporarilyUnavailable where no organisation is configured."""
        now = self._clock.now()
        row = self.read(purge_id)
        if self._two_persons and row.planner == person:
            raise Forbidden("A purge needs two persons: somebody else than its planner has to approve it.")
        if row.state != "awaiting_approval":
            raise Conflict(f"The purge is {row.state}; only one that awaits approval can be approved.")
        self._commands.check(INTERACTIONS_PURGE, row.policy, rules=self._plan_rules)
        with self._database.write() as session:
            lock_purges(session)
            asked = self._commands.record(
                session, INTERACTIONS_PURGE, row.policy, asker=asker, subject=f"purge:{purge_id}"
            )
            if not approve_purge(session, purge_id, command_id=asked.id, approver=person, now=now):
                raise Conflict("The purge was decided by somebody else in this moment.")
            details = {"planner": row.planner, "approver": person, "command": asked.id}
            self._note(session, "purge.approved", purge_id, asker, None, details, now)
        signals.work_recorded.send(Purges)
        return asked

    def cancel(self, purge_id: str, *, reason: str, person: str, asker: Asker) -> PurgeView:
        """Give up a plan, or an approved purge that was not submitted yet. Raises NotFound, Conflict, Invalid."""
        if not reason.strip():
            error = FieldError(field="reason", rule="required", message="Say why: the audit keeps it.")
            raise Invalid("A reason is missing.", errors=[error])
        now = self._clock.now()
        row = self.read(purge_id)
        with self._database.write() as session:
            if not cancel_purge(session, purge_id, now=now):
                self._cancel_command(session, row, reason, asker, now)
            self._note(session, "purge.cancelled", purge_id, asker, reason, {"person": person}, now)
        return self.read(purge_id)

    def read(self, purge_id: str) -> PurgeView:
        """Raises NotFound."""
        with self._database.read() as session:
            row = session.get(PurgeRow, purge_id)
            if row is None:
                raise NotFound("No purge has this id; see GET /api/v1/purges.")
            return _views(session, [row])[0]

    def list(self, *, before_id: str | None = None, limit: int = 50) -> list[PurgeView]:
        """Newest first."""
        statement = select(PurgeRow).order_by(PurgeRow.id.desc()).limit(limit)
        if before_id is not None:
            statement = statement.where(PurgeRow.id < before_id)
        with self._database.read() as session:
            return _views(session, session.scalars(statement).all())

    def _cancel_command(self, session: Session, row: PurgeView, reason: str, asker: Asker, now: datetime) -> None:
        if row.command_id is None:
            raise Conflict(f"The purge is {row.state} already.")
        command = read_command(session, row.command_id)
        if command.state != "accepted" or command.delivery_id is None:
            raise Conflict("The purge was submitted to Genesys already; it can only be cancelled there.")
        cancel_delivery(session, command.delivery_id, reason=reason, actor=asker.actor, now=now, notes=self._notes)

    def _note(
        self,
        session: Session,
        action: str,
        purge_id: str,
        asker: Asker,
        reason: str | None,
        details: Mapping[str, object],
        now: datetime,
    ) -> None:
        entry = AuditEntry(
            actor=asker.actor, action=action, subject=f"purge:{purge_id}", reason=reason, details=details
        )
        self._notes.write(session, [entry], now)


def purges_under(session: Session, hold: Hold) -> list[PurgeView]:
    """The open purges that `hold` forbids, the oldest first.

    Those that Genesys has not got yet will be refused; of one that is `running` it may be too late. Asked in the
    transaction that places the hold, nothing slips between the two: a purge notes that it begins before it asks for
    holds once more (`genesys.operations.purge`).
    """
    rows = [
        row
        for row in all_open_purges(session)
        if holding_range([hold], row.interaction_type, row.range_start, row.range_end)
    ]
    return _views(session, rows)


def overlapping(database: Database, scope: PurgeScope, command_id: str | None) -> list[str]:
    """Open purges that overlap `scope`, without the one that `command_id` carries out: for `Rules.open_purges`."""
    with database.read() as session:
        return open_purges(session, scope.interaction_type, scope.start, scope.end, but_command=command_id)


def _refuse_overlap(session: Session, scope: PurgeScope) -> None:
    others = open_purges(session, scope.interaction_type, scope.start, scope.end)
    if others:
        raise Conflict(
            f"Purge {others[0]} of the same type is open and overlaps: wait for its end, or narrow the range."
        )


def _views(session: Session, rows: Sequence[PurgeRow]) -> list[PurgeView]:
    commands = read_commands(session, [row.command_id for row in rows if row.command_id is not None])
    return [_view(row, commands.get(row.command_id or "")) for row in rows]


def _view(row: PurgeRow, command: CommandView | None) -> PurgeView:
    return PurgeView(
        id=row.id,
        state=row.state if command is None else command.state,
        policy=row.policy,
        expected=None,
        planner=row.planner,
        approver=row.approver,
        planned_at=row.planned_at,
        approved_at=row.approved_at,
        command_id=row.command_id,
    )
