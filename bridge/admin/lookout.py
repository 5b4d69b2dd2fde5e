"""How the bridge is doing, all of it at a glance: destinations, sources, the last hour. It may not change anything.

One per process: it remembers what is dear to count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bridge.admin.destinations import KnownDestination, destination_named, known_destinations
from bridge.admin.search.destinations import FoundDestination, find_destinations
from bridge.admin.search.figures import Figures, figures_of
from bridge.admin.search.minutes import Minute, Minutes
from bridge.admin.search.remembered import Remembered
from bridge.admin.search.sources import FoundSource, find_sources
from bridge.admin.search.tries import Span, TriesSeen, tries_of
from bridge.audit.seal import unsealed_count
from bridge.clock import Clock
from bridge.database import Database
from bridge.destinations.registry import Forwarder
from bridge.settings.model import Settings, SourceSettings
from bridge.telemetry.health import Expected, expected_of, is_stalled


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What the first page shows; sums are over the destinations."""

    at: datetime
    #: Oldest first; the last one runs.
    minutes: list[Minute]
    destinations: list[FoundDestination]
    backlog: int
    dead: int
    blocked_lanes: int
    sources: list[FoundSource]
    #: Audit entries that are not sealed yet.
    unsealed: int
    #: Deliveries have been due for long, and no worker tried any.
    stalled: bool


@dataclass(frozen=True, kw_only=True)
class _Counted:
    figures: Mapping[str, Figures]
    unsealed: int
    stalled: bool


def make_lookout(
    settings: Settings, *, database: Database, clock: Clock, forwarders: Mapping[str, Forwarder]
) -> Lookout:
    """A lookout over everything that is configured."""
    return Lookout(
        database,
        clock,
        destinations=known_destinations(settings, forwarders),
        sources=tuple(settings.sources.values()),
        expected=expected_of(settings, forwarders),
    )


class Lookout:
    """Each call opens what it needs, one session at a time, and holds nothing after. Safe for threads."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        destinations: Mapping[str, KnownDestination],
        sources: Sequence[SourceSettings],
        expected: Expected,
    ) -> None:
        self.known = destinations
        self._database = database
        self._clock = clock
        self._sources = sources
        self._expected = expected
        self._minutes = Minutes()
        self._counted = Remembered(self._count, clock)
        self._tries = {
            (name, span): Remembered(partial(self._look_at_tries, name, span), clock)
            for name in destinations
            for span in Span
        }

    def destinations(self, now: datetime) -> list[FoundDestination]:
        """All of them, in the order of the configuration."""
        return self._found(list(self.known.values()), self._counted.get(), now)

    def destination(self, name: str, now: datetime) -> FoundDestination:
        """One of them. Raises NotFound."""
        return self._found([destination_named(self.known, name)], self._counted.get(), now)[0]

    def tries(self, name: str, span: Span) -> TriesSeen:
        """How the tries of one of them went. Raises NotFound."""
        return self._tries[destination_named(self.known, name).name, span].get()

    def overview(self, now: datetime) -> Overview:
        """Everything at once."""
        counted = self._counted.get()
        destinations = self._found(list(self.known.values()), counted, now)
        with self._database.read() as session:
            minutes = self._minutes.last_hour(session, now)
            sources = find_sources(session, self._sources, now=now)
        return Overview(
            at=now,
            minutes=minutes,
            destinations=destinations,
            backlog=sum(one.backlog for one in destinations),
            dead=sum(one.dead for one in destinations),
            blocked_lanes=sum(one.blocked_lanes for one in destinations),
            sources=sources,
            unsealed=counted.unsealed,
            stalled=counted.stalled,
        )

    def _found(self, known: Sequence[KnownDestination], counted: _Counted, now: datetime) -> list[FoundDestination]:
        with self._database.read() as session:
            return find_destinations(session, known, counted.figures, now=now)

    def _count(self) -> _Counted:
        now = self._clock.now()
        with self._database.read() as session:
            figures = {name: figures_of(session, name, now=now) for name in self.known}
            stalled = is_stalled(session, now, self._expected)
            return _Counted(figures=figures, unsealed=unsealed_count(session), stalled=stalled)

    def _look_at_tries(self, name: str, span: Span) -> TriesSeen:
        with self._database.read() as session:
            return tries_of(session, name, span, now=self._clock.now())
