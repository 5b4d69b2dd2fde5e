"""The base of every kind that posts one HTTP request per event. It may not write a row or follow a redirect.

A kind says which events, and which body; everything else of spec 5's "How it is sent" is here.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

import orjson
from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict
from sqlalchemy.orm import Session

from bridge import __version__
from bridge.destinations.answers import judge, judge_trouble
from bridge.destinations.authentication import authentication
from bridge.destinations.deadline import Deadline
from bridge.destinations.samples import TRIAL_EVENT, TRIAL_HEADER, trial_event
from bridge.destinations.signing import signatures
from bridge.destinations.subscription import Subscription
from bridge.destinations.transform import TransformFailed
from bridge.destinations.trouble import Trouble
from bridge.destinations.wiring import (
    Surroundings,
    naming,
    policy_of,
    signing_keys_of,
    transform_of,
    transport_for,
    url_of,
)
from bridge.errors import FieldError, Invalid
from bridge.events import Owed, RecordedEvent
from bridge.outbox.contract import ClaimedDelivery, DeliveryPolicy, Exchange, Outcome, Rejected, RetryLater
from bridge.settings.model import DestinationSettings

USER_AGENT = f"genesys-bridge/{__version__}"
#: What a correlation id of somebody else must look like to be passed on in a header.
_HEADER_SAFE = re.compile(r"[\x21-\x7e]{1,255}")
#: Source: https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
#: Stands in a preview for what is secret, and for what is only known when it is sent.
_HIDDEN = "…"
_LATER = "(set when it is sent)"


@dataclass(frozen=True, kw_only=True)
class RequestPreview:
    """The request that an event would become. `body` is JSON and holds the event's values unmasked."""

    method: str
    #: With the values of its query hidden: some receivers take a key there.
    url: str
    #: Secrets are replaced by `…`.
    headers: Mapping[str, str]
    body: object


class HttpForwarder(ABC):
    """One destination that gets a POST per event. Safe for threads."""

    #: What it takes where the configuration lists nothing.
    default_events: ClassVar[tuple[str, ...]] = ()
    #: The event types that it has a body for; None: every one.
    sendable: ClassVar[frozenset[str] | None] = None
    content_type: ClassVar[str] = "application/json"
    #: The type of the event that `try_out` sends: the one that does the least where a receiver takes it for real.
    trial_type: ClassVar[str] = TRIAL_EVENT

    def __init__(self, settings: DestinationSettings, around: Surroundings) -> None:
        """Raises ConfigurationError where the settings cannot be used."""
        self.settings = settings
        self._policy = policy_of(settings)
        self._masking, self._clock = around.masking, around.clock
        with naming(settings, "events"):
            patterns = self.default_events if settings.events is None else settings.events
            self.subscription = Subscription(settings, patterns=patterns, sendable=self.sendable)
        self._url = url_of(settings)
        self._keys = signing_keys_of(settings)
        self._transform = transform_of(settings)
        self._transport = transport_for(settings, around)
        with naming(settings, "auth"):
            self._authentication = authentication(settings.auth, transport=self._transport, now=around.clock.monotonic)
        content_type = self.content_type if self._transform is None else "application/json"
        self._headers = {"User-Agent": USER_AGENT, "Content-Type": content_type, **settings.headers}

    @abstractmethod
    def body(self, event: RecordedEvent) -> object:
        """What the receiver gets for `event`, as JSON values, before the transform."""

    def kind_headers(self, event: RecordedEvent) -> Mapping[str, str]:
        """What this kind adds to the headers of every kind, over those of the configuration."""
        return {}

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def policy(self) -> DeliveryPolicy:
        return self._policy

    def owe(self, sender: object, *, event: RecordedEvent, session: Session) -> Owed | None:
        """Receiver of the signal `event_recorded`: the delivery that this destination wants, or None."""
        return self.wants(event)

    def wants(self, event: RecordedEvent) -> Owed | None:
        """The same without a signal: would it be owed `event` today?"""
        return self.subscription.owed(event)

    def send(self, delivery: ClaimedDelivery) -> Outcome:
        """Try once, within the destination's timeout."""
        deadline = Deadline(self._policy.timeout, self._clock)
        if not self._can_send(delivery.event.type):
            return Rejected(reason=self._no_request_for(delivery.event.type), error_class="event")
        try:
            body = self._encoded(delivery.event)
        except TransformFailed as failed:  # a person mends the expression; until then nothing is given up
            return RetryLater(reason=str(failed), error_class="transform", slow=True)
        return self._exchange(delivery.event, delivery.webhook_id, body, deadline)

    def try_out(self) -> Outcome:
        """Send `samples.trial_event` once, with `X-Bridge-Test: true`, as deliveries are sent; owed to nobody."""
        deadline = Deadline(self._policy.timeout, self._clock)
        if not self._can_send(self.trial_type):
            return Rejected(reason=self._no_request_for(self.trial_type), error_class="event")
        event = trial_event(self.trial_type, self._clock.now())
        try:
            body = self._encoded(event)
        except TransformFailed:  # it is about real events, of which this one has nothing
            body = orjson.dumps(self.body(event))
        return self._exchange(event, f"test_{event.id}", body, deadline, TRIAL_HEADER)

    def preview(self, event: RecordedEvent) -> RequestPreview:
        """The request that `event` would become; nothing is sent, and no token fetched.

        Raises Invalid where this kind has no request for it, or the transform gives none.
        """
        if not self._can_send(event.type):
            raise _no_preview("type", self._no_request_for(event.type))
        try:
            body = self._encoded(event)
        except TransformFailed as failed:
            raise _no_preview("transform", str(failed)) from None
        proof = dict.fromkeys(self._authentication.header_names, _HIDDEN)
        request = self._request(event, _LATER, body, proof)
        shown = {"webhook-timestamp": _LATER, "webhook-signature": _HIDDEN}
        shown |= dict.fromkeys((name.lower() for name in self.settings.headers), _HIDDEN)
        return RequestPreview(
            method="POST",
            url=shown_url(self._url),
            headers={name: shown.get(name.lower(), text) for name, text in _texts(request)},
            body=orjson.loads(body),
        )

    def close(self) -> None:
        """Close the connections that wait; those in use close when their try ends."""
        self._transport.close()

    def _exchange(
        self,
        event: RecordedEvent,
        webhook_id: str,
        body: bytes,
        deadline: Deadline,
        marks: Mapping[str, str] = MappingProxyType({}),
    ) -> Outcome:
        sent = Exchange(sent_bytes=len(body), sent_sha256=hashlib.sha256(body).hexdigest())
        try:
            proof = self._authentication.headers(deadline)
            request = self._request(event, webhook_id, body, {**proof, **marks})
            response = self._transport.send_within(request, deadline)
        except Trouble as trouble:
            return judge_trouble(trouble, sent if trouble.sent else Exchange())
        if response.status_code == 401:
            self._authentication.refused(proof)
        answer = response.content
        return judge(
            replace(
                sent,
                status=response.status_code,
                answer_excerpt=self._masking.excerpt(answer) if answer else None,
            ),
            headers=response.headers,
            now=self._clock.now(),
            retry_on=self.settings.retry_on,
            reject_on=self.settings.reject_on,
        )

    def _can_send(self, event_type: str) -> bool:
        return self.sendable is None or event_type in self.sendable

    def _no_request_for(self, event_type: str) -> str:
        return f"destination {self.name} (kind {self.settings.kind}) has no request for {event_type}"

    def _encoded(self, event: RecordedEvent) -> bytes:
        body = self.body(event)
        return orjson.dumps(body) if self._transform is None else self._transform.apply(body)

    def _request(self, event: RecordedEvent, webhook_id: str, body: bytes, proof: Mapping[str, str]) -> PreparedRequest:
        correlation_id = event.correlation_id or ""
        headers = {
            **self._headers,
            **self.kind_headers(event),
            "webhook-id": webhook_id,
            "Idempotency-Key": webhook_id,
            "X-Correlation-ID": correlation_id if _HEADER_SAFE.fullmatch(correlation_id) else event.id,
            **proof,
        }
        if event.traceparent and _TRACEPARENT.fullmatch(event.traceparent):
            headers["traceparent"] = event.traceparent
        timestamp = int(self._clock.now().timestamp())
        headers["webhook-timestamp"] = str(timestamp)
        if self._keys:
            headers["webhook-signature"] = signatures(self._keys, webhook_id, timestamp, body)
        request = PreparedRequest()
        request.method, request.url, request.body = "POST", self._url, body
        request.headers = CaseInsensitiveDict(headers)
        return request


def shown_url(url: str) -> str:
    """`url` as it may be shown: without the values of its query, which some receivers take a key in."""
    parts = urlsplit(url)
    hidden = re.sub(r"=[^&]*", f"={_HIDDEN}", parts.query)
    return urlunsplit(parts._replace(query=hidden, fragment=""))


def _texts(request: PreparedRequest) -> list[tuple[str, str]]:
    return [(name, str(text)) for name, text in request.headers.items()]


def _no_preview(field: str, message: str) -> Invalid:
    return Invalid("This event becomes no request.", errors=[FieldError(field=field, rule="request", message=message)])
