"""Refused requests as administrators see them. A kept body is not shown, only that it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.admin.search.pages import Page, PageRequest, cut
from bridge.admin.search.spans import within
from bridge.tables import RejectionRow, core

LISTED = "rejections"

_REJECTION = core(RejectionRow)


@dataclass(frozen=True, kw_only=True)
class RejectionFilter:
    """What is looked for; a field that is None does not narrow. Times are `at`, aware."""

    source: str | None = None
    cause: str | None = None
    since: datetime | None = None
    #: Exclusive.
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class FoundRejection:
    id: str
    at: datetime
    source: str
    #: A stable word: `signature-missing`, `too-large`, …
    cause: str
    #: HTTP status that it was answered with.
    status: int
    address: str
    #: Bytes of the body as far as it was read.
    size: int
    #: True where the body is kept, because the sender was verified.
    kept: bool


def find_rejections(session: Session, wanted: RejectionFilter, page: PageRequest) -> Page[FoundRejection]:
    """One page of rejections, newest first."""
    conditions = within(session, _REJECTION, "at", wanted.since, wanted.until)
    if wanted.source is not None:
        conditions.append(_REJECTION.c.source == wanted.source)
    if wanted.cause is not None:
        conditions.append(_REJECTION.c.cause == wanted.cause)
    if page.before_id is not None:
        conditions.append(_REJECTION.c.id < page.before_id)
    statement = _SHOWN.where(*conditions).order_by(_REJECTION.c.id.desc()).limit(page.limit + 1)
    found = cut(LISTED, page, session.execute(statement).mappings().all(), lambda row: str(row["id"]))
    return Page(items=[FoundRejection(**row) for row in found.items], next=found.next)


_SHOWN = select(
    *(column for column in _REJECTION.c if column.name not in ("body", "key_id")),
    _REJECTION.c.body.is_not(None).label("kept"),
)
