"""Finds audit entries. It may not change one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.errors import NotFound
from bridge.tables import AuditEntryRow, AuditSealRow

_NEWEST_FIRST: Final = select(AuditEntryRow).order_by(AuditEntryRow.id.desc())


def list_entries(
    session: Session,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: str | None = None,
    limit: int = 50,
) -> list[AuditEntryRow]:
    """At most `limit` entries, newest first, of which everything that is given holds.

    `actor`, `action` and `subject` are compared as stored, that is masked; `since` is within the range, `until` is
    not, both aware. `before_id` is the id of the last entry of the page before.
    """
    conditions = [
        column == wanted
        for column, wanted in (
            (AuditEntryRow.actor, actor),
            (AuditEntryRow.action, action),
            (AuditEntryRow.subject, subject),
        )
        if wanted is not None
    ]
    if since is not None:
        conditions.append(AuditEntryRow.at >= since)
    if until is not None:
        conditions.append(AuditEntryRow.at < until)
    if before_id is not None:
        conditions.append(AuditEntryRow.id < before_id)
    return list(session.scalars(_NEWEST_FIRST.where(*conditions).limit(limit)))


def hashes_of(session: Session, entry_ids: Sequence[str]) -> dict[str, str]:
    """Entry id → hash (hex) of those of `entry_ids` that are sealed."""
    sealed = session.execute(
        select(AuditSealRow.entry_id, AuditSealRow.hash).where(AuditSealRow.entry_id.in_(entry_ids))
    )
    return {row.entry_id: row.hash.hex() for row in sealed}


def get_entry(session: Session, entry_id: str) -> AuditEntryRow:
    """The entry of that id. Raises NotFound."""
    entry = session.get(AuditEntryRow, entry_id)
    if entry is None:
        raise NotFound("There is no audit entry with this id; list them to find the one you mean.")
    return entry
