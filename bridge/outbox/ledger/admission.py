"""When a destination may be claimed from, and how much: its lanes that are due behind its gate. It claims nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from bridge.outbox.ledger.gate import gate_of, take_probe
from bridge.tables import LaneRow, core

_LANE = core(LaneRow)
#: No limit of the gate's own.
UNLIMITED = 1_000_000


def next_due(session: Session, destination: str) -> datetime | None:
    """When the first lane of `destination` may be claimed (aware, UTC), or None while nothing waits or it is paused."""
    gate = gate_of(session, destination)
    if gate.paused:
        return None
    first = _first_due(session, destination)
    return max(first, gate.open_until) if first is not None and gate.open_until is not None else first


def admitted(session: Session, destination: str, *, now: datetime, probe_seconds: float) -> int:
    """How many lanes its gate lets be claimed now: none, one as the probe of a half-open breaker, or any number."""
    gate = gate_of(session, destination)
    if gate.is_shut(now):
        return 0
    if gate.open_until is None:
        return UNLIMITED
    first = _first_due(session, destination)
    if first is None or first > now:
        return 0  # a probe that nothing is due for would be lost
    return int(take_probe(session, destination, gate, until=now + timedelta(seconds=probe_seconds)))


def _first_due(session: Session, destination: str) -> datetime | None:
    moments = [
        session.scalar(_FIRST_DUE, {"to": destination, "background": background}) for background in (False, True)
    ]
    return min((moment for moment in moments if moment is not None), default=None)


_FIRST_DUE = select(func.min(_LANE.c.due_at)).where(
    _LANE.c.destination == bindparam("to"),
    _LANE.c.background == bindparam("background"),
    _LANE.c.due_at.is_not(None),
)
