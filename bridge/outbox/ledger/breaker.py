"""The circuit breaker of a destination, in the database, so that all workers see one: closed, open, half-open.

It opens after `breaker_failures` in a row, or when half of at least 50 tries within a minute failed; while it is open
deliveries wait without a failed attempt (spec 5, "Schedule").
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.database import upsert
from bridge.outbox.contract import DeliveryPolicy, Outcome, RetryLater
from bridge.tables import DestinationStateRow, core

_DESTINATION = core(DestinationStateRow)

WINDOW = timedelta(minutes=1)
WINDOW_TRIES = 50


def is_breaking(outcome: Outcome) -> bool:
    """True where the receiver could not be reached or failed by itself; not where it refused or asked for patience."""
    if not isinstance(outcome, RetryLater) or outcome.slow:
        return False
    status = outcome.exchange.status
    return outcome.error_class != "internal" and (status is None or status == 408 or status >= 500)


def record_tries(
    session: Session,
    destination: str,
    tries: Sequence[bool],
    *,
    policy: DeliveryPolicy,
    now: datetime,
    rng: Random,
    notes: AuditNotes,
) -> bool:
    """Count `tries` (True: the receiver was there) in their order; returns whether they opened a closed breaker.

    Writes nothing where all went well and nothing had failed before.
    """
    row = session.execute(_STATE, {"to": destination}).one_or_none()
    if row is None:
        if all(tries):
            return False
        session.execute(upsert(session, _DESTINATION).values(name=destination).on_conflict_do_nothing())
        row = session.execute(_STATE, {"to": destination}).one()
    if all(tries) and row.failures == 0 and row.open_until is None and not row.window_failures:
        return False
    state = _counted(row, tries, now)
    later = now + timedelta(seconds=policy.breaker_cooldown * (0.5 + rng.random() / 2))
    if row.probing:
        state |= {"until": None, "failed": 0, "tried": 0} if tries[-1] else {"until": later}
    elif row.open_until is None and _must_open(state, policy):
        state["until"] = later
    session.execute(_WRITE, {"to": destination, **state})
    opened = row.open_until is None and state["until"] is not None
    closed = row.open_until is not None and state["until"] is None
    if opened or closed:
        action = "destination.breaker_opened" if opened else "destination.breaker_closed"
        details = {"name": destination, "failures": state["in_a_row"]}
        notes.write(
            session,
            [AuditEntry(actor="worker", action=action, subject=f"destination:{destination}", details=details)],
            now,
        )
    return opened


def _counted(row: Any, tries: Sequence[bool], now: datetime) -> dict[str, Any]:
    in_a_row = row.failures
    for went_well in tries:
        in_a_row = 0 if went_well else in_a_row + 1
    fresh = row.window_at is None or now - row.window_at >= WINDOW
    return {
        "in_a_row": in_a_row,
        "since": now if fresh else row.window_at,
        "tried": len(tries) + (0 if fresh else row.window_tries),
        "failed": tries.count(False) + (0 if fresh else row.window_failures),
        "until": row.open_until,  # a late result of a try from before it opened changes nothing
    }


def _must_open(state: dict[str, Any], policy: DeliveryPolicy) -> bool:
    if state["in_a_row"] >= policy.breaker_failures:
        return True
    return bool(state["tried"] >= WINDOW_TRIES and state["failed"] * 2 >= state["tried"])


_STATE = (
    select(
        _DESTINATION.c.failures,
        _DESTINATION.c.open_until,
        _DESTINATION.c.probing,
        _DESTINATION.c.window_at,
        _DESTINATION.c.window_tries,
        _DESTINATION.c.window_failures,
    )
    .where(_DESTINATION.c.name == bindparam("to"))
    .with_for_update()  # PostgreSQL: two workers count one after the other
)
_WRITE = (
    update(_DESTINATION)
    .where(_DESTINATION.c.name == bindparam("to"))
    .values(
        failures=bindparam("in_a_row"),
        open_until=bindparam("until"),
        probing=False,
        window_at=bindparam("since"),
        window_tries=bindparam("tried"),
        window_failures=bindparam("failed"),
    )
)
