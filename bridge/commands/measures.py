"""What the commands of a time range came to, per operation: the numbers behind lists, and later behind metrics.

It may not keep a count of its own: everything is derived from what the deliveries have stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.commands.reading import state_of
from bridge.commands.search import CommandRow, commands_between
from bridge.events import COMMANDS


@dataclass(frozen=True, kw_only=True)
class Latency:
    """From the first step to the end, in milliseconds, over the commands that have ended."""

    p50: int
    p95: int
    max: int


@dataclass(frozen=True, kw_only=True)
class OperationMeasures:
    """The commands of one operation that were asked for in the range."""

    operation: str
    asked: int
    #: Accepted or running.
    open: int
    succeeded: int
    failed: int
    cancelled: int
    #: None where none has ended.
    latency_ms: Latency | None
    #: Calls repeated within a try, and tries of the outbox beyond the first.
    retries: int
    conflicts: int
    #: Rules that Genesys found broken; what is refused at the door is no command.
    violations: int
    #: Interactions that Genesys says it has purged.
    purged: int
    #: Ended per minute of the range.
    per_minute: float


def measure(session: Session, *, since: datetime, until: datetime) -> list[OperationMeasures]:
    """One entry per operation, in their alphabetical order, also for those that nobody asked for; times aware."""
    counted = {operation: _Counted() for operation in sorted(COMMANDS)}
    for row in commands_between(session, since, until):
        counted[row.operation].add(row)
    minutes = max((until - since).total_seconds() / 60, 1 / 60)
    return [one.told(operation, minutes) for operation, one in counted.items()]


@dataclass
class _Counted:
    states: Counter[str] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)
    latencies: list[int] = field(default_factory=list)

    def add(self, row: CommandRow) -> None:
        progress: Mapping[str, Any] = row.progress or {}
        measures: Mapping[str, int] = progress.get("measures") or {}
        self.states[state_of(row)] += 1
        self.sums["retries"] += measures.get("retries", 0) + max(0, (row.attempts or 0) - 1)
        for name in ("conflicts", "violations"):
            self.sums[name] += measures.get(name, 0)
        self.sums["purged"] += _purged(progress)
        if row.finished_at is not None and "latency_ms" in measures:
            self.latencies.append(measures["latency_ms"])

    def told(self, operation: str, minutes: float) -> OperationMeasures:
        states = self.states
        ended = states["succeeded"] + states["failed"] + states["cancelled"]
        return OperationMeasures(
            operation=operation,
            asked=states.total(),
            open=states["accepted"] + states["running"],
            succeeded=states["succeeded"],
            failed=states["failed"],
            cancelled=states["cancelled"],
            latency_ms=_latency(sorted(self.latencies)),
            retries=self.sums["retries"],
            conflicts=self.sums["conflicts"],
            violations=self.sums["violations"],
            purged=self.sums["purged"],
            per_minute=round(ended / minutes, 3),
        )


def _purged(progress: Mapping[str, Any]) -> int:
    """From the result of a purge that ended, else from its newest poll."""
    metrics = (progress.get("result") or {}).get("metrics") or progress.get("work") or {}
    return int(metrics.get("totalInteractionsPurged") or metrics.get("total_purged") or 0)


def _latency(ordered: Sequence[int]) -> Latency | None:
    if not ordered:
        return None
    # The nearest rank: always a latency that one of them had.
    at = {share: ordered[-(-len(ordered) * share // 100) - 1] for share in (50, 95)}
    return Latency(p50=at[50], p95=at[95], max=ordered[-1])
