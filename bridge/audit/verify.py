"""Finds what was done to the audit: an entry edited, removed, inserted or moved. It may not mend anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, bindparam, exists, func, select
from sqlalchemy.orm import Session

from bridge.audit.anchor import anchor_of, anchor_statement, start_of
from bridge.audit.seal import GENESIS, LAST, head_statement, next_hash, unsealed_from
from bridge.audit.signing import is_signed_by
from bridge.tables import AuditEntryRow, AuditHeadRow, AuditSealRow, core

_ENTRY = core(AuditEntryRow)
_SEAL = core(AuditSealRow)
_HEAD = core(AuditHeadRow)

PAGE = 1000
#: Whether it was ours before, or somebody's who has forged the chain, cannot be told from the database.
_NOT_TRUSTED = (
    "was signed by a key that is not trusted (where that was a BRIDGE_SECRET_KEY of before, put it back behind the new "
    "one, or trust its public key by --trust, known from what you kept elsewhere)"
)


@dataclass(frozen=True, kw_only=True)
class ExternalHead:
    """A head that somebody else kept: what `audit.sealed` told them, or an export."""

    position: int
    #: Hex.
    hash: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found. `problem` None: the chain holds up to `sealed`, counted from its very first entry."""

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
    """Walk the whole chain from its first entry, or from the anchor where the oldest were archived; `progress` is told
    the positions passed.

    Names the first entry that was edited, removed, inserted or moved, and the first batch whose signature does not
    hold. `trusted` are the public keys (base64) that may have signed: this bridge's, and those from before its
    BRIDGE_SECRET_KEY was changed.
    """
    while True:
        anchor = anchor_of(session)
        found = _from_anchor(session, anchor, trusted, external, progress)
        if found.problem is None or anchor == anchor_of(session):
            return found  # else entries were archived while we looked


def holds_until(session: Session, position: int) -> Verification:
    """Whether the chain from the anchor up to a head at `position` is as it was sealed, whoever signed it.

    For what is to be archived: whose key it was is told by the archive, and the rest of the chain holds on to its end.
    """
    return _walk(session, start_of(anchor_of(session)), upto=position)


def verify_newest(session: Session, *, trusted: Collection[str]) -> Verification:
    """As `verify`, but of the newest sealed batch alone: quick however long the chain is."""
    head = session.execute(_NEWEST_HEAD).one_or_none()
    if head is None:
        return Verification(sealed=0, head=GENESIS.hex())
    start = start_of(anchor_of(session))
    if head.first - 1 > start[0]:
        before = session.scalar(_SEAL_AT, {"position": head.first - 1})
        if before is None:
            return _found(head.first - 1, b"", f"the seal of position {head.first - 1} is missing: it was removed")
        start = (head.first - 1, before)
    return _walk(session, start, trusted=trusted)


def _from_anchor(
    session: Session,
    anchor: Row[Any] | None,
    trusted: Collection[str],
    external: ExternalHead | None,
    progress: Callable[[int], None],
) -> Verification:
    start = start_of(anchor)
    problem = _problem_of_anchor(session, anchor, trusted) if anchor is not None else None
    if problem is None and external is not None:
        problem = _problem_of_archived(external, *start)
    if problem is not None:
        return _found(*start, problem, position=start[0])
    found = _walk(session, start, trusted=trusted, external=external, progress=progress)
    return found if found.problem is not None else _without_seal(session, found)


def _walk(
    session: Session,
    start: tuple[int, bytes],
    *,
    upto: int = LAST,
    trusted: Collection[str] | None = None,
    external: ExternalHead | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Verification:
    """The chain after `start` to `upto`; `trusted` None: every key is."""
    position, previous = start
    heads = {row.position: row for row in session.execute(_HEADS, {"after": position, "upto": upto})}
    for row in _chain(session, position, upto):
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
            return _found(position, previous, _rewritten(external), entry_id=row.entry_id, position=position)
        if position % PAGE == 0:
            progress(position)
    progress(position)
    if heads or (external is not None and external.position > position):
        text = f"the chain ends at position {position}, and was longer: its last entries were removed"
        return _found(position, previous, text, position=position + 1)
    return Verification(sealed=position, head=previous.hex())


def _chain(session: Session, after: int, upto: int) -> Iterator[Row[Any]]:
    """Every seal with its entry's columns (None where it is gone), by position, a page at a time."""
    while True:
        page = session.execute(_PAGE, {"after": after, "upto": upto, "most": PAGE}).all()
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


def _without_seal(session: Session, found: Verification) -> Verification:
    inserted = session.scalar(_INSERTED, {"floor": unsealed_from(session)})
    if inserted is None:
        return found
    return replace(found, problem="an entry was inserted among those that are sealed", entry_id=inserted)


def _problem_of_anchor(session: Session, anchor: Row[Any], trusted: Collection[str]) -> str | None:
    if anchor.public_key not in trusted:
        return f"the anchor at position {anchor.position} {_NOT_TRUSTED}: {anchor.public_key}"
    if not is_signed_by(anchor.public_key, anchor_statement(anchor.position, anchor.hash), anchor.signature):
        return f"the anchor at position {anchor.position} was moved or edited: its signature does not hold"
    first = session.scalar(_FIRST_SEAL)
    if first is None:  # the newest batch is never archived
        return f"everything after the anchor at position {anchor.position} was removed"
    return (
        f"an entry was inserted before the anchor at position {anchor.position}" if first <= anchor.position else None
    )


def _problem_of_archived(external: ExternalHead, position: int, hash_: bytes) -> str | None:
    """What is wrong with a head that lies at the chain's start or before it."""
    if external.position < position:
        return (
            f"position {external.position} was archived, the chain begins after {position}: "
            "check the head against the archive"
        )
    return _rewritten(external) if external.position == position and external.hash != hash_.hex() else None


def _rewritten(external: ExternalHead) -> str:
    return f"the head at position {external.position} is not the one that was kept elsewhere: the chain was rewritten"


def _problem_of_head(head: Row[Any], hash_: bytes, trusted: Collection[str] | None) -> str | None:
    if trusted is not None and head.public_key not in trusted:
        return f"the head at position {head.position} {_NOT_TRUSTED}: {head.public_key}"
    if head.hash == hash_ and is_signed_by(head.public_key, head_statement(head.position, hash_), head.signature):
        return None
    return f"the signature over positions {head.first} to {head.position} does not hold: one of them was edited"


def _found(
    sealed: int, head: bytes, problem: str, *, entry_id: str | None = None, position: int | None = None
) -> Verification:
    return Verification(sealed=sealed, head=head.hex(), problem=problem, entry_id=entry_id, position=position)


_HEADS = select(_HEAD).where(_HEAD.c.position > bindparam("after"), _HEAD.c.position <= bindparam("upto"))
_NEWEST_HEAD = select(_HEAD.c.first, _HEAD.c.position).order_by(_HEAD.c.position.desc()).limit(1)
_SEAL_AT = select(_SEAL.c.hash).where(_SEAL.c.position == bindparam("position"))
_FIRST_SEAL = select(func.min(_SEAL.c.position))
_PAGE = (
    select(_SEAL.c.position, _SEAL.c.entry_id, _SEAL.c.hash, _ENTRY)
    .outerjoin(_ENTRY, _ENTRY.c.id == _SEAL.c.entry_id)
    .where(_SEAL.c.position > bindparam("after"), _SEAL.c.position <= bindparam("upto"))
    .order_by(_SEAL.c.position)
    .limit(bindparam("most"))
)
_INSERTED = (
    select(_ENTRY.c.id)
    .where(_ENTRY.c.id < bindparam("floor"), ~exists().where(_SEAL.c.entry_id == _ENTRY.c.id))
    .order_by(_ENTRY.c.id)
    .limit(1)
)
