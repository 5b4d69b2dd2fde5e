"""Leases on chores that one worker does at a time. It may not know any chore.

A worker that overslept its lease finds its token gone: `keep` and `give_back` raise in the transaction that they stand
in, so that nothing of it is written. What the chore has to remember lies with the lease, for whoever goes on.

Chores whose every statement guards itself (replay steps, overdue lanes, sealing) need none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from bridge.clock import new_id
from bridge.database import upsert
from bridge.errors import LeaseLost
from bridge.tables import ChoreRow, core

_CHORE = core(ChoreRow)
LEASE: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class ChoreLease:
    """The right to do one chore, until somebody else has taken it."""

    name: str
    token: str
    #: What the worker before has left; None before the first run.
    progress: Mapping[str, Any] | None


def is_due(session: Session, name: str, *, now: datetime) -> bool:
    """Whether `take` is worth a write lock: nobody does it, and its time has come."""
    due_at = session.scalar(_DUE_AT, {"chore": name})
    return due_at is None or due_at <= now


def take(session: Session, name: str, *, now: datetime) -> ChoreLease | None:
    """The lease for LEASE from `now` (aware) on; None where another worker has it, or it is not time yet."""
    token = new_id()
    statement = upsert(session, _CHORE).values(name=name, due_at=now + LEASE, lease_token=token)
    taken = session.execute(
        statement.on_conflict_do_update(
            index_elements=[_CHORE.c.name],
            set_={"due_at": statement.excluded.due_at, "lease_token": statement.excluded.lease_token},
            where=_CHORE.c.due_at <= now,
        ).returning(_CHORE.c.progress)
    ).one_or_none()
    return None if taken is None else ChoreLease(name=name, token=token, progress=taken.progress)


def keep(session: Session, lease: ChoreLease, *, progress: Mapping[str, object], now: datetime) -> None:
    """Hold the lease for LEASE from `now` on, and remember `progress`: the fence of the session's transaction.

    Raises LeaseLost where somebody else has taken the chore since; the caller rolls back.
    """
    values = {"chore": lease.name, "token": lease.token, "until": now + LEASE, "stand": progress}
    if session.scalar(_KEEP, values) is None:
        raise LeaseLost(f"another worker has taken {lease.name}")


def give_back(
    session: Session, lease: ChoreLease, *, progress: Mapping[str, object], now: datetime, due_at: datetime
) -> None:
    """End the run; the next is due at `due_at`. A fence as `keep` is. Raises LeaseLost."""
    values = {"chore": lease.name, "token": lease.token, "until": due_at, "stand": progress, "now": now}
    if session.scalar(_GIVE_BACK, values) is None:
        raise LeaseLost(f"another worker has taken {lease.name}")


_DUE_AT = select(_CHORE.c.due_at).where(_CHORE.c.name == bindparam("chore"))
_KEEP = (
    update(_CHORE)
    .where(_CHORE.c.name == bindparam("chore"), _CHORE.c.lease_token == bindparam("token"))
    .values(due_at=bindparam("until"), progress=bindparam("stand"))
    .returning(_CHORE.c.name)
)
_GIVE_BACK = _KEEP.values(lease_token=None, done_at=bindparam("now"))
