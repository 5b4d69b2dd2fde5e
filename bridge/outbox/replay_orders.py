"""Orders to send again what a filter selects: planned, given, paused, resumed, cancelled.

A worker carries them out (`replay_walk`). It may not know how an order is given (API, command line, console).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Update, bindparam, insert, select, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import new_id
from bridge.errors import Conflict, FieldError, Invalid, NotFound
from bridge.outbox.replay import check_reason
from bridge.outbox.replay_ends import sweep
from bridge.outbox.selecting import PAGE, Selected, keep_newest, select_pages
from bridge.outbox.selection import Mode, ReplayFilter, Wants, check_filter, stored_filter
from bridge.outbox.taken import taken_among
from bridge.tables import ReplayRow, core

_REPLAY = core(ReplayRow)

MAX_RATE = 1000.0


@dataclass(frozen=True, kw_only=True)
class ReplayCounts:
    """What an order would do, counted."""

    #: Deliveries that it would make.
    matched: int
    by_destination: Mapping[str, int]
    by_type: Mapping[str, int]
    #: Selected rows that other replays are sending already: they are left to those.
    skipped: int
    #: The same by whom: the id of the replay, or `single`.
    skipped_for: Mapping[str, int]
    #: Older versions that the mode `latest` does not send.
    left_out: int


@dataclass(frozen=True, kw_only=True)
class PlannedReplay:
    """An order that nobody has given yet."""

    #: Bounded: rows count as they stood when it was planned.
    filter: ReplayFilter
    mode: Mode
    counts: ReplayCounts


class Steer(Protocol):
    """What can be done to an order that was given: `pause_replay`, `resume_replay`, `cancel_replay`."""

    def __call__(
        self, session: Session, replay_id: str, /, *, reason: str, actor: str, now: datetime, notes: AuditNotes
    ) -> None: ...


def plan_replay(
    session: Session, chosen: ReplayFilter, mode: Mode, wanted: Mapping[str, Wants], *, now: datetime
) -> PlannedReplay:
    """Count what an order would do; writes nothing, and may take long. Raises Invalid where the filter is wrong."""
    check_filter(chosen, wanted)
    bounded = replace(chosen, as_of=now)
    counting = _Counting()
    if mode == "every":
        for page in select_pages(session, bounded, wanted):
            counting.add(session, page, now)
    else:
        newest: dict[tuple[str, str], Selected] = {}
        selected = 0
        for page in select_pages(session, bounded, wanted):
            selected += len(page)
            keep_newest(newest, page)
        counting.left_out = selected - len(newest)
        pairs = list(newest.values())
        for begin in range(0, len(pairs), PAGE):
            counting.add(session, pairs[begin : begin + PAGE], now)
    return PlannedReplay(filter=bounded, mode=mode, counts=counting.counts())


def order_replay(
    session: Session, planned: PlannedReplay, *, reason: str, rate: float, actor: str, now: datetime, notes: AuditNotes
) -> str:
    """Record the order and return its id; `rate` is deliveries per second.

    Raises Invalid where the rate or the reason is wrong.
    """
    check_reason(reason)
    if not 0 < rate <= MAX_RATE:
        message = f"must be more than 0 and at most {MAX_RATE:g} per second"
        raise Invalid("the rate is out of range", errors=[FieldError(field="rate", rule="range", message=message)])
    replay_id, counts, stored = new_id(), planned.counts, stored_filter(planned.filter)
    session.execute(
        insert(_REPLAY),
        {
            "id": replay_id,
            "created_at": now,
            "created_by": actor,
            "reason": notes.masked(reason),
            "filter": stored,
            "mode": planned.mode,
            "rate": rate,
            "state": "running",
            "matched": counts.matched,
            "skipped_for": dict(counts.skipped_for),
            "left_out": counts.left_out,
            "due_at": now,
        },
    )
    details: dict[str, object] = {
        "filter": stored,
        "mode": planned.mode,
        "matched": counts.matched,
        "skipped": counts.skipped,
        "leftOut": counts.left_out,
    }
    _note(session, "replay.ordered", replay_id, reason, actor, now, notes, details)
    return replay_id


def pause_replay(
    session: Session, replay_id: str, *, reason: str, actor: str, now: datetime, notes: AuditNotes
) -> None:
    """Stop the walk: once this is committed nothing more of it goes to a lane. What is in its lane already is sent.

    Raises NotFound, Conflict where it does not walk, Invalid without a reason.
    """
    check_reason(reason)
    _move(session, _PAUSE, replay_id, "only one that still puts deliveries into lanes can be paused")
    _note(session, "replay.paused", replay_id, reason, actor, now, notes)


def resume_replay(
    session: Session, replay_id: str, *, reason: str, actor: str, now: datetime, notes: AuditNotes
) -> None:
    """Let a paused walk go on from where it stands. Raises NotFound, Conflict, Invalid without a reason."""
    check_reason(reason)
    _move(session, _RESUME, replay_id, "only a paused one can go on; order a new one")
    _note(session, "replay.resumed", replay_id, reason, actor, now, notes)


def cancel_replay(
    session: Session, replay_id: str, *, reason: str, actor: str, now: datetime, notes: AuditNotes
) -> None:
    """End the walk, and cancel what it has put into lanes and is not being sent: the first here, the rest by workers.

    Raises NotFound, Conflict where it has ended already, Invalid without a reason.
    """
    check_reason(reason)
    _move(session, _CANCEL, replay_id, "only one that has not ended can be cancelled")
    _note(session, "replay.cancelled", replay_id, reason, actor, now, notes)
    sweep(session, replay_id, now=now, notes=notes)


@dataclass
class _Counting:
    """Counts what would be sent, and what is left to other replays."""

    by_destination: Counter[str] = field(default_factory=Counter)
    by_type: Counter[str] = field(default_factory=Counter)
    skipped_for: Counter[str] = field(default_factory=Counter)
    left_out: int = 0

    def add(self, session: Session, pairs: Sequence[Selected], as_of: datetime) -> None:
        taken = taken_among(session, pairs, as_of)
        for one in pairs:
            other = taken.get(one.place)
            if other is not None and not other.cancelled:
                self.skipped_for[other.by] += 1
            else:
                self.by_destination[one.destination] += 1
                self.by_type[one.event_type] += 1

    def counts(self) -> ReplayCounts:
        return ReplayCounts(
            matched=self.by_destination.total(),
            by_destination=dict(self.by_destination),
            by_type=dict(self.by_type),
            skipped=self.skipped_for.total(),
            skipped_for=dict(self.skipped_for),
            left_out=self.left_out,
        )


def _move(session: Session, move: Update, replay_id: str, rule: str) -> None:
    if session.scalar(move, {"replay": replay_id}) is not None:
        return
    row = session.execute(_STATE, {"replay": replay_id}).one_or_none()
    if row is None:
        raise NotFound("no replay has this id; see GET /api/v1/replays")
    all_made = row.state == "running" and row.due_at is None
    told = "running, and all its deliveries are in their lanes" if all_made else row.state
    raise Conflict(f"the replay is {told}: {rule}")


def _note(
    session: Session,
    action: str,
    replay_id: str,
    reason: str,
    actor: str,
    now: datetime,
    notes: AuditNotes,
    details: Mapping[str, object] | None = None,
) -> None:
    subject = f"replay:{replay_id}"
    entry = AuditEntry(actor=actor, action=action, subject=subject, reason=reason, details=details or {})
    notes.write(session, [entry], now)


def _move_from(*states: str, **values: Any) -> Update:
    guarded = update(_REPLAY).where(_REPLAY.c.id == bindparam("replay"), _REPLAY.c.state.in_(states))
    return guarded.values(**values).returning(_REPLAY.c.id)


# A worker in the middle of a step holds the row: a pause waits for its commit, and the next step finds it paused.
_PAUSE = _move_from("running", state="paused").where(_REPLAY.c.due_at.is_not(None))
_RESUME = _move_from("paused", state="running")
_CANCEL = _move_from("running", "paused", state="cancelled", due_at=None)
_STATE = select(_REPLAY.c.state, _REPLAY.c.due_at).where(_REPLAY.c.id == bindparam("replay"))
