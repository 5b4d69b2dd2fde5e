"""Whether a destination may be sent to now: its pause and its breaker, as all workers share them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from bridge.tables import DestinationStateRow, core

_DESTINATION = core(DestinationStateRow)
#: No limit of the gate's own.
UNLIMITED = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Gate:
    paused: bool = False
    #: None: the breaker is closed. In the past: half-open.
    open_until: datetime | None = None


def gate_of(session: Session, destination: str) -> Gate:
    """The gate as it stands; a destination that nobody ever paused and that never failed has no row."""
    row = session.execute(_GATE, {"to": destination}).one_or_none()
    return Gate() if row is None else Gate(paused=row.paused_at is not None, open_until=row.open_until)


def admitted(session: Session, destination: str, *, now: datetime, probe_seconds: float) -> int:
    """How many deliveries may be claimed: none while paused or open, one as the probe of a half-open breaker.

    The probe is given to one worker only: the breaker stays open to the others until the probe must have ended.
    """
    gate = gate_of(session, destination)
    if gate.paused or (gate.open_until is not None and gate.open_until > now):
        return 0
    if gate.open_until is None:
        return UNLIMITED
    ends = now + timedelta(seconds=probe_seconds)
    taken = session.scalar(_TAKE_PROBE, {"to": destination, "seen": gate.open_until, "ends": ends})
    return 0 if taken is None else 1


_GATE = select(_DESTINATION.c.paused_at, _DESTINATION.c.open_until).where(_DESTINATION.c.name == bindparam("to"))
_TAKE_PROBE = (
    update(_DESTINATION)
    .where(_DESTINATION.c.name == bindparam("to"), _DESTINATION.c.open_until == bindparam("seen"))
    .values(open_until=bindparam("ends"), probing=True)
    .returning(_DESTINATION.c.name)
)
