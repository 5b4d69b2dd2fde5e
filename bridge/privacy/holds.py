"""Legal holds: what must not be purged, erased or forgotten. It may not know who does that.

Holds come from two places, bridge.toml and the database, and count the same. Whoever destroys asks `in_force` in the
transaction that destroys: from then until its end nobody can place a hold, and one that was placed before is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from bridge.privacy.customers import customer_name
from bridge.privacy.data_keys import CUSTOMERS
from bridge.privacy.hold_ledger import holds_in_force, wait_for_placing
from bridge.privacy.key_ring import CANNOT_OPEN, Altered
from bridge.privacy.text import mask_text
from bridge.privacy.vault import DataKey, Vault
from bridge.settings.model import LegalHold
from bridge.tables import LegalHoldRow

#: Where a customer is sealed for.
_CUSTOMER_COLUMN: Final = "legal_hold.customer"
_LAST_DAY: Final = date.max - timedelta(days=1)
#: Subjects that are no interaction, whatever their events tell.
_NO_INTERACTION: Final = ("record:", "contact:", "audit:")


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A hold in force, wherever it comes from. Exactly one of subject, customer and type is set, if it is readable."""

    #: One of bridge.toml: older than any that was placed, and its last digits are its place among them.
    id: str
    #: What identifies it to people without telling whom it protects.
    name: str
    subject: str | None = None
    customer: str | None = field(default=None, repr=False)
    type: str | None = None
    #: Aware; None where there is no type.
    start: datetime | None = None
    #: Not within the range any more.
    end: datetime | None = None
    #: Masked.
    reason: str = ""
    #: False: whom it holds cannot be decrypted here, so that it covers everything.
    is_readable: bool = True


class LegalHolds:
    """The holds of both places."""

    def __init__(self, declared: Sequence[LegalHold], vault: Vault) -> None:
        """`declared`: those of bridge.toml, in its order."""
        self._vault = vault
        #: Those of bridge.toml: in force for as long as they stand there.
        self.declared = [declared_hold(hold, place) for place, hold in enumerate(declared, start=1)]

    def in_force(self, session: Session) -> list[Hold]:
        """All that are in force, and stay so until the session's transaction ends."""
        wait_for_placing(session)
        rows = holds_in_force(session)
        key = self._key(session) if any(row.sealed_customer is not None for row in rows) else None
        return [*self.declared, *(_placed(row, key) for row in rows)]

    def seal(self, session: Session, hold_id: str, customer: str, *, now: datetime) -> bytes:
        """The customer of a hold that is to be placed, as it is kept. Raises SecretMissing."""
        key = self._vault.keys(session, {CUSTOMERS}, now=now).by_scope[CUSTOMERS]
        return key.seal(customer.encode(), row=hold_id, column=_CUSTOMER_COLUMN)

    def _key(self, session: Session) -> DataKey | None:
        """What customers are sealed with; None where it cannot be had."""
        try:
            return self._vault.key_of_customers(session)
        except CANNOT_OPEN:
            return None


def holding_range(holds: Sequence[Hold], interaction_type: str, start: datetime, end: datetime) -> list[Hold]:
    """Those that forbid purging interactions of a type from `start` to `end` (aware).

    A hold on a subject or a customer forbids every purge by range: which interactions a range takes is only known to
    Genesys, and what is destroyed cannot be brought back.
    """
    return [hold for hold in holds if _covers(hold, interaction_type, start, end)]


def holding_event(holds: Sequence[Hold], *, subject: str, body: bytes, happened: Sequence[datetime]) -> list[Hold]:
    """Those that forbid to forget the event of `subject` that came in as `body`; `happened` are its times (aware).

    In doubt they do: a hold on a subject or a customer covers every event that names it anywhere, and one on a type and
    a range every event of an interaction in that range, because an event does not tell the interaction's type.
    """
    words = _words(body) if any(hold.type is None for hold in holds) else set()
    return [hold for hold in holds if _covers_event(hold, subject, words, happened)]


def declared_hold(hold: LegalHold, place: int = 0) -> Hold:
    """A hold of bridge.toml, at its place there, from 1 on; 0: it does not stand there."""
    reason = mask_text(hold.reason)
    start, end = held_range(hold) if hold.type is not None else (None, None)
    return Hold(
        id=str(UUID(int=place)),
        name=_name(f"{place} of bridge.toml", hold.subject, hold.type, reason),
        subject=hold.subject,
        customer=hold.customer,
        type=hold.type,
        start=start,
        end=end,
        reason=reason,
    )


def held_range(hold: LegalHold) -> tuple[datetime, datetime]:
    """Where the range of a hold with a type begins, and where it ends, which is not within it any more (aware).

    A day that is named is held whole; a time without a zone is in UTC.
    """
    begins, ends = hold.from_, hold.to
    assert begins is not None  # checked with the type
    assert ends is not None
    if not isinstance(ends, datetime):
        ends = min(ends, _LAST_DAY) + timedelta(days=1)
    return _moment(begins), _moment(ends)


def _placed(row: LegalHoldRow, key: DataKey | None) -> Hold:
    customer = _opened(row, key)
    return Hold(
        id=row.id,
        name=_name(row.id, row.subject, row.interaction_type, row.reason),
        subject=row.subject,
        customer=customer,
        type=row.interaction_type,
        start=row.range_start,
        end=row.range_end,
        reason=row.reason,
        is_readable=(customer is None) == (row.sealed_customer is None),
    )


def _opened(row: LegalHoldRow, key: DataKey | None) -> str | None:
    """The customer of a placed hold; None where it has none, or it cannot be decrypted."""
    if row.sealed_customer is None or key is None:
        return None
    try:
        return key.open(row.sealed_customer, row=row.id, column=_CUSTOMER_COLUMN).decode()
    except Altered:
        return None


def _name(which: str, subject: str | None, interaction_type: str | None, reason: str) -> str:
    what = "a subject" if subject else f"type {interaction_type}" if interaction_type else "a customer"
    return f"{which} on {what} ({reason})" if reason else f"{which} on {what}"


def _covers_event(hold: Hold, subject: str, words: set[str] | None, happened: Sequence[datetime]) -> bool:
    if not hold.is_readable:
        return True
    if hold.type is not None:
        return not subject.startswith(_NO_INTERACTION) and any(_covers_time(hold, at) for at in happened)
    return hold.subject == subject or words is None or _names(hold) <= words


def _covers_time(hold: Hold, at: datetime) -> bool:
    return hold.start is not None and hold.end is not None and hold.start <= at < hold.end


def _names(hold: Hold) -> set[str]:
    """The words by which a body names what is held, all of them: `record:Item/7` is Item and 7."""
    if hold.customer is not None:
        return {customer_name(hold.customer)}
    kind, _, rest = (hold.subject or "").partition(":")
    if kind != "record":
        return {rest.casefold()}
    schema, _, record_id = rest.partition("/")  # as `events.record_subject` joins them
    return {unquote(schema).casefold(), record_id.casefold()}


def _words(body: bytes) -> set[str] | None:
    """Every value and key in a body, as text, and as a customer may be spelled; None where it cannot be read."""
    try:
        return set(_flattened(orjson.loads(body)))
    except orjson.JSONDecodeError:
        return None


def _flattened(value: Any) -> Iterator[str]:
    match value:
        case dict():
            yield from (key.casefold() for key in value)
            for one in value.values():
                yield from _flattened(one)
        case list():
            for one in value:
                yield from _flattened(one)
        case str():
            yield value.casefold()
            yield customer_name(value)
        case int():
            yield str(value)


def _covers(hold: Hold, interaction_type: str, start: datetime, end: datetime) -> bool:
    if hold.start is None or hold.end is None:
        return True
    return hold.type == interaction_type and hold.start < end and hold.end > start


def _moment(bound: date | datetime) -> datetime:
    """A date alone means its beginning in UTC."""
    if isinstance(bound, datetime):
        return bound if bound.tzinfo is not None else bound.replace(tzinfo=UTC)
    return datetime.combine(bound, time(), tzinfo=UTC)
