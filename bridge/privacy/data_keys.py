"""All SQL of data keys: got or made for who records, destroyed, removed. It may not seal or open a body.

Who records holds the keys that it seals with (FOR KEY SHARE) until its commit; who destroys or removes one waits for
that, and who records after that makes a new one. On SQLite the write transaction does it. Statements are built once;
functions take a session and never commit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Insert, Row, bindparam, delete, exists, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from bridge.clock import new_id
from bridge.tables import CustomerSubjectRow, DataKeyRow, EventRow, core

_KEY = core(DataKeyRow)
_EVENT = core(EventRow)
_CUSTOMER = core(CustomerSubjectRow)

#: A row of `_ALIVE`: id, scope, wrapped, wrapped_by.
KeyOnFile: TypeAlias = Row[*tuple[Any, ...]]

#: Scopes that are never destroyed, so that nobody has to wait for them: every recorder would hold the same row.
SOURCE, INDEX = "source:", "index:"
CUSTOMERS = INDEX + "customers"
_WITHOUT_SUBJECT = ("unknown:", "unreadable:")


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """A key before it is on file."""

    id: str
    scope: str
    wrapped: bytes
    wrapped_by: str
    created_at: datetime


def scope_of(subject: str, source: str) -> str:
    """Whose key seals an event: its subject's; its source's where what it is about is not known."""
    return source_scope(source) if subject.startswith(_WITHOUT_SUBJECT) else subject


def source_scope(source: str) -> str:
    return SOURCE + source


def is_lasting(scope: str) -> bool:
    """True where a key is needed by others as well, and so is never destroyed."""
    return scope.startswith((SOURCE, INDEX))


def alive(session: Session, scopes: Collection[str]) -> list[KeyOnFile]:
    """The keys that seal for `scopes`, of those that have one; held for the rest of the transaction."""
    lasting = [scope for scope in scopes if is_lasting(scope)]
    found: list[KeyOnFile] = []
    if lasting:
        found += session.execute(_ALIVE, {"scopes": lasting}).all()
    if len(lasting) < len(scopes):
        found += session.execute(_HOLD_ALIVE, {"scopes": [one for one in scopes if one not in lasting]}).all()
    return found


def put_on_file(session: Session, keys: Sequence[NewKey]) -> bool:
    """Insert the keys; False where somebody else was faster for one of them: read once more which are alive."""
    # Always in the order of their scopes: two writers that wait for each other's uncommitted keys would deadlock.
    rows = [vars(key) for key in sorted(keys, key=lambda key: key.scope)]
    connection = session.connection()
    return connection.execute(_INSERT[connection.dialect.name], rows).rowcount == len(rows)


def remove_unused(session: Session, key_ids: Sequence[str]) -> None:
    """Remove keys that this transaction made and then had no event for."""
    session.execute(_REMOVE, {"keys": list(key_ids)})


def take_from_recorders(session: Session, subject: str) -> list[str]:
    """Wait until nobody records under the key of `subject`, and let nobody begin; its id, or none.

    What they had recorded is committed then, and seen by the next statement.
    """
    return list(session.scalars(_LOCK_ALIVE, {"subject": subject}))


def destroy(session: Session, key_ids: Sequence[str], *, now: datetime) -> None:
    """Destroy keys that the transaction has taken from the recorders."""
    if key_ids:
        session.execute(_DESTROY, {"keys": list(key_ids), "now": now})


def file_destroyed(session: Session, subject: str, *, now: datetime) -> str:
    """A key that never was: what plain rows of an erased subject name, so that they read as erased; its id."""
    key_id = new_id()
    session.execute(insert(_KEY), {"id": key_id, "scope": subject, "created_at": now, "destroyed_at": now})
    return key_id


def remove_without_events(session: Session, used: Collection[tuple[str, str]]) -> int:
    """Remove those of the keys (`(subject, key_id)` of events that were just forgotten) that sealed nothing else.

    A key that somebody records with right now stays: it goes with that event.
    """
    if not used:
        return 0
    # Two statements, so that the second sees what was committed before the first got its locks.
    locked = set(session.scalars(_LOCK_REMOVABLE, {"keys": sorted({key_id for _, key_id in used})}))
    gone = [
        {"of_subject": subject, "key": key_id}
        for subject, key_id in sorted(used)
        if (key_id in locked or subject.startswith(_WITHOUT_SUBJECT))
        and not session.scalar(_IN_USE, {"subject": subject, "key": key_id})
    ]
    if gone:
        session.execute(_FORGET_CUSTOMERS, gone)
    removable = sorted(locked & {one["key"] for one in gone})
    if removable:
        session.execute(_REMOVE, {"keys": removable})
    return len(removable)


def _insert_or_leave(dialect_insert: Any) -> Insert:
    statement: Insert = dialect_insert(_KEY).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return statement


_is_alive = _KEY.c.wrapped.is_not(None)
_ALIVE = select(_KEY.c.id, _KEY.c.scope, _KEY.c.wrapped, _KEY.c.wrapped_by).where(
    _KEY.c.scope.in_(bindparam("scopes", expanding=True)), _is_alive
)
# In the order of their scopes, as an erasure of several takes them.
_HOLD_ALIVE = _ALIVE.order_by(_KEY.c.scope).with_for_update(read=True, key_share=True)
_INSERT = {"sqlite": _insert_or_leave(sqlite_insert), "postgresql": _insert_or_leave(postgresql_insert)}
_REMOVE = delete(_KEY).where(_KEY.c.id.in_(bindparam("keys", expanding=True)))
_LOCK_ALIVE = select(_KEY.c.id).where(_KEY.c.scope == bindparam("subject"), _is_alive).with_for_update()
_DESTROY = (
    update(_KEY)
    .where(_KEY.c.id.in_(bindparam("keys", expanding=True)))
    .values(wrapped=None, wrapped_by=None, destroyed_at=bindparam("now"))
)
_LOCK_REMOVABLE = (
    select(_KEY.c.id)
    .where(
        _KEY.c.id.in_(bindparam("keys", expanding=True)),
        ~or_(_KEY.c.scope.startswith(SOURCE), _KEY.c.scope.startswith(INDEX)),
    )
    .with_for_update(skip_locked=True)
)
_IN_USE = select(exists().where(_EVENT.c.subject == bindparam("subject"), _EVENT.c.key_id == bindparam("key")))
_FORGET_CUSTOMERS = delete(_CUSTOMER).where(
    _CUSTOMER.c.subject == bindparam("of_subject"), _CUSTOMER.c.key_id == bindparam("key")
)
