"""Erases one person: destroys the keys of what is kept of them, and cancels what is still owed.

First the key of a subject, in one transaction with its entry in the audit: from there on nothing of it can be read or
sent. Then, a page of events at a time, what else was left of it. Whatever stops it, the same order given again goes on
from there. It may not recall what was delivered: it says what that was. Envelope and audit stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import Clock
from bridge.database import Database
from bridge.errors import Conflict
from bridge.keeping import erasure_ledger as ledger
from bridge.keeping.erasure_ledger import DeliveredBefore, Found, together
from bridge.keeping.erasure_search import ErasureOrder, ErasureSearch, Held, LookedThrough, check_order
from bridge.outbox.ledger.erased import ERASED, Cancelled, cancel_erased
from bridge.privacy import customer_index, data_keys
from bridge.privacy.customers import customer_name
from bridge.privacy.holds import Hold, LegalHolds
from bridge.privacy.masking import Masking
from bridge.privacy.vault import Vault, is_erased

#: Events cleaned up in one transaction.
PAGE: Final = 200


@dataclass(frozen=True, kw_only=True)
class ErasureReport:
    """What became of an order."""

    #: The subjects that were looked through, sorted: all that name the customer, or the one that was named.
    subjects: Sequence[str]
    #: Events erased by this order, and those that had been before.
    events: int
    erased_before: int
    #: Per destination what it has got, by whichever of these events.
    delivered: Sequence[DeliveredBefore]
    #: Per destination the deliveries that will not be sent …
    cancelled: Mapping[str, int]
    #: … and those that were on their way: they may have been delivered.
    in_flight: Mapping[str, int]


@dataclass
class _Tally:
    events: int = 0
    erased_before: int = 0
    delivered: list[DeliveredBefore] = field(default_factory=list)
    cancelled: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)

    def count(self, cancelled: Sequence[Cancelled]) -> None:
        for one in cancelled:
            (self.in_flight if one.in_flight else self.cancelled)[one.destination] += 1

    def as_noted(self) -> dict[str, object]:
        """What the audit keeps of it."""
        delivered = {one.destination: one.deliveries for one in self.delivered}
        cancelled = self.cancelled.total() + self.in_flight.total()
        return {"events": self.events, "cancelled": cancelled, "delivered": delivered}

    def add(self, other: _Tally) -> None:
        self.events += other.events
        self.erased_before += other.erased_before
        self.delivered = together([*self.delivered, *other.delivered])
        self.cancelled += other.cancelled
        self.in_flight += other.in_flight


class Erasures:
    """The one way to erase somebody, whichever door the order comes by."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        notes: AuditNotes,
        vault: Vault,
        masking: Masking,
        holds: LegalHolds,
        page: int = PAGE,
    ) -> None:
        """`page`: how many events are cleaned up in one transaction."""
        self._database = database
        self._clock = clock
        self._notes = notes
        self._masking = masking
        self._search = ErasureSearch(vault, holds)
        self._page = page

    def erase(self, order: ErasureOrder, *, progress: Callable[[int], None] = lambda _: None) -> ErasureReport:
        """Carry out `order`; `progress` is told after each transaction how many events were looked at so far.

        Nothing that is kept, or everything erased already, is no error: the report says so. Raises Invalid without a
        reason, or without exactly one of subject and customer; Conflict, which names it, under a legal hold, with
        nothing erased (unless the hold was laid while the order was carried out); SecretMissing.
        """
        check_order(order)
        try:
            found = self._search.look_through(self._database, order)
        except Held as held:
            raise self._refused(order, held.hold) from None
        tally = _Tally()
        for subject in found.subjects:
            tally.add(self._erase_subject(order, subject, found, tally, progress))
        if not found.subjects:
            with self._database.write() as session:
                self._note(session, order, "erasure.completed", self._named(order), events=0)
        return _report(found, tally)

    def preview(self, order: ErasureOrder) -> ErasureReport:
        """What `erase` would do as things stand; nothing is erased, cancelled or noted. Raises as `erase` does.

        Everything that is still owed counts as cancelled: what will be on its way by then is not known.
        """
        check_order(order, is_preview=True)
        try:
            found = self._search.look_through(self._database, order)
        except Held as held:
            raise _refusal(held.hold) from None
        tally = _Tally()
        with self._database.read() as session:
            for subject in found.subjects:
                kept = ledger.kept_of(session, subject)
                owed = Counter(ledger.owed_of(session, subject))
                delivered = ledger.delivered_of(session, subject)
                tally.add(_Tally(kept.events - kept.erased, kept.erased, delivered, owed))
        return _report(found, tally)

    def _erase_subject(
        self,
        order: ErasureOrder,
        subject: str,
        found: LookedThrough,
        so_far: _Tally,
        progress: Callable[[int], None],
    ) -> _Tally:
        try:
            destroyed, upto = self._destroy_key(order, subject, found)
        except Held as held:
            raise self._refused(order, held.hold, so_far.events) from None
        tally, keys, after, is_end = _Tally(), set(destroyed), "", False
        before = so_far.events + so_far.erased_before
        while not is_end:
            with self._database.write() as session:
                page = ledger.page_of(session, subject, after=after, upto=upto, most=self._page)
                # In a transaction of its own: cleaning holds lanes, and whoever records comes to a lane by its events.
                ledger.free_content_keys(session, [event.id for event in page if _is_to_clean(event, subject)])
            with self._database.write() as session:
                tally.add(self._clean_page(session, order, subject, page, destroyed))
                keys |= {event.key_id for event in page if event.key_id is not None}
                is_end, after = len(page) < self._page, page[-1].id if page else after
                if is_end:
                    customer_index.forget(session, subject, keys)
                    self._note(session, order, "erasure.completed", subject, **tally.as_noted())
            progress(before + tally.events + tally.erased_before)
        return tally

    def _destroy_key(self, order: ErasureOrder, subject: str, found: LookedThrough) -> tuple[list[str], str]:
        """Ids of the keys that were destroyed, and of the last event that is erased with them. Raises Held."""
        with self._database.write() as session:
            doomed = data_keys.take_from_recorders(session, subject)
            # Only now: what came in since is looked at as well, and can still be read.
            self._search.look_again(session, order, subject, found)
            data_keys.destroy(session, doomed, now=self._clock.now())
            self._note(session, order, "erasure.begun", subject, keys=len(doomed))
            return doomed, ledger.newest_event(session, subject)

    def _clean_page(
        self, session: Session, order: ErasureOrder, subject: str, page: Sequence[Found], destroyed: list[str]
    ) -> _Tally:
        """Clean up what is erased; `destroyed` gets a key where rows are overwritten and there is none to name."""
        now = self._clock.now()
        overwritten = [event.id for event in page if event.key_id is None or event.scope != subject]
        if overwritten and not destroyed:
            destroyed.append(data_keys.file_destroyed(session, subject, now=now))
        before = [event.id for event in page if is_erased(event) and event.key_id not in destroyed]
        erased = [event.id for event in page if event.key_id in destroyed] + overwritten
        tally = _Tally(events=len(erased), erased_before=len(before))
        ids = [*before, *erased]
        if ids:
            ledger.overwrite(session, overwritten, key_id=destroyed[0] if destroyed else "")
            cancelled = cancel_erased(session, ids, now=now)
            tally.count(cancelled)
            ledger.empty_leftovers(session, ids)
            tally.delivered = ledger.delivered_before(session, ids)
            self._note_cancelled(session, order, subject, cancelled)
        return tally

    def _note_cancelled(
        self, session: Session, order: ErasureOrder, subject: str, cancelled: Sequence[Cancelled]
    ) -> None:
        entries = [
            AuditEntry(
                actor=order.actor,
                action="delivery.cancelled",
                subject=subject,
                reason=ERASED,
                details={"deliveryId": one.id, "destination": one.destination, "inFlight": one.in_flight},
            )
            for one in cancelled
        ]
        if entries:
            self._notes.write(session, entries, self._clock.now())

    def _refused(self, order: ErasureOrder, hold: Hold, erased: int = 0) -> Conflict:
        """`erased`: events that were, before the hold was placed."""
        with self._database.write() as session:
            self._note(session, order, "erasure.refused", self._named(order), hold=hold.name, events=erased)
        return _refusal(hold, erased)

    def _named(self, order: ErasureOrder) -> str:
        """Whom the order is about, as the audit may say it."""
        if order.customer is not None:
            return f"customer:{self._masking.equality(customer_name(order.customer))}"
        return order.subject or ""

    def _note(self, session: Session, order: ErasureOrder, action: str, subject: str, **details: object) -> None:
        told = details if order.customer is None else {"customer": self._named(order), **details}
        entry = AuditEntry(actor=order.actor, action=action, subject=subject, reason=order.reason, details=told)
        self._notes.write(session, [entry], self._clock.now())


def _is_to_clean(event: Found, subject: str) -> bool:
    """False of what was recorded since the key of the subject was destroyed."""
    return is_erased(event) or event.scope != subject


def _report(found: LookedThrough, tally: _Tally) -> ErasureReport:
    return ErasureReport(
        subjects=found.subjects,
        events=tally.events,
        erased_before=tally.erased_before,
        delivered=tally.delivered,
        cancelled=dict(tally.cancelled),
        in_flight=dict(tally.in_flight),
    )


def _refusal(hold: Hold, erased: int = 0) -> Conflict:
    done = f"of the events {erased} had been erased before it was placed" if erased else "nothing was erased"
    return Conflict(f"Legal hold {hold.name} covers this: {done}. An admin has to release it first.")
