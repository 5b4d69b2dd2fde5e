"""How things stand, from the database, whoever asks: backlog, age, dead, blocked, breakers, unsealed. Reads only."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bridge.audit.seal import unsealed_count
from bridge.clock import Clock
from bridge.database import Database
from bridge.outbox.ledger.standing import dead_count, oldest_owed
from bridge.tables import DestinationStateRow, LaneRow, core

_LANE = core(LaneRow)
_DESTINATION = core(DestinationStateRow)

#: However many ask, the database is asked so often at most.
REFRESH_SECONDS = 5.0
#: Counting may take this share of the time at most; a long count is repeated more rarely.
COUNTING_SHARE = 0.02


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How things stood at one moment; each mapping by destination, without those that have none."""

    backlog: Mapping[str, int] = field(default_factory=dict)
    #: Seconds since the oldest delivery that waits became owed.
    oldest: Mapping[str, float] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)
    blocked: Mapping[str, int] = field(default_factory=dict)
    #: Names; half-open counts as open.
    open_breakers: frozenset[str] = frozenset()
    unsealed: int = 0


def standing(session: Session, destinations: Collection[str], clock: Clock) -> Standing:
    """How things stand for `destinations`, and for whoever else is owed something."""
    backlog: dict[str, int] = {}
    for statement in (_DUE, _WAITING_BEHIND_BLOCKED):
        for name, count in session.execute(statement):
            backlog[name] = backlog.get(name, 0) + int(count)
    now = clock.now()
    oldest = {name: oldest_owed(session, name) for name in backlog}
    names = sorted({*destinations, *backlog})
    return Standing(
        backlog=backlog,
        oldest={name: max(0.0, (now - at).total_seconds()) for name, at in oldest.items() if at is not None},
        dead={name: dead_count(session, name) for name in names},
        blocked={row.destination: int(row.lanes) for row in session.execute(_BLOCKED)},
        open_breakers=frozenset(session.scalars(_OPEN_BREAKERS)),
        unsealed=unsealed_count(session),
    )


class DatabaseGauges(Collector):
    """The gauges, a few seconds old at most. While the database does not answer there are none: no number is better
    than an old one."""

    def __init__(self, database: Database, clock: Clock, destinations: Collection[str]) -> None:
        self._database = database
        self._clock = clock
        self._destinations = frozenset(destinations)
        self._lock = threading.Lock()
        self._known: Standing | None = None
        self._good_until = float("-inf")

    def collect(self) -> Iterator[GaugeMetricFamily]:
        now = self._standing()
        if now is None:
            return
        names = sorted(self._destinations | now.backlog.keys() | now.dead.keys() | now.blocked.keys())
        breakers = dict.fromkeys(now.open_breakers, 1)
        for name, text, values in (
            ("bridge_backlog", "Deliveries that are owed and not yet done.", now.backlog),
            ("bridge_oldest_seconds", "Age of the oldest of them.", now.oldest),
            ("bridge_dead", "Dead deliveries that are kept.", now.dead),
            ("bridge_blocked_lanes", "Subjects that wait behind a dead delivery.", now.blocked),
            ("bridge_breaker_open", "1 while the breaker is open or half-open.", breakers),
        ):
            yield _by_destination(name, text, names, values)
        yield GaugeMetricFamily("bridge_audit_unsealed", "Audit entries not sealed yet.", value=now.unsealed)

    def _standing(self) -> Standing | None:
        with self._lock:  # one looks, the others take what it found
            started = self._clock.monotonic()
            if started >= self._good_until:
                self._known = self._look()
                ended = self._clock.monotonic()
                self._good_until = ended + max(REFRESH_SECONDS, (ended - started) / COUNTING_SHARE)
            return self._known

    def _look(self) -> Standing | None:
        try:
            with self._database.read() as session:
                return standing(session, self._destinations, self._clock)
        except SQLAlchemyError:
            return None


def _by_destination(name: str, text: str, names: Collection[str], values: Mapping[str, Any]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, text, labels=["destination"])
    for one in names:
        gauge.add_metric([one], float(values.get(one, 0)))
    return gauge


_OPEN = func.sum(_LANE.c.last_seq - _LANE.c.head_seq + 1)
# Lanes with something open are due or blocked, never both: two partial indexes instead of every lane there is.
_DUE = select(_LANE.c.destination, _OPEN).where(_LANE.c.due_at.is_not(None)).group_by(_LANE.c.destination)
# The head of a blocked lane is dead: what waits stands behind it.
_WAITING_BEHIND_BLOCKED = (
    select(_LANE.c.destination, func.sum(_LANE.c.last_seq - _LANE.c.head_seq))
    .where(_LANE.c.blocked_at.is_not(None))
    .group_by(_LANE.c.destination)
)
_BLOCKED = (
    select(_LANE.c.destination, func.count().label("lanes"))
    .where(_LANE.c.blocked_at.is_not(None))
    .group_by(_LANE.c.destination)
)
_OPEN_BREAKERS = select(_DESTINATION.c.name).where(_DESTINATION.c.open_until.is_not(None))
