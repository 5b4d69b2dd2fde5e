"""How a destination is doing, in figures: what waits, what died, how the tries of late went. Reads only.

Counts are exact and walk an index over what they count. Rates and latencies are taken from the newest deliveries,
SAMPLE that were delivered and SAMPLE that fail, so that they cost the same however many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, Subquery, bindparam, func, select
from sqlalchemy.orm import Session

from bridge.admin.search.newest import newest_failing, newest_of_state
from bridge.outbox.ledger.standing import dead_count, oldest_owed, pending_count
from bridge.tables import AttemptRow, DeliveryRow, LaneRow, core

#: Newest deliveries that are looked at for rates: so many delivered ones and so many that fail.
SAMPLE = 500
#: Newest tries of each of them that count.
TRIES = 5
#: Rates and latencies tell of no longer ago.
LATELY = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

_ATTEMPT = core(AttemptRow)
_DELIVERY = core(DeliveryRow)
_LANE = core(LaneRow)


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How long answers took: half of them at most `p50`, 95 in a hundred at most `p95` milliseconds."""

    p50: int
    p95: int


@dataclass(frozen=True, kw_only=True)
class Figures:
    """How one destination is doing."""

    #: Deliveries that are owed and not final.
    backlog: int
    #: When the oldest of them was owed, aware; None: there is none.
    oldest_at: datetime | None
    #: Deliveries that died and are still kept.
    dead: int
    blocked_lanes: int
    #: Delivered per second over the last minute; of a faster one, over the newest SAMPLE.
    rate_1m: float
    #: The share of tries that delivered, over the last hour or the newest SAMPLE; None: there was no try.
    success_rate_1h: float | None
    #: Of tries that were answered, over the same; None: there was none.
    latency_ms: Latency | None
    #: Masked; what the newest failed try ran into, and when it began. None: nothing fails.
    last_error: str | None
    last_error_at: datetime | None


def figures_of(session: Session, destination: str, *, now: datetime) -> Figures:
    """The figures of `destination` as they stand."""
    since = now - LATELY
    finished = [row.finished_at for row in session.execute(_DELIVERED, {"to": destination})]
    delivered = session.execute(_TRIES_OF_DELIVERED, {"to": destination, "since": since}).all()
    failing = session.execute(_TRIES_OF_FAILING, {"to": destination, "since": since}).all()
    tries = _of_the_same_span(finished, delivered, failing)
    error, error_at = _last_error(session, destination, [*delivered, *failing])
    return Figures(
        backlog=pending_count(session, destination),
        oldest_at=oldest_owed(session, destination),
        dead=dead_count(session, destination),
        blocked_lanes=int(session.execute(_BLOCKED, {"to": destination}).scalar_one()),
        rate_1m=_rate(finished, now),
        success_rate_1h=_share_that_delivered(tries),
        latency_ms=_latency(tries),
        last_error=error,
        last_error_at=error_at,
    )


def _rate(finished: Sequence[datetime], now: datetime) -> float:
    of_late = [moment for moment in finished if moment > now - MINUTE]
    span = MINUTE
    if len(of_late) == SAMPLE:  # there were more: these took less than the minute
        span = max(now - min(of_late), timedelta(milliseconds=1))
    return round(len(of_late) / span.total_seconds(), 3)


def _of_the_same_span(
    finished: Sequence[datetime], delivered: Sequence[Row[Any]], failing: Sequence[Row[Any]]
) -> list[Row[Any]]:
    """The tries from when on both samples are whole: else the failures of an hour stood beside a second's successes."""
    begins = []
    if len(finished) == SAMPLE:
        begins.append(min(finished))
    if len({row.delivery_id for row in failing}) == SAMPLE:
        begins.append(min(_newest_tries(failing)))
    begin = max(begins, default=None)
    return [row for row in (*delivered, *failing) if begin is None or row.started_at >= begin]


def _newest_tries(tries: Iterable[Row[Any]]) -> Iterable[datetime]:
    newest: dict[str, datetime] = {}
    for row in tries:
        newest[row.delivery_id] = max(row.started_at, newest.get(row.delivery_id, row.started_at))
    return newest.values()


def _share_that_delivered(tries: Sequence[Row[Any]]) -> float | None:
    if not tries:
        return None
    delivered = [row for row in tries if row.outcome == "delivered"]
    return round(len(delivered) / len(tries), 4)


def _latency(tries: Iterable[Row[Any]]) -> Latency | None:
    durations = sorted(row.duration_ms for row in tries if row.status is not None)
    if not durations:
        return None
    last = len(durations) - 1
    return Latency(p50=durations[last // 2], p95=durations[-(-last * 95 // 100)])


def _last_error(session: Session, destination: str, tries: Iterable[Row[Any]]) -> tuple[str | None, datetime | None]:
    failed = [row for row in tries if row.outcome != "delivered"]
    if failed:
        newest = max(failed, key=lambda row: row.started_at)
        return newest.error, newest.started_at
    older = session.execute(_NEWEST_FAILING, {"to": destination}).one_or_none()
    return (None, None) if older is None else (older.last_error, older.finished_at)


def _tries_of(sample: Subquery) -> Select[Any]:
    a = _ATTEMPT.c
    return (
        select(a.delivery_id, a.started_at, a.duration_ms, a.outcome, a.status, a.error)
        .join(sample, a.delivery_id == sample.c.id)
        .where(a.number > sample.c.attempts - TRIES, a.started_at >= bindparam("since"))
    )


_BLOCKED = (
    select(func.count())
    .select_from(_LANE)
    .where(_LANE.c.destination == bindparam("to"), _LANE.c.blocked_at.is_not(None))
)
_newest_delivered = newest_of_state("delivered", SAMPLE)
_DELIVERED = select(_newest_delivered.c.finished_at)
_TRIES_OF_DELIVERED = _tries_of(_newest_delivered)
_TRIES_OF_FAILING = _tries_of(newest_failing(SAMPLE))
_newest_failing_one = newest_failing(1)
_NEWEST_FAILING = select(_newest_failing_one.c.last_error, _newest_failing_one.c.finished_at)
