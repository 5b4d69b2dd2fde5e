"""Finds what was done to the audit: an entry edited, removed, inserted or moved. It may not mend anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, exists, select
from sqlalchemy.orm import Session

from bridge.audit.seal import GENESIS, head_statement, next_hash, unsealed_from
from bridge.audit.signing import is_signed_by
from bridge.tables import AuditEntryRow, AuditHeadRow, AuditSealRow, core

_ENTRY = core(AuditEntryRow)
_SEAL = core(AuditSealRow)
_HEAD = core(AuditHeadRow)

PAGE = 1000


@dataclass(frozen=True, kw_only=True)
class ExternalHead:
    """A head that somebody else kept: what `audit.sealed` told them, or an export."""

    position: int
    #: Hex.
    hash: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found. `problem` None: the chain holds up to `sealed`."""

    sealed: int
    #: Hex; of the last seal that was looked at.
    head: str
    problem: str | None = None
    #: The entry that the problem is about, where it can be named.
    entry_id: str | None = None
    position: int | None = None


def verify(
    session: Session,
    *,
    trusted: Collection[str],
    external: ExternalHead | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Walk the whole chain from its first entry; `progress` is told the positions passed.

    Names the first entry that was edited, removed, inserted or moved, and the first batch whose signature does not
    hold. `trusted` are the public keys (base64) that may have signed: this bridge's, and those from before its
    BRIDGE_SECRET_KEY was changed.
    """
    heads = {row.position: row for row in session.execute(select(_HEAD))}
    previous, position = GENESIS, 0
    for row in _chain(session):
        position += 1
        problem = _problem_at(position, previous, row)
        if problem is not None:
            return _found(position - 1, previous, problem, entry_id=row.entry_id, position=position)
        previous = row.hash
        head = heads.pop(position, None)
        problem = None if head is None else _problem_of_head(head, previous, trusted)
        if problem is not None:
            return _found(position, previous, problem, position=position)
        if external is not None and external.position == position and external.hash != previous.hex():
            text = f"the head at position {position} is not the one that was kept elsewhere: the chain was rewritten"
            return _found(position, previous, text, entry_id=row.entry_id, position=position)
        if position % PAGE == 0:
            progress(position)
    progress(position)
    missing = min(heads, default=None)
    if missing is not None or (external is not None and external.position > position):
        text = f"the chain ends at position {position}, and was longer: its last entries were removed"
        return _found(position, previous, text, position=position + 1)
    return _without_seal(session, position, previous)


def _chain(session: Session) -> Iterator[Row[Any]]:
    """Every seal with its entry's columns (None where it is gone), by position, a page at a time."""
    after = 0
    while True:
        page = session.execute(_PAGE, {"after": after, "most": PAGE}).all()
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].position


def _problem_at(position: int, previous: bytes, row: Row[Any]) -> str | None:
    if row.position != position:
        return f"the seal of position {position} is missing: it was removed"
    if row.id is None:
        return f"the entry at position {position} was removed"
    if next_hash(previous, row._mapping) != row.hash:
        return f"the entry at position {position} was edited, or moved there from another place"
    return None


def _without_seal(session: Session, position: int, previous: bytes) -> Verification:
    inserted = session.scalar(_INSERTED, {"floor": unsealed_from(session)})
    if inserted is not None:
        return _found(position, previous, "an entry was inserted among those that are sealed", entry_id=inserted)
    return Verification(sealed=position, head=previous.hex())


def _problem_of_head(head: Row[Any], hash_: bytes, trusted: Collection[str]) -> str | None:
    if head.public_key not in trusted:
        return f"the head at position {head.position} was signed by a key that is not trusted: {head.public_key}"
    if head.hash == hash_ and is_signed_by(head.public_key, head_statement(head.position, hash_), head.signature):
        return None
    return f"the signature over positions {head.first} to {head.position} does not hold: one of them was edited"


def _found(
    sealed: int, head: bytes, problem: str, *, entry_id: str | None = None, position: int | None = None
) -> Verification:
    return Verification(sealed=sealed, head=head.hex(), problem=problem, entry_id=entry_id, position=position)


_PAGE = (
    select(_SEAL.c.position, _SEAL.c.entry_id, _SEAL.c.hash, _ENTRY)
    .outerjoin(_ENTRY, _ENTRY.c.id == _SEAL.c.entry_id)
    .where(_SEAL.c.position > bindparam("after"))
    .order_by(_SEAL.c.position)
    .limit(bindparam("most"))
)
_INSERTED = (
    select(_ENTRY.c.id)
    .where(_ENTRY.c.id < bindparam("floor"), ~exists().where(_SEAL.c.entry_id == _ENTRY.c.id))
    .order_by(_ENTRY.c.id)
    .limit(1)
)
