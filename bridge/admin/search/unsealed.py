"""How many audit entries wait for their seal. Reads only."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bridge.tables import AuditEntryRow, AuditSealRow, core

_ENTRY = core(AuditEntryRow)
_SEAL = core(AuditSealRow)


def unsealed_entries(session: Session) -> int:
    """Entries younger than the newest that is sealed: they are sealed in the order of their ids.

    What is sealed already is not counted, so that it costs the same however long the audit is.
    """
    newest = session.scalar(_NEWEST_SEALED) or ""
    return int(session.execute(_YOUNGER.where(_ENTRY.c.id > newest)).scalar_one())


_NEWEST_SEALED = select(_SEAL.c.entry_id).order_by(_SEAL.c.position.desc()).limit(1)
_YOUNGER = select(func.count()).select_from(_ENTRY)
