"""Pause and resume a destination: while it is paused nothing of it is claimed, and its lanes cost nothing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.database import upsert
from bridge.tables import DestinationStateRow, core

_DESTINATION = core(DestinationStateRow)


def pause(session: Session, destination: str, *, reason: str, actor: str, now: datetime, notes: AuditNotes) -> bool:
    """Pause it; returns False where it was paused already (its first reason stands)."""
    statement = upsert(session, _DESTINATION).values(name=destination, paused_at=now, paused_reason=reason)
    paused = session.scalar(
        statement.on_conflict_do_update(
            index_elements=[_DESTINATION.c.name],
            set_={"paused_at": statement.excluded.paused_at, "paused_reason": statement.excluded.paused_reason},
            where=_DESTINATION.c.paused_at.is_(None),
        ).returning(_DESTINATION.c.name)
    )
    if paused is None:
        return False
    _note(session, "destination.paused", destination, reason, actor, now, notes)
    return True


def resume(session: Session, destination: str, *, reason: str, actor: str, now: datetime, notes: AuditNotes) -> bool:
    """Let it go on; returns False where it was not paused."""
    resumed = session.scalar(_RESUME, {"destination": destination})
    if resumed is None:
        return False
    _note(session, "destination.resumed", destination, reason, actor, now, notes)
    return True


def paused(session: Session) -> dict[str, str]:
    """The paused destinations, each with its reason."""
    rows = session.execute(_PAUSED)
    return {row.name: row.paused_reason or "" for row in rows}


def _note(
    session: Session, action: str, destination: str, reason: str, actor: str, now: datetime, notes: AuditNotes
) -> None:
    entry = AuditEntry(
        actor=actor, action=action, subject=f"destination:{destination}", reason=reason, details={"name": destination}
    )
    notes.write(session, [entry], now)


_RESUME = (
    update(_DESTINATION)
    .where(_DESTINATION.c.name == bindparam("destination"), _DESTINATION.c.paused_at.is_not(None))
    .values(paused_at=None, paused_reason=None)
    .returning(_DESTINATION.c.name)
)
_PAUSED = select(_DESTINATION.c.name, _DESTINATION.c.paused_reason).where(_DESTINATION.c.paused_at.is_not(None))
