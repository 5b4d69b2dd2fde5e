"""All SQL of which secret wraps which key. It may not wrap or unwrap one.

Statements are built once; functions take a session and never commit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from bridge.privacy.data_keys import KeyOnFile
from bridge.tables import DataKeyRow, core

_KEY = core(DataKeyRow)


@dataclass(frozen=True, kw_only=True)
class NewWrapping:
    """A key's wrapping under another secret; `before` is the one that it takes the place of."""

    key_id: str
    before: bytes
    wrapped: bytes
    wrapped_by: str


def secrets_in_use(session: Session) -> list[str]:
    """Fingerprints of the secrets that living keys are wrapped by: one look at the index for each."""
    found: list[str] = []
    while (name := session.scalar(_NEXT_SECRET, {"after": found[-1] if found else ""})) is not None:
        found.append(name)
    return found


def missing_secrets(session: Session, known: Collection[str]) -> list[str]:
    """Those of them that are not among `known`: what they wrap cannot be read."""
    return [name for name in secrets_in_use(session) if name not in known]


def keys_wrapped_by(session: Session, secret: str, *, after: str, upto: str, most: int) -> Sequence[KeyOnFile]:
    """A page of the living keys that are wrapped by a secret, after an id, up to another one, in their order."""
    return session.execute(_WRAPPED_BY, {"secret": secret, "after": after, "upto": upto, "most": most}).all()


def count_wrapped_by(session: Session, secrets: Collection[str]) -> int:
    """How many living keys are."""
    return session.scalars(_COUNT, {"secrets": list(secrets)}).one()


def wrap_anew(session: Session, wrappings: Sequence[NewWrapping]) -> int:
    """Store the wrappings of those keys that are as they were read; how many: others were erased, or done, since."""
    rows = [{"key": one.key_id, "was": one.before, "new": one.wrapped, "by": one.wrapped_by} for one in wrappings]
    # One by one: the number of rows that many changed at once is not told by every driver.
    return sum(session.execute(_WRAP_ANEW, row).first() is not None for row in rows)


_is_alive = _KEY.c.wrapped.is_not(None)
_NEXT_SECRET = (
    select(_KEY.c.wrapped_by)
    .where(_is_alive, _KEY.c.wrapped_by > bindparam("after"))
    .order_by(_KEY.c.wrapped_by)
    .limit(1)
)
_WRAPPED_BY = (
    select(_KEY.c.id, _KEY.c.scope, _KEY.c.wrapped, _KEY.c.wrapped_by)
    .where(_is_alive, _KEY.c.wrapped_by == bindparam("secret"), _KEY.c.id > bindparam("after"))
    .where(_KEY.c.id <= bindparam("upto"))
    .order_by(_KEY.c.id)
    .limit(bindparam("most"))
)
_COUNT = select(func.count()).where(_is_alive, _KEY.c.wrapped_by.in_(bindparam("secrets", expanding=True)))
# Guarded by what was read, so that it waits for nobody and brings no key back that was erased meanwhile.
_WRAP_ANEW = (
    update(_KEY)
    .where(_KEY.c.id == bindparam("key"), _KEY.c.wrapped == bindparam("was"))
    .values(wrapped=bindparam("new"), wrapped_by=bindparam("by"))
    .returning(_KEY.c.id)
)
