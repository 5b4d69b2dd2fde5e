"""Placing and releasing legal holds. They may not keep anything from being destroyed themselves: who destroys asks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from bridge.admin.reasons import check_reason
from bridge.admin.search.holds import DECLARED, FoundHold, read_hold
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import new_id, rfc3339
from bridge.commands.purges import PurgeView, purges_under
from bridge.errors import Conflict, FieldError, Invalid
from bridge.genesys.purge_policy import INTERACTION_TYPES
from bridge.privacy.customers import customer_name
from bridge.privacy.hold_ledger import insert_hold, release_hold
from bridge.privacy.holds import Hold, LegalHolds, declared_hold, held_range
from bridge.privacy.text import mask_value
from bridge.settings.model import LegalHold

_LONGEST: Final = {"subject": 600, "customer": 255}
_SUBJECT: Final = re.compile(r"[a-z]+:[^\x00-\x1f\x7f]+")


@dataclass(frozen=True, kw_only=True)
class HoldWithPurges:
    hold: FoundHold
    #: Open purges that it covers while it is in force. Each will be refused, but of one that is `running` Genesys may
    #: have begun already.
    purges: Sequence[PurgeView]

    def as_told(self) -> dict[str, object]:
        """With the names of the API."""
        return {**self.hold.as_told(), "purges": [{"id": one.id, "state": one.state} for one in self.purges]}


def look_at_hold(session: Session, holds: LegalHolds, hold_id: str) -> HoldWithPurges:
    """One hold, of either place. Raises NotFound."""
    return _with_purges(session, read_hold(session, holds, hold_id))


def preview_hold(session: Session, wanted: LegalHold) -> Sequence[PurgeView]:
    """The open purges that it would cover. Raises Invalid as `place_hold` does."""
    check_hold(wanted)
    return purges_under(session, declared_hold(wanted))


def check_hold(wanted: LegalHold) -> None:
    """Raise Invalid with everything that is wrong with a hold that somebody wants to place."""
    errors = list(_errors(wanted))
    if errors:
        raise Invalid("the hold cannot be placed", errors=errors)


def place_hold(
    session: Session, holds: LegalHolds, wanted: LegalHold, *, actor: str, now: datetime, notes: AuditNotes
) -> HoldWithPurges:
    """Place it and note it: in force for everybody as soon as the session's transaction commits. Raises Invalid."""
    check_hold(wanted)
    hold_id = new_id()
    start, end = held_range(wanted) if wanted.type is not None else (None, None)
    customer = wanted.customer
    row = {
        "id": hold_id,
        "subject": wanted.subject,
        "sealed_customer": None if customer is None else holds.seal(session, hold_id, customer, now=now),
        "customer_shown": None if customer is None else mask_value(customer),
        "interaction_type": wanted.type,
        "range_start": start,
        "range_end": end,
        "reason": notes.masked(wanted.reason),
        "placed_by": actor,
        "placed_at": now,
    }
    insert_hold(session, row)
    placed = _with_purges(session, read_hold(session, holds, hold_id))
    purges = placed.as_told()["purges"]
    details = _told(placed.hold) | ({"openPurges": purges} if purges else {})
    _note(session, "hold.placed", hold_id, wanted.reason, details, actor, now, notes)
    return placed


def release(
    session: Session,
    holds: LegalHolds,
    hold_id: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> FoundHold:
    """End a hold and note it. Raises NotFound, Invalid without a reason, Conflict where it is released already or
    stands in bridge.toml."""
    check_reason(reason)
    hold = read_hold(session, holds, hold_id)
    if hold.origin == DECLARED:
        raise Conflict("the hold stands in bridge.toml: take it out there, and run `bridge reload`")
    if not release_hold(session, hold_id, by=actor, reason=notes.masked(reason), now=now):
        raise Conflict("the hold is released already")
    _note(session, "hold.released", hold_id, reason, _told(hold), actor, now, notes)
    return read_hold(session, holds, hold_id)


def _errors(wanted: LegalHold) -> Iterator[FieldError]:
    try:
        check_reason(wanted.reason)
    except Invalid as missing:
        yield from missing.errors
    given = [name for name in ("subject", "customer", "type") if getattr(wanted, name) is not None]
    if len(given) != 1:
        message = "say exactly one of subject, customer, and type with from and to"
        yield FieldError(field=given[1] if given else "subject", rule="exactly_one", message=message)
    if wanted.subject is not None and not _SUBJECT.fullmatch(wanted.subject):
        yield FieldError(field="subject", rule="subject", message="must be a subject like conversation:<id>")
    if wanted.customer is not None and not customer_name(wanted.customer):
        yield FieldError(field="customer", rule="required", message="must not be blank")
    for name, longest in _LONGEST.items():
        if len(getattr(wanted, name) or "") > longest:
            yield FieldError(field=name, rule="length", message=f"may have {longest} characters")
    if wanted.type is not None and wanted.type not in INTERACTION_TYPES:
        message = f"must be one of {', '.join(INTERACTION_TYPES)}"
        yield FieldError(field="type", rule="enum", message=message)
    yield from _range_errors(wanted)


def _range_errors(wanted: LegalHold) -> Iterator[FieldError]:
    for name, bound in (("from", wanted.from_), ("to", wanted.to)):
        if (wanted.type is None) != (bound is None):
            message = "is missing: a type needs a range" if bound is None else "goes with a type only"
            yield FieldError(field=name, rule="range", message=message)
    if wanted.type is not None and wanted.from_ is not None and wanted.to is not None:
        start, end = held_range(wanted)
        if start >= end:
            yield FieldError(field="to", rule="range", message="must lie after from")


def _with_purges(session: Session, found: FoundHold) -> HoldWithPurges:
    hold = Hold(id=found.id, name=found.id, type=found.type, start=found.range_start, end=found.range_end)
    return HoldWithPurges(hold=found, purges=purges_under(session, hold) if found.active else [])


def _told(hold: FoundHold) -> dict[str, object]:
    """What the audit keeps of it."""
    start, end = hold.range_start, hold.range_end
    told = {
        "holdId": hold.id,
        "subject": hold.subject,
        "customer": hold.customer,
        "type": hold.type,
        "from": None if start is None else rfc3339(start),
        "to": None if end is None else rfc3339(end),
    }
    return {name: value for name, value in told.items() if value is not None}


def _note(
    session: Session,
    action: str,
    hold_id: str,
    reason: str,
    details: dict[str, object],
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> None:
    entry = AuditEntry(actor=actor, action=action, subject=f"hold:{hold_id}", reason=reason, details=details)
    notes.write(session, [entry], now)
