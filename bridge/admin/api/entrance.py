"""The API's entrance: who is calling, and what a call is handed. It may not know any operation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, Request, current_app
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from bridge.admin.access import READS_ARE_NOTED, Caller, Right
from bridge.admin.lookout import Lookout
from bridge.admin.reparsing import Reparser
from bridge.admin.throttle import WrongTokens
from bridge.admin.tokens import authenticate, note_use, use_is_noted
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import Clock
from bridge.commands.room import CommandRoom
from bridge.database import Database
from bridge.errors import TooManyRequests, Unauthenticated
from bridge.intake.peers import peer_address
from bridge.keeping.erasure import Erasures
from bridge.outbox.selection import Wants
from bridge.privacy.holds import LegalHolds
from bridge.privacy.masking import Masking
from bridge.privacy.vault import Vault
from bridge.settings.model import Network

_EXTENSION = "bridge-admin"


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """What the API is built over, once per app."""

    database: Database
    clock: Clock
    masking: Masking
    notes: AuditNotes
    #: Opens the bodies that are kept.
    vault: Vault
    #: Each destination's answer to "would you be owed this event today?".
    wanted: Mapping[str, Wants]
    #: Base64: what the audit's heads are signed with.
    public_key: str
    #: Those that may have signed: this one, and those from before.
    trusted_keys: Collection[str]
    trusted_proxies: Sequence[Network]
    wrong_tokens: WrongTokens
    #: Where commands are given.
    commands: CommandRoom
    holds: LegalHolds
    erasures: Erasures
    #: How destinations and sources are doing.
    lookout: Lookout
    #: Reads again what could not be read.
    reparser: Reparser


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request by somebody who proved who they are, and may."""

    rooms: Rooms
    caller: Caller
    now: datetime

    def note(
        self, session: Session, action: str, subject: str, *, reason: str | None = None, **details: object
    ) -> None:
        """Note in the audit what the caller does, in the transaction that does it."""
        entry = AuditEntry(actor=self.caller.actor, action=action, subject=subject, reason=reason, details=details)
        self.rooms.notes.write(session, [entry], self.now)


def install_rooms(app: Flask, rooms: Rooms) -> None:
    """Keep `rooms` with `app`, for `admit`."""
    app.extensions[_EXTENSION] = rooms


def installed_rooms(app: Flask) -> Rooms:
    """What `install_rooms` has kept with `app`."""
    rooms: Rooms = app.extensions[_EXTENSION]
    return rooms


def admit(request: Request, right: Right) -> Call:
    """The call that `request` makes. Raises Unauthenticated, TooManyRequests after many wrong tokens, Forbidden."""
    rooms = installed_rooms(current_app)
    now = rooms.clock.now()
    caller = recognise(rooms, request.headers.get("Authorization"), request.environ, now)
    caller.require(right)
    return Call(rooms=rooms, caller=caller, now=now)


def recognise(rooms: Rooms, header: str | None, environ: Mapping[str, Any], now: datetime) -> Caller:
    """Whose token `header`, the value of `Authorization`, holds; its use is noted.

    Raises Unauthenticated; TooManyRequests after many wrong tokens from the address in `environ` (WSGI).
    """
    try:
        with rooms.database.read() as session:
            caller = authenticate(session, header, now)
    except Unauthenticated as refused:
        # Only after the look-up: a right token passes from any address, so nobody can lock another out.
        if refused.cause != "token-missing":
            _throttle(rooms, environ)
        raise
    if not use_is_noted(caller, now):
        # A database that is full or busy may not keep an administrator from looking.
        with suppress(OperationalError), rooms.database.write() as session:
            note_use(session, caller, now)
    return caller


def note_read(call: Call, request: Request) -> None:
    """Note what was looked at, for callers whose looks are noted."""
    if call.caller.role in READS_ARE_NOTED:
        with call.rooms.database.write() as session:
            call.note(session, "access.read", request.path, query=request.args.to_dict())


def _throttle(rooms: Rooms, environ: Mapping[str, Any]) -> None:
    address = peer_address(environ, rooms.trusted_proxies)
    wait = rooms.wrong_tokens.count(str(address))
    if wait:
        raise TooManyRequests("too many wrong tokens came from your address", retry_after=wait, cause="wrong-tokens")
