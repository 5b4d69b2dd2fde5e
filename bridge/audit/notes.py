"""Writes audit entries into the transaction of what they tell. It may not commit, read, or change an entry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bridge.clock import new_id
from bridge.privacy.masking import Masking
from bridge.tables import AuditEntryRow

#: Built once; a Core statement, so that the session has nothing to flush.
_INSERT: Final = insert(AuditEntryRow.__table__)  # type: ignore[arg-type]  # a Table, typed as FromClause
_LONGEST_SUBJECT: Final = 600
#: Subjects that masking would leave alone, told at a tenth of its price: a UUID, or letters with few digits in a row.
_PLAIN_SUBJECT: Final = re.compile(
    r"[a-z]+:(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?!.*[0-9](?:[-/_]?[0-9]){6})[A-Za-z0-9/_-]+)"
)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who did what to which subject."""

    #: `genesys`, `token:<id>`, `cli:<user>`, `worker`, or `source:<name>`.
    actor: str
    #: `event.recorded`, `delivery.dead`, … (spec, part 9, "Audit content by action").
    action: str
    subject: str
    #: Why a person did it, in their words.
    reason: str | None = None
    #: JSON values.
    details: Mapping[str, object] = field(default_factory=dict)
    #: True promises that reason and details hold ids, words of the bridge and numbers only: they are stored as they
    #: are, which spares the hot paths the masking, unless the subject, which others have named, may tell of a person.
    plain: bool = False


class AuditNotes:
    """Writes entries, masked."""

    def __init__(self, masking: Masking) -> None:
        self._masking = masking

    def write(self, session: Session, entries: Sequence[AuditEntry], now: datetime) -> None:
        """Add `entries`, in their order, at `now` (aware) to the session's transaction, in one statement."""
        if entries:
            session.connection().execute(_INSERT, [self._row(entry, now) for entry in entries])

    def masked(self, text: str) -> str:
        """`text` as an entry would hold it: for tables that keep the same words beside the audit."""
        return self._masking.text(text)

    def _row(self, entry: AuditEntry, now: datetime) -> dict[str, object]:
        subject, reason = entry.subject, entry.reason
        details: object = entry.details
        if not entry.plain or _PLAIN_SUBJECT.fullmatch(subject) is None:
            subject = self._masking.text(subject)[:_LONGEST_SUBJECT]  # stars can make it longer than the column
            reason = None if reason is None else self._masking.text(reason)
            details = self._masking.tree(details)
        return {
            "id": new_id(),
            "at": now,
            "actor": entry.actor,
            "action": entry.action,
            "subject": subject,
            "reason": reason,
            "details": details,
        }
