"""API tokens `gbr_<id>_<secret>`: made, listed, revoked, recognised. It may not know HTTP, nor keep a secret."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from bridge.admin.access import Caller, Role
from bridge.admin.reasons import check_reason
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import new_id, rfc3339
from bridge.errors import Conflict, FieldError, Invalid, NotFound, Unauthenticated
from bridge.tables import ApiTokenRow

#: The last use is noted at most this often: a read should not cost a write.
USE_NOTED_EVERY = timedelta(minutes=1)
SECRET_BYTES = 32

_BEARER = re.compile(r"(?i:bearer) +gbr_([0-9a-f-]{36})_([A-Za-z0-9_-]{43})")
#: Compared with where no token has the id, so that the answer takes as long.
_NOBODY = bytes(hashlib.sha256().digest_size)


def create_token(
    session: Session,
    *,
    name: str,
    person: str,
    role: str,
    expires_at: datetime | None,
    destination: str | None,
    now: datetime,
    actor: str,
    notes: AuditNotes,
    reason: str | None = None,
) -> tuple[ApiTokenRow, str]:
    """Store a new token and note it. Gives its row and its plaintext, which nobody can ask for again.

    Raises Invalid where the role is unknown, the expiry is not in the future, a destination is given to a role other
    than `sender`, or the reason is blank.
    """
    _check_reason(reason)
    _check(role, expires_at, destination, now)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    row = ApiTokenRow(
        id=new_id(),
        name=name,
        person=person,
        role=role,
        destination=destination,
        secret_hash=_hash(secret),
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
    )
    session.add(row)
    details: dict[str, object] = {
        "tokenId": row.id,
        "name": name,
        "person": person,
        "role": role,
        "destination": destination,
        "expiresAt": expires_at and rfc3339(expires_at),
    }
    _note(session, "token.created", row.id, reason, details, actor, now, notes)
    return row, f"gbr_{row.id}_{secret}"


def list_tokens(session: Session, *, before_id: str | None = None, limit: int = 50) -> list[ApiTokenRow]:
    """Tokens, newest first, revoked and expired ones too."""
    statement = select(ApiTokenRow).order_by(ApiTokenRow.id.desc()).limit(limit)
    if before_id is not None:
        statement = statement.where(ApiTokenRow.id < before_id)
    return list(session.scalars(statement))


def revoke_token(
    session: Session, token_id: str, *, now: datetime, actor: str, notes: AuditNotes, reason: str | None = None
) -> None:
    """End a token at once and note it.

    Raises NotFound; Conflict where it is revoked already; Invalid for a blank reason.
    """
    _check_reason(reason)
    revoked = session.scalar(
        update(ApiTokenRow)
        .where(ApiTokenRow.id == token_id, ApiTokenRow.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(ApiTokenRow.id)
    )
    if revoked is None:
        if session.get(ApiTokenRow, token_id) is None:
            raise NotFound("no token has this id; see GET /api/v1/tokens")
        raise Conflict("the token is revoked already")
    _note(session, "token.revoked", token_id, reason, {"tokenId": token_id}, actor, now, notes)


def authenticate(session: Session, header: str | None, now: datetime) -> Caller:
    """Whose token `header`, the value of `Authorization`, holds. Reads only, compares in constant time.

    Raises Unauthenticated with cause `token-missing`, `token-wrong`, `token-revoked` or `token-expired`.
    """
    if not header:
        raise Unauthenticated("send a token as `Authorization: Bearer gbr_…`", cause="token-missing")
    sent = _BEARER.fullmatch(header)
    row = session.get(ApiTokenRow, sent[1]) if sent else None
    matches = hmac.compare_digest(_hash(sent[2] if sent else ""), row.secret_hash if row else _NOBODY)
    if row is None or not matches:
        raise Unauthenticated("the token is not known; an admin can create one", cause="token-wrong")
    if row.revoked_at is not None:
        raise Unauthenticated("the token was revoked; an admin can create another", cause="token-revoked")
    if row.expires_at is not None and row.expires_at <= now:
        raise Unauthenticated("the token has expired; an admin can create another", cause="token-expired")
    return Caller(
        token_id=row.id,
        person=row.person,
        role=Role(row.role),
        destination=row.destination,
        last_used_at=row.last_used_at,
    )


def use_is_noted(caller: Caller, now: datetime) -> bool:
    """True where the caller's last use is noted recently enough."""
    return caller.last_used_at is not None and caller.last_used_at > now - USE_NOTED_EVERY


def note_use(session: Session, caller: Caller, now: datetime) -> None:
    """Note that the token is used, unless another request has done so within `USE_NOTED_EVERY`."""
    session.execute(
        update(ApiTokenRow)
        .where(
            ApiTokenRow.id == caller.token_id,
            or_(ApiTokenRow.last_used_at.is_(None), ApiTokenRow.last_used_at <= now - USE_NOTED_EVERY),
        )
        .values(last_used_at=now)
        .execution_options(synchronize_session=False)
    )


def _check_reason(reason: str | None) -> None:
    if reason is not None:
        check_reason(reason)


def _check(role: str, expires_at: datetime | None, destination: str | None, now: datetime) -> None:
    errors = []
    if role not in tuple(Role):
        errors.append(FieldError(field="role", rule="enum", message=f"use one of {', '.join(Role)}"))
    if expires_at is not None and expires_at <= now:
        errors.append(FieldError(field="expires_at", rule="range", message="must lie in the future"))
    if destination is not None and role != Role.SENDER:
        message = "only a token of the role sender names the destination whose commands it gives"
        errors.append(FieldError(field="destination", rule="role", message=message))
    if errors:
        raise Invalid("the token cannot be created", errors=errors)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _note(
    session: Session,
    action: str,
    token_id: str,
    reason: str | None,
    details: dict[str, object],
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> None:
    entry = AuditEntry(actor=actor, action=action, subject=f"token:{token_id}", reason=reason, details=details)
    notes.write(session, [entry], now)
