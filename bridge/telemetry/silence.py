"""When a source was last heard. Reads only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bridge.tables import EventRow, core

_EVENT = core(EventRow)
# Ids sort by the time they were made: one look at the end of the index `event_by_source`.
_NEWEST = select(_EVENT.c.received_at).where(_EVENT.c.source == bindparam("name")).order_by(_EVENT.c.id.desc()).limit(1)


def last_heard(session: Session, source: str) -> datetime | None:
    """When the newest event of `source` was received, aware; None where none is kept. A repeat does not count."""
    return session.scalar(_NEWEST, {"name": source})
