"""The audit as lines of JSON, with the proof in them: somebody else can verify it with the public key alone."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from bridge.audit.anchor import anchor_of, start_of
from bridge.audit.seal import LAST, entry_statement
from bridge.tables import AuditEntryRow, AuditHeadRow, AuditSealRow, core

_ENTRY = core(AuditEntryRow)
_SEAL = core(AuditSealRow)
_HEAD = core(AuditHeadRow)

PAGE = 1000


def exported(session: Session, public_key: str, *, upto: int = LAST) -> Iterator[bytes]:
    """Lines, each one JSON object with a newline: first `{export, publicKey, after: {position, hash}}`, then every
    sealed entry as `{position, hash, entry}` and, after the last entry of its batch, each head as
    `{head, signature, publicKey}`; to position `upto`, or to the end.

    To check it: hash n is SHA-256 over hash n-1 (that of `after` before the first: 32 zero bytes, or what was archived)
    and the entry as JSON with sorted keys and no blanks; a signature is Ed25519 over `{"hash":…,"position":…}`, written
    in the same way.
    """
    after, hash_ = start_of(anchor_of(session))
    yield _line(
        {
            "export": "genesys-bridge audit 1",
            "publicKey": public_key,
            "after": {"position": after, "hash": hash_.hex()},
        }
    )
    heads = {row.position: row for row in session.execute(select(_HEAD).where(_HEAD.c.position <= upto))}
    while True:
        page = session.execute(
            select(_SEAL.c.position, _SEAL.c.hash, _ENTRY)
            .join(_ENTRY, _ENTRY.c.id == _SEAL.c.entry_id)
            .where(_SEAL.c.position > after, _SEAL.c.position <= upto)
            .order_by(_SEAL.c.position)
            .limit(PAGE)
        ).all()
        for row in page:
            yield _line({"position": row.position, "hash": row.hash.hex(), "entry": entry_statement(row._mapping)})
            if (head := heads.get(row.position)) is not None:
                statement = {"position": head.position, "hash": head.hash.hex()}
                yield _line({"head": statement, "signature": head.signature, "publicKey": head.public_key})
        if len(page) < PAGE:
            return
        after = page[-1].position


def _line(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
