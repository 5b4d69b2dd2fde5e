"""Seals the bodies that are kept, and opens them again. It may not keep a key longer than a transaction.

A key that outlived its transaction here would go on sealing after an erasure had destroyed it, and what was
acknowledged then could never be read. So every read of a body fetches the wrapped key in the same statement.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, FromClause, Row
from sqlalchemy.orm import Session

from bridge.clock import new_id
from bridge.errors import Gone, TemporarilyUnavailable
from bridge.events import RecordedEvent
from bridge.privacy import customer_index, data_keys
from bridge.privacy.customers import customer_name, customers_in
from bridge.privacy.data_keys import CUSTOMERS, KeyOnFile, NewKey
from bridge.privacy.key_ring import CANNOT_OPEN, KEY_BYTES, KeyRing, opened, sealed
from bridge.tables import DataKeyRow, EventRow, core

_EVENT = core(EventRow)
_KEY = core(DataKeyRow)
_ROUNDS: Final = 4

#: A row with the columns of PAYLOAD or of BODY.
SealedRow: TypeAlias = Row[*tuple[Any, ...]]

#: Where something is sealed for: part of what a ciphertext is bound to.
PAYLOAD_COLUMN, BODY_COLUMN, REJECTION_COLUMN = "event.payload", "event.body", "rejection.body"

#: What a statement over events selects besides, so that `Vault.payload` can open its rows …
PAYLOAD: Final = (_EVENT.c.payload, _EVENT.c.sealed_payload, _EVENT.c.key_id, _KEY.c.wrapped, _KEY.c.wrapped_by)
#: … or `Vault.body`, …
BODY: Final = (_EVENT.c.body, _EVENT.c.key_id, _KEY.c.wrapped, _KEY.c.wrapped_by)
#: … what it joins for that, by an outer join on `IS_KEY`, …
KEYS: Final[FromClause] = _KEY
IS_KEY: Final[ColumnElement[bool]] = _KEY.c.id == _EVENT.c.key_id
#: … and what it asks where erased events are of no use.
IS_READABLE: Final[ColumnElement[bool]] = _EVENT.c.key_id.is_(None) | _KEY.c.wrapped.is_not(None)


class DataKey:
    """A key that is in use: for the transaction, or the row, that it was got for."""

    __slots__ = ("_cipher", "_key", "id")

    def __init__(self, key_id: str, key: bytes) -> None:
        self.id = key_id
        self._key = key
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, *, row: str, column: str) -> bytes:
        """`plain` as it is kept in `column` of the row with the id `row`, and nowhere else."""
        return sealed(self._cipher, plain, f"{row}/{column}".encode())

    def open(self, kept: bytes, *, row: str, column: str) -> bytes:
        """The inverse. Raises Altered."""
        return opened(self._cipher, kept, f"{row}/{column}".encode())

    def wrapped(self, ring: KeyRing) -> bytes:
        """As it is stored."""
        return ring.wrap(self.id, self._key)

    def hash(self, text: str) -> bytes:
        """16 bytes that tell whether two texts are the same, to whoever has the key."""
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256")[:16]


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What a transaction seals with."""

    by_scope: Mapping[str, DataKey]
    #: Ids of those that it made.
    made: Set[str]


class Vault:
    """Seals and opens under the secrets of `ring`. Safe for threads."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring

    def keys(self, session: Session, scopes: Collection[str], *, now: datetime) -> Keys:
        """The key of each scope, made where there is none, and held until the transaction ends.

        Raises SecretMissing; TemporarilyUnavailable where keys are made and erased faster than we can follow.
        """
        found: dict[str, DataKey] = {}
        made: set[str] = set()
        missing = sorted(scopes)
        for _ in range(_ROUNDS):
            found |= {one.scope: self._unwrapped(one) for one in data_keys.alive(session, missing)}
            fresh = {scope: DataKey(new_id(), os.urandom(KEY_BYTES)) for scope in missing if scope not in found}
            if not fresh:
                return Keys(by_scope=found, made=made & {key.id for key in found.values()})
            made |= {key.id for key in fresh.values()}
            if data_keys.put_on_file(session, [self._new(scope, key, now) for scope, key in fresh.items()]):
                return Keys(by_scope=found | fresh, made=made)
            missing = sorted(fresh)
        raise TemporarilyUnavailable("The keys are changing too fast; send it again.", retry_after=1)

    def index(self, session: Session, events: Iterable[tuple[RecordedEvent, str]], *, now: datetime) -> None:
        """Remember which customers `events` name, each event with the id of the key that sealed it."""
        named = [
            (name, event.subject, key_id)
            for event, key_id in events
            for name in customers_in(event.subject, event.payload)
        ]
        if named:
            hashing = self.keys(session, {CUSTOMERS}, now=now).by_scope[CUSTOMERS]
            customer_index.remember(session, {(hashing.hash(name), subject, key) for name, subject, key in named})

    def subjects_of(self, session: Session, customer: str) -> list[str]:
        """Every subject whose events name the customer, by id, phone number or e-mail address; sorted."""
        key = self.key_of_customers(session)
        return [] if key is None else customer_index.subjects_of(session, key.hash(customer_name(customer)))

    def key_of_customers(self, session: Session) -> DataKey | None:
        """What customers are hashed, and sealed, with; never destroyed. None: nobody was named yet.

        Raises SecretMissing.
        """
        for key in data_keys.alive(session, {CUSTOMERS}):
            return self._unwrapped(key)
        return None

    def payload(self, event_id: str, row: SealedRow) -> dict[str, Any] | None:
        """The payload of a row that has the columns of PAYLOAD; None: it was erased. Raises Altered, SecretMissing."""
        if row.key_id is None:
            return row.payload  # type: ignore[no-any-return]
        key = self._key_of(row)
        if key is None:
            return None
        return orjson.loads(key.open(row.sealed_payload, row=event_id, column=PAYLOAD_COLUMN))  # type: ignore[no-any-return]

    def readable_payload(self, event_id: str, row: SealedRow) -> dict[str, Any] | None:
        """As `payload`; None also where it cannot be opened: for those who can do without."""
        try:
            return self.payload(event_id, row)
        except CANNOT_OPEN:
            return None

    def body(self, event_id: str, row: SealedRow) -> bytes | None:
        """The raw body of a row that has the columns of BODY; None: it was erased. Raises Altered, SecretMissing."""
        if row.key_id is None:
            return row.body  # type: ignore[no-any-return]
        key = self._key_of(row)
        return None if key is None else key.open(row.body, row=event_id, column=BODY_COLUMN)

    def readable_body(self, event_id: str, row: SealedRow) -> bytes | None:
        """As `body`; None also where it cannot be opened."""
        try:
            return self.body(event_id, row)
        except CANNOT_OPEN:
            return None

    def rejected_body(self, rejection_id: str, row: SealedRow) -> bytes:
        """The kept body of a rejection, with `key_id`, `wrapped` and `wrapped_by`. Raises Altered, SecretMissing."""
        if row.key_id is None:
            return row.body  # type: ignore[no-any-return]
        key = DataKey(row.key_id, self.ring.unwrap(row.key_id, row.wrapped, row.wrapped_by))
        return key.open(row.body, row=rejection_id, column=REJECTION_COLUMN)

    def _key_of(self, row: SealedRow) -> DataKey | None:
        if is_erased(row):
            return None
        return DataKey(row.key_id, self.ring.unwrap(row.key_id, row.wrapped, row.wrapped_by))

    def _unwrapped(self, key: KeyOnFile) -> DataKey:
        return DataKey(key.id, self.ring.unwrap(key.id, key.wrapped, key.wrapped_by))

    def _new(self, scope: str, key: DataKey, now: datetime) -> NewKey:
        return NewKey(
            id=key.id, scope=scope, wrapped=key.wrapped(self.ring), wrapped_by=self.ring.first, created_at=now
        )


def is_erased(row: SealedRow) -> bool:
    """Whether a row that has the columns of PAYLOAD or BODY has lost its key."""
    return row.key_id is not None and row.wrapped is None


def erased() -> Gone:
    """The refusal of everything that needs a body that is gone."""
    return Gone("It was erased: its envelope and what the audit says of it are all that is left.")
