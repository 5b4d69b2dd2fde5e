"""Sources as operators see them: when each was last heard, and what of it failed. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, literal_column, select, tuple_
from sqlalchemy.orm import Session

from bridge.lists.spans import first_id
from bridge.settings.model import SourceSettings
from bridge.tables import EventRow, RejectionRow, core

LATELY = timedelta(hours=1)
#: Failures that are counted.
MOST = 1000

_EVENT = core(EventRow)
_REJECTION = core(RejectionRow)
#: Sorts after every id, in every collation.
_BEYOND_IDS = "g"


@dataclass(frozen=True, kw_only=True)
class FoundSource:
    name: str
    format: str
    #: None: never.
    last_event_at: datetime | None
    #: It was not heard for longer than its `expect_every`.
    silent: bool
    #: Refused requests that were kept, and events that could not be read, of the last hour; no more than MOST are
    #: looked at, of the unreadable ones the newest of all sources.
    rejections_1h: int
    unreadable_1h: int
    last_rejection_at: datetime | None
    #: A stable word.
    last_rejection_cause: str | None


def find_sources(session: Session, sources: Iterable[SourceSettings], *, now: datetime) -> list[FoundSource]:
    """Those sources, in their order."""
    since = first_id(int((now - LATELY).timestamp() * 1000))
    unreadable = Counter(session.scalars(_UNREADABLE, {"since": since}))
    return [_found(session, one, since, unreadable[one.name], now) for one in sources]


def _found(session: Session, one: SourceSettings, since: str, unreadable: int, now: datetime) -> FoundSource:
    name = {"name": one.name}
    heard_at: datetime | None = session.scalar(_LAST_EVENT, name)
    refused = session.execute(_LAST_REJECTION, name).one_or_none()
    return FoundSource(
        name=one.name,
        format=one.format,
        last_event_at=heard_at,
        silent=one.expect_every is not None and (heard_at is None or now - heard_at > one.expect_every),
        rejections_1h=session.execute(_REJECTIONS, {**name, "since": since}).scalar_one(),
        unreadable_1h=unreadable,
        last_rejection_at=None if refused is None else refused.at,
        last_rejection_cause=None if refused is None else refused.cause,
    )


# Rows beyond a place in an index on (source, id): of a source that fell silent PostgreSQL may else walk all events.
_last_event = (
    select(_EVENT.c.source, _EVENT.c.received_at)
    .where(tuple_(_EVENT.c.source, _EVENT.c.id) < tuple_(bindparam("name"), literal_column(f"'{_BEYOND_IDS}'")))
    .order_by(_EVENT.c.source.desc(), _EVENT.c.id.desc())
    .limit(1)
    .subquery()
)
_LAST_EVENT = select(_last_event.c.received_at).where(_last_event.c.source == bindparam("name"))
_last_rejection = (
    select(_REJECTION.c.source, _REJECTION.c.at, _REJECTION.c.cause)
    .where(tuple_(_REJECTION.c.source, _REJECTION.c.id) < tuple_(bindparam("name"), literal_column(f"'{_BEYOND_IDS}'")))
    .order_by(_REJECTION.c.source.desc(), _REJECTION.c.id.desc())
    .limit(1)
    .subquery()
)
_LAST_REJECTION = select(_last_rejection).where(_last_rejection.c.source == bindparam("name"))
_REJECTIONS = select(func.count()).select_from(
    select(_REJECTION.c.id)
    .where(_REJECTION.c.source == bindparam("name"), _REJECTION.c.id >= bindparam("since"))
    .limit(MOST)
    .subquery()
)
# Of all sources: of one SQLite would rather walk its events than the few that are unreadable.
_UNREADABLE = (
    select(_EVENT.c.source)
    # As a literal: SQLite takes a partial index only where the statement itself says its condition.
    .where(_EVENT.c.state == literal_column("'unreadable'"), _EVENT.c.id >= bindparam("since"))
    .order_by(_EVENT.c.id.desc())
    .limit(MOST)
)
