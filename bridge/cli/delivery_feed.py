"""Deliveries as they come and as they end, for `--follow`. It may not print or move one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from bridge.admin.search.deliveries import LISTED, FoundDelivery, deliveries_with_ids, find_deliveries
from bridge.admin.search.delivery_ids import STATES, DeliveryFilter
from bridge.admin.search.pages import Page, PageRequest, cut
from bridge.audit.search import AuditFilter, list_entries
from bridge.cli.watching import Newest
from bridge.clock import Clock
from bridge.database import Database
from bridge.tables import AuditEntryRow

#: How many (delivery, state) are remembered as given.
_REMEMBERED = 50_000
_OPEN = ("pending", "sending")


class DeliveryFeed:
    """Called again and again: the newest `first` deliveries that are wanted, then each that comes, and each that ends.

    The list is in the order in which deliveries were owed, so one that was owed long ago and ends now is found by
    what the audit says of its end.
    """

    def __init__(self, database: Database, clock: Clock, wanted: DeliveryFilter, *, first: int) -> None:
        self._database = database
        self._clock = clock
        self._wanted = wanted
        ends = [state for state in STATES if state not in _OPEN and wanted.state in (None, state)]
        self._ended = [self._newest_ends(f"delivery.{state}") for state in ends]
        self._owed: Newest[FoundDelivery] = Newest(LISTED, self._page, lambda one: one.id, first=first)
        self._given: dict[tuple[str, str], None] = {}

    def __call__(self) -> list[FoundDelivery]:
        # The ends first: what ends while the list is read is found by the next look.
        ended = [str(entry.details["deliveryId"]) for each in self._ended for entry in each()]
        found = [*self._owed(), *self._with_ids(ended)]
        new = {(one.id, one.state): one for one in found if (one.id, one.state) not in self._given}
        self._given.update(dict.fromkeys(new))
        while len(self._given) > _REMEMBERED:
            del self._given[next(iter(self._given))]
        return list(new.values())

    def _page(self, which: PageRequest) -> Page[FoundDelivery]:
        with self._database.read() as session:
            return find_deliveries(session, self._wanted, which, now=self._clock.now())

    def _newest_ends(self, action: str) -> Newest[AuditEntryRow]:
        return Newest(action, partial(self._ends, action), lambda one: one.id, first=0)

    def _ends(self, action: str, which: PageRequest) -> Page[AuditEntryRow]:
        with self._database.read() as session:
            found = list_entries(session, AuditFilter(action=action), before_id=which.before_id, limit=which.limit + 1)
        return cut(action, which, found.rows, lambda entry: entry.id, floor=found.floor)

    def _with_ids(self, ids: Iterable[str]) -> list[FoundDelivery]:
        with self._database.read() as session:
            found = deliveries_with_ids(session, list(ids), now=self._clock.now())
        return [one for one in found if self._is_wanted(one)]

    def _is_wanted(self, one: FoundDelivery) -> bool:
        wanted = self._wanted
        pairs = (
            (wanted.destination, one.destination),
            (wanted.state, one.state),
            (wanted.type, one.event_type),
            (wanted.subject, one.subject),
            (wanted.event_id, one.event_id),
            (wanted.status, one.last_status),
            (wanted.error_class, one.error_class),
        )
        in_time = wanted.since is None or one.created_at >= wanted.since
        return in_time and all(value is None or value == has for value, has in pairs)
