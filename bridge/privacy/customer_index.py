"""All SQL of the index by which erasing a customer finds the subjects. It may not hold a name, only keyed hashes.

Statements are built once; functions take a session and never commit.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Insert, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from bridge.tables import CustomerSubjectRow, core

_CUSTOMER = core(CustomerSubjectRow)


def remember(session: Session, named: Collection[tuple[bytes, str, str]]) -> None:
    """Keep that customers (their hash) are named under a subject, by events that a key seals; once each."""
    if named:
        rows = [{"customer": customer, "subject": subject, "key_id": key} for customer, subject, key in sorted(named)]
        session.execute(_INSERT[session.get_bind().dialect.name], rows)


def subjects_of(session: Session, customer: bytes) -> list[str]:
    """Every subject that names the customer, sorted."""
    return list(session.scalars(_SUBJECTS, {"hash": customer}))


def forget(session: Session, subject: str, key_ids: Collection[str]) -> None:
    """Drop what events of a subject that were sealed with these keys have told."""
    session.execute(_FORGET, {"about": subject, "keys": list(key_ids)})


def _insert_or_leave(dialect_insert: Any) -> Insert:
    statement: Insert = dialect_insert(_CUSTOMER).on_conflict_do_nothing()
    return statement


_INSERT = {"sqlite": _insert_or_leave(sqlite_insert), "postgresql": _insert_or_leave(postgresql_insert)}
_SUBJECTS = (
    select(_CUSTOMER.c.subject)
    .where(_CUSTOMER.c.customer == bindparam("hash"))
    .distinct()
    .order_by(_CUSTOMER.c.subject)
)
_FORGET = delete(_CUSTOMER).where(
    _CUSTOMER.c.subject == bindparam("about"), _CUSTOMER.c.key_id.in_(bindparam("keys", expanding=True))
)
