"""Legal holds as administrators see them: those that were placed, and those of bridge.toml. Customers are masked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy.orm import Session

from bridge.admin.search.pages import Page, PageRequest, cut
from bridge.errors import NotFound
from bridge.privacy.hold_ledger import newest_holds
from bridge.privacy.holds import Hold, LegalHolds
from bridge.privacy.text import mask_value
from bridge.tables import LegalHoldRow

LISTED = "holds"
DECLARED: Final = "bridge.toml"


@dataclass(frozen=True, kw_only=True)
class HoldFilter:
    """What is looked for; None: holds in force and released ones."""

    active: Literal["true", "false"] | None = None


@dataclass(frozen=True, kw_only=True)
class FoundHold:
    id: str
    #: `bridge.toml`: it was declared there, and is released by taking it out there.
    origin: Literal["placed", "bridge.toml"]
    active: bool
    subject: str | None
    #: Masked.
    customer: str | None
    type: str | None
    #: Of a hold with a type: aware, the end not within it any more.
    range_start: datetime | None
    range_end: datetime | None
    #: Masked.
    reason: str
    placed_by: str | None = None
    placed_at: datetime | None = None
    released_by: str | None = None
    released_at: datetime | None = None
    release_reason: str | None = None

    def as_told(self) -> dict[str, object]:
        """With the names of the API."""
        told = dict(vars(self))
        return told | {"from": told.pop("range_start"), "to": told.pop("range_end")}


def find_holds(session: Session, holds: LegalHolds, wanted: HoldFilter, page: PageRequest) -> Page[FoundHold]:
    """One page: those that were placed, newest first, then those of bridge.toml, the last in the file first."""
    in_force = None if wanted.active is None else wanted.active == "true"
    rows = newest_holds(session, in_force=in_force, before_id=page.before_id, limit=page.limit + 1)
    found = [_of_row(row) for row in rows]
    if in_force is not False:
        found += _declared_before(holds, page.before_id)
    return cut(LISTED, page, found[: page.limit + 1], lambda hold: hold.id)


def read_hold(session: Session, holds: LegalHolds, hold_id: str) -> FoundHold:
    """Raises NotFound."""
    declared = next((hold for hold in holds.declared if hold.id == hold_id), None)
    if declared is not None:
        return _of_declared(declared)
    row = session.get(LegalHoldRow, hold_id, populate_existing=True)
    if row is None:
        raise NotFound("no hold has this id; see GET /api/v1/holds")
    return _of_row(row)


def _declared_before(holds: LegalHolds, before_id: str | None) -> Iterator[FoundHold]:
    for hold in reversed(holds.declared):
        if before_id is None or hold.id < before_id:
            yield _of_declared(hold)


def _of_declared(hold: Hold) -> FoundHold:
    return FoundHold(
        id=hold.id,
        origin=DECLARED,
        active=True,
        subject=hold.subject,
        customer=None if hold.customer is None else mask_value(hold.customer),
        type=hold.type,
        range_start=hold.start,
        range_end=hold.end,
        reason=hold.reason,
    )


def _of_row(row: LegalHoldRow) -> FoundHold:
    return FoundHold(
        id=row.id,
        origin="placed",
        active=row.released_at is None,
        subject=row.subject,
        customer=row.customer_shown,
        type=row.interaction_type,
        range_start=row.range_start,
        range_end=row.range_end,
        reason=row.reason,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
        released_by=row.released_by,
        released_at=row.released_at,
        release_reason=row.release_reason,
    )
