"""What operators do with a destination: pause it, resume it, try it out, see what it would be sent.

It may not send a delivery: what a trial sends is owed to nobody, and leaves no row but its audit entry.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from bridge.admin.reasons import check_reason
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import Clock
from bridge.destinations.forwarder import RequestPreview, shown_url
from bridge.destinations.registry import Forwarder
from bridge.errors import Conflict, NotFound
from bridge.events import RecordedEvent
from bridge.outbox.contract import Delivered, Outcome, Rejected, RetryLater
from bridge.outbox.ledger.pause import pause, resume
from bridge.privacy.masking import Masking
from bridge.settings.model import DestinationSettings, Settings


@dataclass(frozen=True, kw_only=True)
class KnownDestination:
    """A destination as the configuration has it."""

    name: str
    kind: str
    #: Without the values of its query, which may hold a key.
    url: str | None
    #: `paused = true` in the configuration: no worker sends to it.
    is_disabled: bool
    forwarder: Forwarder
    #: Held while it is tried out: a trial takes a thread of the web process for as long as the receiver likes.
    busy: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What came of one trial; everything in it is masked."""

    outcome: Literal["delivered", "retry_later", "rejected"]
    status: int | None
    error: str | None
    error_class: str | None
    answer_excerpt: str | None
    duration_ms: int
    sent_bytes: int | None
    sent_sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an event would become. `owed`: whether the destination would be owed it today."""

    owed: bool
    method: str
    url: str
    #: Secrets are replaced by `…`.
    headers: Mapping[str, str]
    body: object


def known_destinations(settings: Settings, forwarders: Mapping[str, Forwarder]) -> dict[str, KnownDestination]:
    """Every destination of the bridge, in the order of the configuration."""
    known = {}
    for name, forwarder in forwarders.items():
        # Only `genesys` may be there without a table of its own.
        one = settings.destinations.get(name, DestinationSettings(name=name, kind=name))
        url = None if one.url is None else shown_url(one.url)
        known[name] = KnownDestination(name=name, kind=one.kind, url=url, is_disabled=one.paused, forwarder=forwarder)
    return known


def destination_named(known: Mapping[str, KnownDestination], name: str) -> KnownDestination:
    """Raises NotFound."""
    if name not in known:
        raise NotFound(f"no destination has this name; known: {', '.join(known) or 'none is configured'}")
    return known[name]


def pause_destination(
    session: Session, one: KnownDestination, *, reason: str, actor: str, now: datetime, notes: AuditNotes
) -> None:
    """Send it nothing from now on; what is being sent ends. Raises Conflict where it is paused already, Invalid."""
    check_reason(reason)
    if not pause(session, one.name, reason=notes.masked(reason), actor=actor, now=now, notes=notes):
        raise Conflict(f"destination {one.name} is paused already")


def resume_destination(
    session: Session, one: KnownDestination, *, reason: str, actor: str, now: datetime, notes: AuditNotes
) -> None:
    """Send it again what it is owed. Raises Conflict where it is not paused, or by the configuration; Invalid."""
    check_reason(reason)
    if not resume(session, one.name, reason=reason, actor=actor, now=now, notes=notes):
        way_out = "; the configuration switches it off (paused = true)" if one.is_disabled else ""
        raise Conflict(f"destination {one.name} is not paused{way_out}")


def try_destination(one: KnownDestination, clock: Clock) -> Trial:
    """Send one harmless request and say what came of it; takes as long as the destination's timeout at most.

    No session may be open meanwhile. Follow it with `note_trial`. Raises Conflict while somebody else tries it out.
    """
    if not one.busy.acquire(blocking=False):
        raise Conflict(f"destination {one.name} is being tried out right now; wait for what comes of it")
    began = clock.monotonic()
    try:
        outcome = one.forwarder.try_out()
    finally:
        one.busy.release()
    return _trial(outcome, max(0, round((clock.monotonic() - began) * 1000)))


def note_trial(
    session: Session,
    one: KnownDestination,
    trial: Trial,
    *,
    reason: str | None,
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> None:
    """Note who tried it, and what came of it."""
    details = {
        "name": one.name,
        "outcome": trial.outcome,
        "status": trial.status,
        "error": trial.error,
        "durationMs": trial.duration_ms,
    }
    subject = f"destination:{one.name}"
    entry = AuditEntry(actor=actor, action="destination.tested", subject=subject, reason=reason, details=details)
    notes.write(session, [entry], now)


def preview_request(one: KnownDestination, event: RecordedEvent, masking: Masking | None) -> Preview:
    """What `event` would become for it; the body is masked where `masking` is given. Nothing is sent.

    Raises Invalid where it becomes no request.
    """
    request: RequestPreview = one.forwarder.preview(event)
    body = request.body if masking is None else masking.tree(request.body)
    owed = one.forwarder.wants(event) is not None
    return Preview(owed=owed, method=request.method, url=request.url, headers=request.headers, body=body)


def _trial(outcome: Outcome, duration_ms: int) -> Trial:
    exchange = outcome.exchange
    trial = Trial(
        outcome="delivered",
        status=exchange.status,
        error=None,
        error_class=None,
        answer_excerpt=exchange.answer_excerpt,
        duration_ms=duration_ms,
        sent_bytes=exchange.sent_bytes,
        sent_sha256=exchange.sent_sha256,
    )
    match outcome:
        case RetryLater(reason=error, error_class=kind):
            return replace(trial, outcome="retry_later", error=error, error_class=kind)
        case Rejected(reason=error, error_class=kind):
            return replace(trial, outcome="rejected", error=error, error_class=kind)
        case Delivered():
            return trial
    raise TypeError("a trial has one step: it never waits")
