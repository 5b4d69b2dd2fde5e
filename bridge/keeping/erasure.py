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
from bridge.errors import Conflict, FieldError, Invalid
from bridge.keeping import erasure_ledger as ledger
from bridge.keeping.erasure_ledger import DeliveredBefore, Found, together
from bridge.outbox.ledger.cancel import ERASED, Cancelled, cancel_erased
from bridge.privacy import customer_index, data_keys
from bridge.privacy.customers import customer_name
from bridge.privacy.holds import Hold, LegalHolds, holding_event
from bridge.privacy.key_ring import Altered
from bridge.privacy.masking import Masking
from bridge.privacy.vault import Vault, is_erased

#: Events cleaned up in one transaction.
PAGE: Final = 200


@dataclass(frozen=True, kw_only=True)
class ErasureOrder:
    """Who is to be erased: one subject, or a customer by id, phone number or e-mail address. Exactly one of the two."""

    subject: str | None = None
    customer: str | None = None
    #: Why, in the words of `actor` (`token:<id>` or `cli:<user>`); the audit keeps it, masked.
    reason: str
    actor: str


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

    def add(self, other: _Tally) -> None:
        self.events += other.events
        self.erased_before += other.erased_before
        self.delivered = together([*self.delivered, *other.delivered])
        self.cancelled += other.cancelled
        self.in_flight += other.in_flight


class _HeldMeanwhile(Exception):
    """A hold covers what came in, or was laid, since the subject was looked through."""

    def __init__(self, hold: Hold) -> None:
        self.hold = hold


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
        self._vault = vault
        self._masking = masking
        self._holds = holds
        self._page = page

    def erase(self, order: ErasureOrder, *, progress: Callable[[int], None] = lambda _: None) -> ErasureReport:
        """Carry out `order`; `progress` is told after each transaction how many events were looked at so far.

        Nothing that is kept, or everything erased already, is no error: the report says so. Raises Invalid without a
        reason, or without exactly one of subject and customer; Conflict, which names it, under a legal hold, with
        nothing erased (unless the hold was laid while the order was carried out); SecretMissing.
        """
        _check(order)
        with self._database.read() as session:
            holds = self._holds.in_force(session)
        with self._database.read() as session:
            subjects = self._subjects(session, order)
            hold = self._hold_on_customer(holds, order)
            looked_upto = {}
            for subject in subjects if hold is None else ():
                hold, looked_upto[subject] = self._covering_hold(session, holds, subject, after="")
                if hold is not None:
                    break
        if hold is not None:
            raise self._refused(order, hold)
        tally = _Tally()
        for subject in subjects:
            tally.add(self._erase_subject(order, subject, holds, looked_upto[subject], tally, progress))
        if not subjects:
            with self._database.write() as session:
                self._note(session, order, "erasure.completed", self._named(order), events=0)
        return ErasureReport(
            subjects=subjects,
            events=tally.events,
            erased_before=tally.erased_before,
            delivered=tally.delivered,
            cancelled=dict(tally.cancelled),
            in_flight=dict(tally.in_flight),
        )

    def _subjects(self, session: Session, order: ErasureOrder) -> list[str]:
        if order.customer is not None:
            return self._vault.subjects_of(session, order.customer)
        assert order.subject is not None
        return [order.subject]

    def _hold_on_customer(self, holds: Sequence[Hold], order: ErasureOrder) -> Hold | None:
        if order.customer is None:
            return None
        asked = customer_name(order.customer)
        return next((hold for hold in holds if hold.customer and customer_name(hold.customer) == asked), None)

    def _covering_hold(
        self, session: Session, holds: Sequence[Hold], subject: str, *, after: str
    ) -> tuple[Hold | None, str]:
        """The first hold that covers an event of `subject` after that one; and the last event that was looked at."""
        named = next((hold for hold in holds if hold.subject == subject), None)
        if named is not None or not holds:
            return named, after if named else max(after, ledger.newest_event(session, subject))
        for event in ledger.contents_of(session, subject, after=after):
            after = event.id
            if is_erased(event):
                continue
            happened = [at for at in (event.occurred_at, event.received_at) if at is not None]
            found = holding_event(holds, subject=subject, body=self._body(event), happened=happened)
            if found:
                return found[0], after
        return None, after

    def _body(self, event: Found) -> bytes:
        """As it came in; nothing that can be read where it was altered, so that in doubt a hold covers it."""
        try:
            return self._vault.body(event.id, event) or b""
        except Altered:
            return b""

    def _erase_subject(
        self,
        order: ErasureOrder,
        subject: str,
        holds: Sequence[Hold],
        looked_upto: str,
        so_far: _Tally,
        progress: Callable[[int], None],
    ) -> _Tally:
        try:
            destroyed, upto = self._destroy_key(order, subject, holds, looked_upto)
        except _HeldMeanwhile as meanwhile:
            raise self._refused(order, meanwhile.hold) from None
        tally, keys, after, is_end = _Tally(), set(destroyed), "", False
        before = so_far.events + so_far.erased_before
        while not is_end:
            with self._database.write() as session:
                page = ledger.page_of(session, subject, after=after, upto=upto, most=self._page)
                tally.add(self._clean_page(session, order, subject, page, destroyed))
                keys |= {event.key_id for event in page if event.key_id is not None}
                is_end, after = len(page) < self._page, page[-1].id if page else after
                if is_end:
                    customer_index.forget(session, subject, keys)
                    counts = {"events": tally.events, "cancelled": tally.cancelled.total() + tally.in_flight.total()}
                    self._note(session, order, "erasure.completed", subject, **counts)
            progress(before + tally.events + tally.erased_before)
        return tally

    def _destroy_key(
        self, order: ErasureOrder, subject: str, holds: Sequence[Hold], looked_upto: str
    ) -> tuple[list[str], str]:
        """Ids of the keys that were destroyed, and of the last event that is erased with them."""
        with self._database.write() as session:
            # From here on nobody records under the key; what they had begun is committed, and looked at while it can
            # still be read.
            doomed = data_keys.lock(session, subject)
            now_held = self._holds.in_force(session)
            hold = self._hold_on_customer(now_held, order)
            if hold is None:
                after = looked_upto if now_held == holds else ""
                hold, _ = self._covering_hold(session, now_held, subject, after=after)
            if hold is not None:
                raise _HeldMeanwhile(hold)
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

    def _refused(self, order: ErasureOrder, hold: Hold) -> Conflict:
        with self._database.write() as session:
            self._note(session, order, "erasure.refused", self._named(order), hold=hold.name)
        return Conflict(f"Legal hold {hold.name} covers this: nothing was erased. An admin has to release it first.")

    def _named(self, order: ErasureOrder) -> str:
        """Whom the order is about, as the audit may say it."""
        if order.customer is not None:
            return f"customer:{self._masking.equality(customer_name(order.customer))}"
        return order.subject or ""

    def _note(self, session: Session, order: ErasureOrder, action: str, subject: str, **details: object) -> None:
        told = details if order.customer is None else {"customer": self._named(order), **details}
        entry = AuditEntry(actor=order.actor, action=action, subject=subject, reason=order.reason, details=told)
        self._notes.write(session, [entry], self._clock.now())


def _check(order: ErasureOrder) -> None:
    errors = []
    if not order.reason.strip():
        errors.append(FieldError(field="reason", rule="required", message="say why, in a sentence: the audit keeps it"))
    named = [name for name in (order.subject, order.customer) if name is not None]
    if len(named) != 1 or not named[0].strip():
        message = "name one of the two: a subject (like conversation:<id>), or a customer"
        errors.append(FieldError(field="subject", rule="one-of", message=message))
    if errors:
        raise Invalid("Nobody can be erased by this.", errors=errors)
