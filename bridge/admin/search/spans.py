"""Times into ranges of ids, so that "since" and "until" need no index. It may not know what is searched."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.orm import Session

#: How far the order of ids (clocks of the writers) and the order of times (clock of the database) may differ.
#: A writer whose clock is further off could not verify a signature either (tolerance 300 s).
SLACK_MS = 600_000
_END_MS = 2**48


def within(
    session: Session, table: Table, time: str, since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    """Conditions that `since` <= column `time` < `until`, and beside them the range of ids that holds all such rows.

    The range saves walking over everything newer (or older) by the primary key; the times themselves decide.
    """
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        begin = _first_ms(session, table, time, since) - SLACK_MS
        conditions += [table.c[time] >= since, table.c.id >= first_id(begin)]
    if until is not None:
        end = _first_ms(session, table, time, until) + SLACK_MS
        conditions += [table.c[time] < until, table.c.id < first_id(end)]
    return conditions


def _first_ms(session: Session, table: Table, time: str, moment: datetime) -> int:
    """About where, in the milliseconds that begin an id, the rows of `moment` and later begin: a bisection."""
    low, high = 0, _END_MS
    while high - low > SLACK_MS // 10:
        middle = (low + high) // 2
        at = session.scalar(select(table.c[time]).where(table.c.id >= first_id(middle)).order_by(table.c.id).limit(1))
        if at is None or at >= moment:
            high = middle
        else:
            low = middle
    return high


def first_id(ms: int) -> str:
    """The smallest UUIDv7 of that millisecond (RFC 9562, section 5.7)."""
    bounded = min(max(ms, 0), _END_MS - 1)
    return str(UUID(int=bounded << 80 | 7 << 76 | 2 << 62))
