"""Placed holds: SQL only. It may not know what a hold covers, nor those of the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.orm import Session

from bridge.tables import LegalHoldRow, core

_HOLD = core(LegalHoldRow)


def wait_for_placing(session: Session) -> None:
    """Until the session's transaction ends, nobody places or releases a hold; whoever is about to is waited for.

    On PostgreSQL any number of transactions hold this lock at once, and an INSERT waits for them. On SQLite whoever
    writes is alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("LOCK TABLE legal_hold IN SHARE MODE"))


def holds_in_force(session: Session) -> Sequence[LegalHoldRow]:
    """Those that nobody has released, the oldest first."""
    return session.scalars(_IN_FORCE).all()


def newest_holds(
    session: Session, *, in_force: bool | None = None, before_id: str | None = None, limit: int
) -> Sequence[LegalHoldRow]:
    """Newest first; `in_force` None: released ones too."""
    statement = select(LegalHoldRow).order_by(LegalHoldRow.id.desc()).limit(limit)
    if in_force is not None:
        statement = statement.where(
            LegalHoldRow.released_at.is_(None) if in_force else LegalHoldRow.released_at.is_not(None)
        )
    if before_id is not None:
        statement = statement.where(LegalHoldRow.id < before_id)
    return session.scalars(statement).all()


def insert_hold(session: Session, row: Mapping[str, object]) -> None:
    """`row`: by the table's columns."""
    session.execute(insert(_HOLD), dict(row))


def release_hold(session: Session, hold_id: str, *, by: str, reason: str, now: datetime) -> bool:
    """False where it is not in force. What it knew of the customer goes with it."""
    values = {"hold": hold_id, "by": by, "why": reason, "now": now}
    return session.scalar(_RELEASE, values) is not None


_IN_FORCE = select(LegalHoldRow).where(LegalHoldRow.released_at.is_(None)).order_by(LegalHoldRow.id)
_RELEASE = (
    update(_HOLD)
    .where(_HOLD.c.id == bindparam("hold"), _HOLD.c.released_at.is_(None))
    .values(
        released_at=bindparam("now"), released_by=bindparam("by"), release_reason=bindparam("why"), sealed_customer=None
    )
    .returning(_HOLD.c.id)
)
