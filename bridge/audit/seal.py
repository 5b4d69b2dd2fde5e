"""Seals audit entries in batches: a SHA-256 chain with signed heads, behind the transactions that write them.

In-line chaining would make every transaction wait for the one before it (measured: 451 inserts/s instead of 1750).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, func, insert, select
from sqlalchemy.orm import Session

from bridge.audit.signing import AuditSigner, signed_bytes
from bridge.clock import rfc3339
from bridge.tables import AuditEntryRow, AuditHeadRow, AuditSealRow, core

_ENTRY = core(AuditEntryRow)
_SEAL = core(AuditSealRow)
_HEAD = core(AuditHeadRow)

#: The hash before the first.
GENESIS = bytes(32)
#: No position is beyond it.
LAST = 2**63 - 1
BATCH = 2000
#: A batch is begun with that many entries, or with fewer once the oldest has waited so long. Sealing may itself lead
#: to entries (governance hears of it): an idle bridge must not go on sealing its own seals.
ENOUGH = 3
LONGEST_WAIT = timedelta(hours=1)
#: An entry is visible at the latest so long after its id was made: a transaction is ended by the database before.
SETTLES_WITHIN = timedelta(seconds=90)
#: How far the clocks of the machines that make ids may be apart.
CLOCKS_DIFFER_BY = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class SealedBatch:
    """What one step sealed; `last` is the new head's position."""

    first: int
    last: int
    head: bytes
    signature: str

    def as_told(self) -> dict[str, object]:
        """What governance hears: `{from, to, count, head, signature}`."""
        return {
            "from": self.first,
            "to": self.last,
            "count": self.last - self.first + 1,
            "head": self.head.hex(),
            "signature": self.signature,
        }


def seal(session: Session, signer: AuditSigner, *, now: datetime) -> SealedBatch | None:
    """Seal the next batch of entries, in the order of their ids; None where too few wait.

    Two workers that seal at once want the same positions: the second fails on the primary key, and rolls back.
    """
    position, previous = head_of(session)
    place = {"floor": unsealed_from(session), "settled": now - SETTLES_WITHIN, "most": BATCH}
    entries = session.execute(_UNSEALED, place).all()
    if not entries or (len(entries) < ENOUGH and now - entries[0].at < LONGEST_WAIT):
        return None
    seals = []
    for number, entry in enumerate(entries, start=position + 1):
        previous = next_hash(previous, entry._mapping)
        seals.append({"position": number, "entry_id": entry.id, "hash": previous})
    session.execute(insert(_SEAL), seals)
    first, last = position + 1, position + len(seals)
    signature = signer.sign(head_statement(last, previous))
    session.execute(
        insert(_HEAD),
        {
            "position": last,
            "first": first,
            "at": now,
            "hash": previous,
            "public_key": signature["publicKey"],
            "signature": signature["value"],
        },
    )
    return SealedBatch(first=first, last=last, head=previous, signature=signature["value"])


def unsealed_count(session: Session) -> int:
    """How many entries are younger than the newest that is sealed: they are sealed in the order of their ids.

    What is sealed already is not looked at, so that it costs the same however long the audit is. One that a clock which
    is slow has put behind the newest seal is sealed, but not counted.
    """
    newest = session.scalar(_NEWEST_SEALED_ID) or ""
    return int(session.execute(_COUNT_YOUNGER, {"newest": newest}).scalar_one())


def unsealed_from(session: Session) -> str:
    """The id below which everything was sealed or was never here: the newest sealed one's, less what clocks may differ.

    Entries are sealed in the order of their ids, which begin with the time (RFC 9562, section 5.7).
    """
    newest = session.scalar(_NEWEST_SEALED_ID)
    if newest is None:
        return ""
    milliseconds = int(newest[:8] + newest[9:13], 16) - CLOCKS_DIFFER_BY // timedelta(milliseconds=1)
    digits = f"{max(0, milliseconds):012x}"
    return f"{digits[:8]}-{digits[8:]}"


def head_of(session: Session) -> tuple[int, bytes]:
    """Position and hash of the newest seal; (0, GENESIS) before the first."""
    row = session.execute(_NEWEST_SEAL).one_or_none()
    return (0, GENESIS) if row is None else (row.position, row.hash)


def next_hash(previous: bytes, entry: Mapping[Any, Any]) -> bytes:
    """SHA-256 over the hash before and the entry's canonical JSON."""
    return hashlib.sha256(previous + signed_bytes(entry_statement(entry))).digest()


def entry_statement(entry: Mapping[Any, Any]) -> dict[str, object]:
    """An entry as it is hashed and exported."""
    return {
        "id": entry["id"],
        "at": rfc3339(entry["at"]),
        "actor": entry["actor"],
        "action": entry["action"],
        "subject": entry["subject"],
        "reason": entry["reason"],
        "details": entry["details"],
    }


def head_statement(position: int, head: bytes) -> dict[str, object]:
    """What is signed."""
    return {"position": position, "hash": head.hex()}


_sealed = exists().where(_SEAL.c.entry_id == _ENTRY.c.id)
_UNSEALED = (
    select(_ENTRY)
    .where(~_sealed, _ENTRY.c.id >= bindparam("floor"), _ENTRY.c.at <= bindparam("settled"))
    .order_by(_ENTRY.c.id)
    .limit(bindparam("most"))
)
_COUNT_YOUNGER = select(func.count()).select_from(_ENTRY).where(_ENTRY.c.id > bindparam("newest"))
_NEWEST_SEALED_ID = select(_SEAL.c.entry_id).order_by(_SEAL.c.position.desc()).limit(1)
_NEWEST_SEAL = select(_SEAL.c.position, _SEAL.c.hash).order_by(_SEAL.c.position.desc()).limit(1)
