"""Finds audit entries. It may not change one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import literal_column, select
from sqlalchemy.orm import Session

from bridge.errors import NotFound
from bridge.lists.spans import span_of
from bridge.lists.walk import EXAMINED, Run, walk
from bridge.tables import BY_PEOPLE, PEOPLE, AuditEntryRow, AuditSealRow, core

_ENTRY: Final = core(AuditEntryRow)


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """What is looked for; a field that is None does not narrow. Texts are compared as stored, that is masked."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    #: Of `at`, aware.
    since: datetime | None = None
    #: Exclusive.
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class FoundEntries:
    #: Newest first.
    rows: list[AuditEntryRow]
    #: The id down to which was looked; None: to the end.
    floor: str | None


def list_entries(
    session: Session,
    wanted: AuditFilter,
    *,
    before_id: str | None = None,
    limit: int = 50,
    examined: int = EXAMINED,
) -> FoundEntries:
    """At most `limit` entries, newest first, before `before_id`; fewer where it has looked at `examined` of them."""
    run = _run(wanted)
    said = {"actor": wanted.actor, "action": wanted.action, "subject": wanted.subject}
    walked = walk(
        session,
        [run],
        [run.holds(name, value) for name, value in said.items() if value is not None and name not in run.values],
        span=span_of(session, _ENTRY, "at", wanted.since, wanted.until),
        before_id=before_id,
        most=limit,
        examined=examined,
    )
    rows = select(AuditEntryRow).where(AuditEntryRow.id.in_(walked.ids)).order_by(AuditEntryRow.id.desc())
    return FoundEntries(rows=list(session.scalars(rows)), floor=walked.floor)


def _run(wanted: AuditFilter) -> Run:
    """By the index that narrows most; the rest of the filter is looked for on the way."""
    if wanted.subject is not None:
        return Run(table=_ENTRY, values={"subject": wanted.subject})
    if wanted.actor is not None and wanted.actor.startswith(PEOPLE):
        return Run(table=_ENTRY, values={"actor": wanted.actor}, partial=literal_column(f"({BY_PEOPLE})"))
    if wanted.action is not None:
        return Run(table=_ENTRY, values={"action": wanted.action})
    return Run(table=_ENTRY)


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
