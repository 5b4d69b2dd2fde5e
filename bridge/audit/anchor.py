"""The anchor: where the chain begins once its oldest entries were archived. It may not write the archive.

Only whole sealed batches go, and never the newest. The anchor is signed by itself, over other words than a head:
otherwise whoever has the database could remove some batches more and call the head of the last one the anchor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, func, insert, select
from sqlalchemy.orm import Session

from bridge.audit.seal import GENESIS
from bridge.audit.signing import AuditSigner
from bridge.tables import AuditAnchorRow, AuditEntryRow, AuditHeadRow, AuditSealRow, core

_ANCHOR = core(AuditAnchorRow)
_ENTRY = core(AuditEntryRow)
_HEAD = core(AuditHeadRow)
_SEAL = core(AuditSealRow)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One sealed batch that may go: the places of its first and last entry, and the last one's hash."""

    first: int
    last: int
    hash: bytes


def anchor_of(session: Session) -> Row[Any] | None:
    """The anchor (`position`, `hash`, `public_key`, `signature`); None where nothing was ever removed."""
    return session.execute(_NEWEST).one_or_none()


def start_of(anchor: Row[Any] | None) -> tuple[int, bytes]:
    """Position and hash that the first entry of the chain follows."""
    return (0, GENESIS) if anchor is None else (anchor.position, anchor.hash)


def anchor_statement(position: int, hash_: bytes) -> dict[str, object]:
    """What is signed."""
    return {"anchor": position, "hash": hash_.hex()}


def batches_sealed_until(session: Session, until: datetime, *, most: int) -> list[Batch]:
    """The oldest batches, `most` of them, that were sealed at `until` (aware) or before; never the newest of all.

    An entry is sealed at most about an hour after it was written, so that it is at least as old.
    """
    newest = session.scalar(_NEWEST_HEAD)
    batches = []
    for head in session.execute(_OLDEST_HEADS, {"most": most}):
        if head.at > until or head.position == newest:
            break
        batches.append(Batch(first=head.first, last=head.position, hash=head.hash))
    return batches


def remove_batches(session: Session, batches: Sequence[Batch], signer: AuditSigner, *, now: datetime) -> int:
    """Move the anchor to the end of `batches`, the oldest that there are, and remove them; returns how many entries.

    The caller has written them to a file that lasts. Two that remove the same at once want the same anchor: the second
    fails on the primary key, and rolls back.
    """
    end = batches[-1]
    signature = signer.sign(anchor_statement(end.last, end.hash))
    session.execute(
        insert(_ANCHOR),
        {
            "position": end.last,
            "at": now,
            "hash": end.hash,
            "public_key": signature["publicKey"],
            "signature": signature["value"],
        },
    )
    place = {"last": end.last}
    removed = len(session.execute(_REMOVE_ENTRIES, place).all())
    for statement in (_REMOVE_SEALS, _REMOVE_HEADS, _REMOVE_OLDER_ANCHORS):
        session.execute(statement, place)
    return removed


_NEWEST = select(_ANCHOR).order_by(_ANCHOR.c.position.desc()).limit(1)
_NEWEST_HEAD = select(func.max(_HEAD.c.position))
_OLDEST_HEADS = select(_HEAD).order_by(_HEAD.c.position).limit(bindparam("most"))
_archived = _SEAL.c.position <= bindparam("last")
_REMOVE_ENTRIES = (
    delete(_ENTRY).where(_ENTRY.c.id.in_(select(_SEAL.c.entry_id).where(_archived))).returning(_ENTRY.c.id)
)
_REMOVE_SEALS = delete(_SEAL).where(_archived)
_REMOVE_HEADS = delete(_HEAD).where(_HEAD.c.position <= bindparam("last"))
_REMOVE_OLDER_ANCHORS = delete(_ANCHOR).where(_ANCHOR.c.position < bindparam("last"))
