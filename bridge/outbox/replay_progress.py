"""How far a replay order is. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from bridge.errors import NotFound
from bridge.tables import DeliveryRow, ReplayRow, core

_DELIVERY = core(DeliveryRow)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The deliveries that a replay has made, by what became of them."""

    #: In their lanes, not ended.
    pending: int = 0
    #: Tried at least once.
    sent: int = 0
    delivered: int = 0
    #: Dead.
    failed: int = 0
    #: Never sent, because something newer of their subject made them stale.
    superseded: int = 0
    cancelled: int = 0

    @property
    def ended(self) -> int:
        return self.delivered + self.failed + self.superseded + self.cancelled

    @property
    def made(self) -> int:
        return self.pending + self.ended


@dataclass(frozen=True, kw_only=True)
class ReplayProgress(Tally):
    """A replay order and how far it is."""

    id: str
    #: `running`, `paused`, `completed` or `cancelled`; cancelled and not finished: its deliveries are being cancelled.
    state: str
    mode: str
    rate: float
    reason: str
    filter: dict[str, object]
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    #: Deliveries that it makes.
    matched: int
    #: Selected rows that other replays were sending already, and so this one does not.
    skipped: int
    #: The same by whom: the id of the replay, or `single`.
    skipped_for: dict[str, int]
    #: Older versions that the mode `latest` does not send.
    left_out: int
    #: False: everything is in its lanes, so that pausing would hold back nothing.
    walking: bool

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None


def replay_progress(session: Session, replay_id: str) -> ReplayProgress:
    """How far the order is. Raises NotFound."""
    row = session.get(ReplayRow, replay_id, populate_existing=True)
    if row is None:
        raise NotFound("no replay has this id; see GET /api/v1/replays")
    return _progress(row, count_deliveries(session, [replay_id]) if row.tally is None else {})


@dataclass(frozen=True, kw_only=True)
class OrderedWithin:
    """Which orders are wanted: given at or after `since` and before `until` (aware); None does not matter."""

    since: datetime | None = None
    until: datetime | None = None


def list_replays(
    session: Session, wanted: OrderedWithin, *, before_id: str | None = None, limit: int = 50
) -> list[ReplayProgress]:
    """Orders, newest first."""
    statement = select(ReplayRow).order_by(ReplayRow.id.desc()).limit(limit)
    if wanted.since is not None:
        statement = statement.where(ReplayRow.created_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(ReplayRow.created_at < wanted.until)
    if before_id is not None:
        statement = statement.where(ReplayRow.id < before_id)
    rows = session.scalars(statement).all()
    tallies = count_deliveries(session, [row.id for row in rows if row.tally is None])
    return [_progress(row, tallies) for row in rows]


def count_deliveries(session: Session, replay_ids: Iterable[str]) -> dict[str, Tally]:
    """What became of their deliveries so far, by replay id; one that has made none is not in it."""
    counts: dict[str, dict[str, int]] = {}
    for row in session.execute(_COUNTS, {"replays": list(replay_ids)}):
        one = counts.setdefault(row.replay_id, {"sent": 0})
        one["failed" if row.state == "dead" else row.state] = row.number
        one["sent"] += row.tried
    return {replay_id: Tally(**numbers) for replay_id, numbers in counts.items()}


def _progress(row: ReplayRow, counted: Mapping[str, Tally]) -> ReplayProgress:
    tally = counted.get(row.id, Tally()) if row.tally is None else Tally(**row.tally)
    skipped_for: dict[str, int] = row.skipped_for or {}
    return ReplayProgress(
        id=row.id,
        state=row.state,
        mode=row.mode,
        rate=row.rate,
        reason=row.reason,
        filter=row.filter,
        created_by=row.created_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
        matched=row.matched,
        skipped=sum(skipped_for.values()),
        skipped_for=skipped_for,
        left_out=row.left_out,
        walking=row.state in ("running", "paused") and row.due_at is not None,
        **_numbers(tally),
    )


def _numbers(tally: Tally) -> dict[str, Any]:
    return asdict(tally)


# All from the index: of a replay of a million deliveries no delivery is read.
_COUNTS = (
    select(
        _DELIVERY.c.replay_id,
        _DELIVERY.c.state,
        func.count().label("number"),
        func.count().filter(_DELIVERY.c.attempts > 0).label("tried"),
    )
    .where(_DELIVERY.c.replay_id.in_(bindparam("replays", expanding=True)))
    .group_by(_DELIVERY.c.replay_id, _DELIVERY.c.state)
)
