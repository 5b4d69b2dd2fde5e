"""Refused requests as administrators see them. A kept body is not shown, only that it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bridge.admin.search.pages import Page, PageRequest, cut
from bridge.lists.spans import span_of
from bridge.lists.walk import Run, walk
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
    """One page of rejections, newest first; it ends early where it has looked at `page.examined` of them."""
    run = Run(table=_REJECTION, values={} if wanted.source is None else {"source": wanted.source})
    walked = walk(
        session,
        [run],
        [] if wanted.cause is None else [_REJECTION.c.cause == wanted.cause],
        span=span_of(session, _REJECTION, "at", wanted.since, wanted.until),
        before_id=page.before_id,
        most=page.limit + 1,
        examined=page.examined,
    )
    found = cut(LISTED, page, walked.ids, str, floor=walked.floor)
    rows = session.execute(_SHOWN, {"ids": found.items}).mappings()
    return Page(items=[FoundRejection(**row) for row in rows], next=found.next)


_SHOWN = (
    select(
        *(column for column in _REJECTION.c if column.name not in ("body", "key_id")),
        _REJECTION.c.body.is_not(None).label("kept"),
    )
    .where(_REJECTION.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_REJECTION.c.id.desc())
)
