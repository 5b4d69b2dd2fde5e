"""Destinations as operators see them: may they be sent to, and how are they doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from bridge.admin.destinations import KnownDestination
from bridge.admin.search.figures import Figures, Latency
from bridge.tables import DestinationStateRow, core

LISTED = "destinations"

_Row: TypeAlias = Row[*tuple[Any, ...]]

_STATE = core(DestinationStateRow)


@dataclass(frozen=True, kw_only=True)
class FoundDestination:
    """One destination. Pause and breaker are as they are now; figures may be seconds old where counting is dear."""

    name: str
    kind: str
    #: Without the values of its query; None for kinds whose address stands elsewhere.
    url: str | None
    #: `disabled`: by the configuration (`paused = true`); `paused`: by an operator, or by a 410.
    state: Literal["active", "paused", "disabled"]
    paused_at: datetime | None
    #: Masked.
    paused_reason: str | None
    breaker: Literal["closed", "open", "half-open"]
    #: When an open breaker lets the next try through; None while it is closed.
    breaker_until: datetime | None
    backlog: int
    #: Age of the oldest delivery that waits; 0 where none does.
    oldest_seconds: float
    dead: int
    blocked_lanes: int
    #: As `Figures` has them.
    rate_1m: float
    success_rate_1h: float | None
    latency_ms: Latency | None
    last_error: str | None
    last_error_at: datetime | None


def find_destinations(
    session: Session, known: Sequence[KnownDestination], figures: Mapping[str, Figures], *, now: datetime
) -> list[FoundDestination]:
    """Those destinations, in their order; `figures` has an entry for each."""
    states = {row.name: row for row in session.execute(_STATES)}
    return [_found(one, states.get(one.name), figures[one.name], now) for one in known]


def _found(known: KnownDestination, state: _Row | None, figures: Figures, now: datetime) -> FoundDestination:
    paused_at = None if state is None else state.paused_at
    return FoundDestination(
        name=known.name,
        kind=known.kind,
        url=known.url,
        state="disabled" if known.is_disabled else "active" if paused_at is None else "paused",
        paused_at=paused_at,
        paused_reason=None if state is None else state.paused_reason,
        breaker=_breaker(state, now),
        breaker_until=None if state is None else state.open_until,
        backlog=figures.backlog,
        oldest_seconds=_seconds_since(figures.oldest_at, now),
        dead=figures.dead,
        blocked_lanes=figures.blocked_lanes,
        rate_1m=figures.rate_1m,
        success_rate_1h=figures.success_rate_1h,
        latency_ms=figures.latency_ms,
        last_error=figures.last_error,
        last_error_at=figures.last_error_at,
    )


def _breaker(state: _Row | None, now: datetime) -> Literal["closed", "open", "half-open"]:
    if state is None or state.open_until is None:
        return "closed"
    # While a probe is out, `open_until` keeps the others away: that is no longer the wait of an open one.
    return "half-open" if state.probing or state.open_until <= now else "open"


def _seconds_since(moment: datetime | None, now: datetime) -> float:
    return 0.0 if moment is None else max(0.0, round((now - moment).total_seconds(), 3))


_STATES = select(_STATE.c.name, _STATE.c.paused_at, _STATE.c.paused_reason, _STATE.c.open_until, _STATE.c.probing)
