"""Whom an order to erase is about, what of them is kept, and which hold forbids it. It may not erase, nor write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from bridge.database import Database
from bridge.errors import FieldError, Invalid
from bridge.keeping import erasure_ledger as ledger
from bridge.keeping.erasure_ledger import Found
from bridge.privacy import data_keys
from bridge.privacy.customers import customer_name
from bridge.privacy.holds import Hold, LegalHolds, holding_event
from bridge.privacy.key_ring import Altered
from bridge.privacy.vault import Vault, is_erased


@dataclass(frozen=True, kw_only=True)
class ErasureOrder:
    """Who is to be erased: one subject, or a customer by id, phone number or e-mail address. Exactly one of the two."""

    subject: str | None = None
    customer: str | None = None
    #: Why, in the words of `actor` (`token:<id>` or `cli:<user>`); the audit keeps it, masked. A preview needs none.
    reason: str | None = None
    actor: str


class Held(Exception):
    """A legal hold covers what was to be erased."""

    def __init__(self, hold: Hold) -> None:
        self.hold = hold


@dataclass(frozen=True, kw_only=True)
class LookedThrough:
    """What no hold covers."""

    subjects: Sequence[str]
    #: Those that it was compared with.
    holds: Sequence[Hold]
    #: The last event that was looked at, per subject.
    upto: Mapping[str, str]


def check_order(order: ErasureOrder, *, is_preview: bool = False) -> None:
    """Raises Invalid without exactly one of subject and customer, or without a reason unless it `is_preview`."""
    errors = []
    if not is_preview and not (order.reason or "").strip():
        errors.append(FieldError(field="reason", rule="required", message="say why, in a sentence: the audit keeps it"))
    named = [name for name in (order.subject, order.customer) if name is not None]
    if len(named) != 1 or not named[0].strip():
        message = "name one of the two: a subject (like conversation:<id>), or a customer"
        errors.append(FieldError(field="subject", rule="one-of", message=message))
    elif order.subject is not None and data_keys.is_lasting(order.subject):
        message = "this is no subject, but what others are kept by; name a subject, like conversation:<id>"
        errors.append(FieldError(field="subject", rule="subject", message=message))
    if errors:
        raise Invalid("Nobody can be erased by this.", errors=errors)


class ErasureSearch:
    """Looks through what is kept."""

    def __init__(self, vault: Vault, holds: LegalHolds) -> None:
        self._vault = vault
        self._holds = holds

    def look_through(self, database: Database, order: ErasureOrder) -> LookedThrough:
        """Every subject that the order is about, none of it held. Raises Held, SecretMissing."""
        with database.read() as session:
            holds = self._holds.in_force(session)
        with database.read() as session:
            _refuse_customer(holds, order)
            subjects = self._subjects(session, order)
            upto = {subject: self._look(session, holds, subject, after="") for subject in subjects}
        return LookedThrough(subjects=subjects, holds=holds, upto=upto)

    def look_again(self, session: Session, order: ErasureOrder, subject: str, before: LookedThrough) -> None:
        """At what has come in since, under the holds that are in force until the transaction ends. Raises Held."""
        holds = self._holds.in_force(session)
        _refuse_customer(holds, order)
        self._look(session, holds, subject, after=before.upto[subject] if holds == before.holds else "")

    def _subjects(self, session: Session, order: ErasureOrder) -> list[str]:
        if order.customer is not None:
            return self._vault.subjects_of(session, order.customer)
        assert order.subject is not None
        return [order.subject]

    def _look(self, session: Session, holds: Sequence[Hold], subject: str, *, after: str) -> str:
        """At the events of `subject` after that one; the last of them. Raises Held."""
        for hold in holds:
            if hold.subject == subject:
                raise Held(hold)
        if not holds:
            return max(after, ledger.newest_event(session, subject))
        for event in ledger.contents_of(session, subject, after=after):
            after = event.id
            if is_erased(event):
                continue
            happened = [at for at in (event.occurred_at, event.received_at) if at is not None]
            for hold in holding_event(holds, subject=subject, body=self._body(event), happened=happened):
                raise Held(hold)
        return after

    def _body(self, event: Found) -> bytes:
        """As it came in; nothing that can be read where it was altered, so that in doubt a hold covers it."""
        try:
            return self._vault.body(event.id, event) or b""
        except Altered:
            return b""


def _refuse_customer(holds: Sequence[Hold], order: ErasureOrder) -> None:
    """Raises Held where a hold names the customer, even if nothing of them is kept."""
    if order.customer is None:
        return
    asked = customer_name(order.customer)
    for hold in holds:
        if not hold.is_readable or (hold.customer is not None and customer_name(hold.customer) == asked):
            raise Held(hold)
