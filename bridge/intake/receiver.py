"""From a request to a committed event and its answer. It may not know Flask, or who will hear of the event."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from bridge import signals
from bridge.clock import Clock
from bridge.errors import (
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TemporarilyUnavailable,
    TooManyRequests,
)
from bridge.events import Event
from bridge.intake import strict_json
from bridge.intake.arrivals import Arrival, Receipt
from bridge.intake.backlog import Backlog
from bridge.intake.canonical import content_hash, delivery_key, document_key, lasting
from bridge.intake.peers import is_in, peer_address
from bridge.intake.reading import read_events
from bridge.intake.rejections import RejectionLog
from bridge.intake.request import Request
from bridge.intake.shared_commits import SharedCommits
from bridge.intake.sources import Source
from bridge.intake.tracing import correlation_id, traceparent
from bridge.settings.model import ServerSettings

#: Visible ASCII without the comma, by which servers join repeated fields.
_DELIVERY_ID = re.compile(r"[!-+\--~]{1,255}")


@dataclass(frozen=True)
class Answer:
    """What a request that was taken is answered: a status and a JSON body."""

    status: int
    body: bytes


class Receiver:
    """Takes requests for every source. Safe for threads; one per process."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        *,
        server: ServerSettings,
        commits: SharedCommits,
        backlog: Backlog,
        rejections: RejectionLog,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._server = server
        self._commits = commits
        self._backlog = backlog
        self._rejections = rejections
        self._clock = clock

    def receive(self, name: str, environ: Mapping[str, Any]) -> Answer:
        """Take one request to the source `name`: its answer, after its commit. Raises the Refusal that answers it."""
        source = self._sources.get(name)
        if source is None:
            # Not counted under the name that was asked for: anybody can make up any number of them.
            self._rejections.count(source="unknown", cause="unknown-source")
            raise NotFound("There is no such source; check the last part of the path.", cause="unknown-source")
        request = Request(environ, max_body_bytes=self._server.max_body_bytes)
        try:
            return self._take(source, request)
        except Refusal as refusal:
            self._reject(source, request, refusal)
            raise

    def stop(self) -> None:
        """Commit what is waiting and end the threads."""
        self._commits.stop()
        self._backlog.stop()

    def _take(self, source: Source, request: Request) -> Answer:
        """The story of one request, in the order of refusals of spec part 9."""
        request.check_method()
        body = request.body.read()
        request.check_media()
        self._check_peer(source, request)
        _check_rate(source)
        now = self._clock.now()
        source.verify(request, body, now)
        request.verified_body = body
        self._backlog.check()
        document = strict_json.parse(body)
        try:
            events = read_events(source.format, document, source=source.name)
        except Invalid as invalid:
            self._record(source, request, [_unreadable(source, document)], now, invalid=invalid)
            raise
        receipts = self._record(source, request, _with_delivery_id(source, request, events), now)
        return _answer(receipts, source)

    def _check_peer(self, source: Source, request: Request) -> None:
        allowed = source.settings.allow_from
        if allowed and not is_in(peer_address(request.environ, self._server.trusted_proxies), allowed):
            raise Forbidden("This source is not open to your address.", cause="address")

    def _record(
        self,
        source: Source,
        request: Request,
        events: Sequence[Event],
        now: datetime,
        *,
        invalid: Invalid | None = None,
    ) -> list[Receipt]:
        """Commit the events (unreadable ones with what is wrong), and tell somebody of what contradicts itself."""
        correlation, trace = correlation_id(request.environ), traceparent(request.environ)
        receipts = self._commits.submit(
            [
                Arrival(
                    event=event,
                    source=source.name,
                    body=request.verified_body or b"",
                    received_at=now,
                    correlation_id=correlation,
                    traceparent=trace,
                    state="recorded" if invalid is None else "unreadable",
                    errors=() if invalid is None else invalid.errors,
                )
                for event in events
            ]
        )
        for receipt in receipts:
            if receipt.conflicting:
                signals.needs_attention.send(
                    Receiver,
                    cause="delivery-id-reused",
                    destination=None,
                    subject=None,
                    message=f"Source {source.name} sent the delivery id of event {receipt.event_id} again, with "
                    "another body; the first one stands.",
                )
        return receipts

    def _reject(self, source: Source, request: Request, refusal: Refusal) -> None:
        """Keep or count what was refused; what is not of the format is kept as an unreadable event already."""
        if isinstance(refusal, Invalid):
            return
        if isinstance(refusal, (TooManyRequests, TemporarilyUnavailable)) or self._backlog.is_full:
            self._rejections.count(source=source.name, cause=refusal.cause)
            return
        address = peer_address(request.environ, self._server.trusted_proxies)
        self._rejections.keep(
            source=source.name,
            cause=refusal.cause,
            status=refusal.status,
            address=str(address) if address is not None else "unknown",
            size=request.body.size,
            body=request.verified_body,
        )


def _check_rate(source: Source) -> None:
    if source.bucket is not None and (wait := source.bucket.take()) > 0:
        raise TooManyRequests(
            "This source sends more per second than was agreed.", retry_after=math.ceil(wait), cause="rate"
        )


def _with_delivery_id(source: Source, request: Request, events: Sequence[Event]) -> Sequence[Event]:
    """Give events that carry no delivery id of their own the request's `webhook-id`, where it has one."""
    given = request.environ.get("HTTP_WEBHOOK_ID")
    if not given or not _DELIVERY_ID.fullmatch(given):
        return events
    return [
        event
        if event.delivery_key is not None
        else replace(event, delivery_key=delivery_key(source.name, f"{given}\n{place}" if place else given))
        for place, event in enumerate(events)
    ]


def _unreadable(source: Source, document: object) -> Event:
    """The stand-in for a document that is not of its format. It has keys of its own: once it can be read, after an
    upgrade, the same document is no repeat of it."""
    return Event(
        type="unreadable",
        subject=f"unreadable:{content_hash(document)}",
        payload={},
        content_key=document_key(source.name, ["unreadable", lasting(document)]),
    )


def _answer(receipts: Sequence[Receipt], source: Source) -> Answer:
    told = [
        {
            "id": receipt.event_id,
            "type": receipt.type,
            "subject": receipt.subject,
            "duplicate": receipt.duplicate,
            "deliveries": receipt.deliveries,
        }
        for receipt in receipts
    ]
    status = 200 if all(receipt.duplicate for receipt in receipts) else source.settings.success_status
    return Answer(status, orjson.dumps(told[0] if len(told) == 1 else {"events": told}))
