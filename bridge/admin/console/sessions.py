"""Console sessions: opened with a token, found again, ended. It may not know HTTP, nor store what the browser holds."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from bridge.admin.access import Caller, Role
from bridge.tables import ApiTokenRow, ConsoleSessionRow, core

#: Without a request for so long, or after so long whatever happens, a session is over.
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
#: The last request is noted at most this often: a look should not cost a write.
SEEN_NOTED_EVERY = timedelta(minutes=1)
_SECRET_BYTES = 32

_SESSION = core(ConsoleSessionRow)
_TOKEN = core(ApiTokenRow)


@dataclass(frozen=True, kw_only=True)
class ConsoleSession:
    """A session that runs, and who opened it: as the token says now, not as it said then."""

    caller: Caller
    opened_at: datetime
    #: When the last request was noted.
    seen_at: datetime


def open_session(session: Session, caller: Caller, now: datetime) -> str:
    """Store a new session of `caller`; gives the secret that the browser keeps. Removes all that are over."""
    session.execute(
        delete(_SESSION).where(or_(_SESSION.c.seen_at <= now - IDLE, _SESSION.c.opened_at <= now - LONGEST))
    )
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    row = {"id_hash": _hash(secret), "token_id": caller.token_id, "opened_at": now, "seen_at": now}
    session.execute(insert(_SESSION), row)
    return secret


def find_session(session: Session, secret: str, now: datetime) -> ConsoleSession | None:
    """The session of `secret`; None where it is unknown or over, or its token was revoked or has expired."""
    row = session.execute(_FIND, {"id": _hash(secret)}).one_or_none()
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    if row.seen_at <= now - IDLE or row.opened_at <= now - LONGEST:
        return None
    caller = Caller(
        token_id=row.token_id,
        person=row.person,
        role=Role(row.role),
        destination=row.destination,
        last_used_at=row.last_used_at,
    )
    return ConsoleSession(caller=caller, opened_at=row.opened_at, seen_at=row.seen_at)


def note_seen(session: Session, secret: str, now: datetime) -> None:
    """Let the time that it may be idle begin again."""
    session.execute(_SEEN, {"id": _hash(secret), "now": now})


def end_session(session: Session, secret: str) -> None:
    """End it for every browser and process that knows `secret`; nothing happens where it is over already."""
    session.execute(delete(_SESSION).where(_SESSION.c.id_hash == _hash(secret)))


def form_key(secret: str) -> str:
    """What every form of the session carries: known to its pages alone, and of no use to open it."""
    return hmac.digest(secret.encode(), b"form", "sha256").hex()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


_FIND = (
    select(
        _SESSION.c.token_id,
        _SESSION.c.opened_at,
        _SESSION.c.seen_at,
        *(_TOKEN.c[name] for name in ("person", "role", "destination", "last_used_at", "expires_at", "revoked_at")),
    )
    .join(_TOKEN, _TOKEN.c.id == _SESSION.c.token_id)
    .where(_SESSION.c.id_hash == bindparam("id"))
)
_SEEN = (
    update(_SESSION)
    .where(_SESSION.c.id_hash == bindparam("id"), _SESSION.c.seen_at < bindparam("now"))
    .values(seen_at=bindparam("now"))
)
