"""How the tries of one destination went over the last hour or day, and what fails now. Reads only.

`attempt` has no index by time. But ids of deliveries begin with the millisecond in which they were owed, so that a
stretch of time is a range of an index, and a try is found by its delivery. Of each stretch at most SAMPLE deliveries
that were delivered and SAMPLE that fail are looked at: a look costs the same however many there are. Tries of what was
owed before the span began are not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, Subquery, bindparam, select
from sqlalchemy.orm import Session

from bridge.admin.search.newest import newest_failing, newest_of_state
from bridge.lists.spans import first_id
from bridge.tables import AttemptRow, core

SAMPLE = 50
#: Newest tries of each delivery that count.
TRIES = 5
#: Failing deliveries that are grouped by what they ran into.
FAILING = 500

_ATTEMPT = core(AttemptRow)


class Span(StrEnum):
    """How far back one looks."""

    HOUR = "hour"
    DAY = "day"


#: Length and number of the stretches that a span is told in.
STRETCHES = {Span.HOUR: (timedelta(minutes=2), 30), Span.DAY: (timedelta(minutes=30), 48)}


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A part of the span, which begins `at` (aware, UTC): the tries that began in it."""

    at: datetime
    tries: int
    failed: int
    #: Milliseconds within which half of the answers came, and 95 in a hundred; None: nobody answered.
    p50_ms: int | None
    p95_ms: int | None


@dataclass(frozen=True, kw_only=True)
class FailureKind:
    """Deliveries that fail in one way."""

    error_class: str
    #: HTTP status; None: there was no answer.
    status: int | None
    count: int
    #: Masked; of the newest of them.
    error: str | None
    delivery_id: str


@dataclass(frozen=True, kw_only=True)
class TriesSeen:
    span: Span
    #: Oldest first; the last one runs.
    stretches: list[Stretch]
    #: Most frequent first, of the newest FAILING deliveries whose newest try failed.
    failures: list[FailureKind]


def tries_of(session: Session, destination: str, span: Span, *, now: datetime) -> TriesSeen:
    """The tries of `destination` as they stand."""
    length, number = STRETCHES[span]
    running = datetime.fromtimestamp(now.timestamp() // length.total_seconds() * length.total_seconds(), now.tzinfo)
    starts = [running - length * back for back in range(number - 1, -1, -1)]
    tries = [row for start in starts for row in _sampled(session, destination, start, length)]
    return TriesSeen(span=span, stretches=list(_told(starts, length, tries)), failures=_kinds(session, destination))


def _sampled(session: Session, destination: str, start: datetime, length: timedelta) -> Iterator[Row[Any]]:
    """Tries of deliveries owed in that stretch; of a busy one only from when on both samples are whole."""
    span = {"to": destination, "begin": _id_at(start), "end": _id_at(start + length)}
    samples = [session.execute(statement, span).all() for statement in (_OF_DELIVERED, _OF_FAILING)]
    whole_since = max((_oldest_of_full(rows) for rows in samples), default="")
    return (row for rows in samples for row in rows if row.delivery_id >= whole_since)


def _oldest_of_full(rows: Sequence[Row[Any]]) -> str:
    found = {row.delivery_id for row in rows}
    return min(found) if len(found) == SAMPLE else ""


def _told(starts: Sequence[datetime], length: timedelta, tries: Iterable[Row[Any]]) -> Iterator[Stretch]:
    begun: dict[datetime, list[Row[Any]]] = {start: [] for start in starts}
    for row in tries:
        # What is owed in one stretch may be tried in a later one.
        place = starts[0] + (row.started_at - starts[0]) // length * length
        begun.get(place, []).append(row)
    for start, rows in begun.items():
        durations = sorted(row.duration_ms for row in rows if row.status is not None)
        yield Stretch(
            at=start,
            tries=len(rows),
            failed=sum(row.outcome != "delivered" for row in rows),
            p50_ms=_at_most(durations, 50),
            p95_ms=_at_most(durations, 95),
        )


def _at_most(durations: Sequence[int], percent: int) -> int | None:
    """The smallest of `durations`, which are sorted, that so many in a hundred do not exceed."""
    return durations[-(-len(durations) * percent // 100) - 1] if durations else None


def _kinds(session: Session, destination: str) -> list[FailureKind]:
    rows = sorted(session.execute(_FAILING, {"to": destination}), key=_kind)  # stable: the newest comes first
    grouped = [list(same) for _, same in groupby(rows, key=_kind)]
    kinds = [
        FailureKind(
            error_class=same[0].error_class,
            status=same[0].last_status,
            count=len(same),
            error=same[0].last_error,
            delivery_id=same[0].id,
        )
        for same in grouped
    ]
    return sorted(kinds, key=lambda one: -one.count)


def _kind(row: Row[Any]) -> tuple[str, int]:
    return row.error_class, row.last_status or 0


def _id_at(moment: datetime) -> str:
    return first_id(int(moment.timestamp() * 1000))


def _tries_of(sample: Subquery) -> Select[Any]:
    a = _ATTEMPT.c
    return (
        select(a.delivery_id, a.started_at, a.duration_ms, a.outcome, a.status)
        .join(sample, a.delivery_id == sample.c.id)
        .where(a.number > sample.c.attempts - TRIES)
    )


_SPAN: dict[str, Any] = {"before": bindparam("end"), "since": bindparam("begin")}
_OF_DELIVERED = _tries_of(newest_of_state("delivered", SAMPLE, **_SPAN))
_OF_FAILING = _tries_of(newest_failing(SAMPLE, **_SPAN))
_failing = newest_failing(FAILING)
_FAILING = select(_failing).order_by(_failing.c.id.desc())
