"""Whether a destination may be sent to now: its pause and its breaker, as all workers share them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from bridge.tables import DestinationStateRow, core

_DESTINATION = core(DestinationStateRow)


@dataclass(frozen=True, kw_only=True)
class Gate:
    paused: bool = False
    #: None: the breaker is closed. In the past: half-open.
    open_until: datetime | None = None

    def is_shut(self, now: datetime) -> bool:
        """True while nothing at all may be claimed."""
        return self.paused or (self.open_until is not None and self.open_until > now)


def gate_of(session: Session, destination: str) -> Gate:
    """The gate as it stands; a destination that nobody ever paused and that never failed has no row."""
    row = session.execute(_GATE, {"to": destination}).one_or_none()
    return Gate() if row is None else Gate(paused=row.paused_at is not None, open_until=row.open_until)


def take_probe(session: Session, destination: str, gate: Gate, *, until: datetime) -> bool:
    """Let one delivery through a half-open breaker: True for one worker only, the others find it open `until` then."""
    taken = session.scalar(_TAKE_PROBE, {"to": destination, "seen": gate.open_until, "ends": until})
    return taken is not None


_GATE = select(_DESTINATION.c.paused_at, _DESTINATION.c.open_until).where(_DESTINATION.c.name == bindparam("to"))
_TAKE_PROBE = (
    update(_DESTINATION)
    .where(_DESTINATION.c.name == bindparam("to"), _DESTINATION.c.open_until == bindparam("seen"))
    .values(open_until=bindparam("ends"), probing=True)
    .returning(_DESTINATION.c.name)
)
