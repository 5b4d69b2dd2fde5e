"""Times into ranges of ids, so that "since" and "until" need no index. It may not know what is searched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.orm import Session

#: How far the order of ids (clocks of the writers) and the order of times (clock of the database) may differ.
#: A writer whose clock is further off could not verify a signature either (tolerance 300 s).
SLACK_MS = 600_000
_END_MS = 2**48


@dataclass(frozen=True, kw_only=True)
class Span:
    """The ids that a span of time lies within, and the times themselves, which decide."""

    #: The rows have this id or a later one; None: from the first on.
    begin: str | None = None
    #: The rows have an earlier id; None: to the last.
    end: str | None = None
    times: tuple[ColumnElement[bool], ...] = ()

    def before(self, before_id: str | None) -> str | None:
        """The end of the span, or `before_id` where that comes first; None: there is no end."""
        ends = [one for one in (self.end, before_id) if one is not None]
        return min(ends, default=None)


def span_of(session: Session, table: Table, time: str, since: datetime | None, until: datetime | None) -> Span:
    """The rows of `table` with `since` <= column `time` < `until`.

    The ids save walking over everything newer (or older) by the primary key.
    """
    times: list[ColumnElement[bool]] = []
    begin = end = None
    if since is not None:
        begin = first_id(_first_ms(session, table, time, since) - SLACK_MS)
        times.append(table.c[time] >= since)
    if until is not None:
        end = first_id(_first_ms(session, table, time, until) + SLACK_MS)
        times.append(table.c[time] < until)
    return Span(begin=begin, end=end, times=tuple(times))


def first_id(ms: int) -> str:
    """The smallest UUIDv7 of that millisecond (RFC 9562, section 5.7)."""
    bounded = min(max(ms, 0), _END_MS - 1)
    return str(UUID(int=bounded << 80 | 7 << 76 | 2 << 62))


def _first_ms(session: Session, table: Table, time: str, moment: datetime) -> int:
    """About where, in the milliseconds that begin an id, the rows of `moment` and later begin: a bisection."""

    def is_later(ms: int) -> bool:
        at = session.scalar(select(table.c[time]).where(table.c.id >= first_id(ms)).order_by(table.c.id).limit(1))
        return at is None or at >= moment

    low, high = 0, _END_MS
    # Nearly always it lies where the clock says.
    guess = min(max(int(moment.timestamp() * 1000), 0), _END_MS)
    for probe in (guess - SLACK_MS, guess + SLACK_MS):
        if low < probe < high:
            low, high = (low, probe) if is_later(probe) else (probe, high)
    while high - low > SLACK_MS // 10:
        middle = (low + high) // 2
        low, high = (low, middle) if is_later(middle) else (middle, high)
    return high
