"""Genesys as the demo plays it: posts webhooks, signed as Open Messaging signs them. It may not read an answer's sense.

Source: https://developer.genesys.cloud/commdigital/digital/openmessaging/validate
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import requests

from bridge.clock import Clock, rfc3339
from bridge.demo.calling import call
from bridge.demo.subjects import SCHEMA, conversation_subject, record_subject


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One change: of what, which of its changes (its version), and the body that tells it."""

    subject: str
    number: int
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Posted:
    """One webhook, and what the bridge answered."""

    webhook: Webhook
    status: int
    answer: Mapping[str, Any]
    seconds: float
    forged: bool = False

    @property
    def event_id(self) -> str:
        """The bridge's id of it; empty where it was refused."""
        return str(self.answer.get("id", "")) if self.status < 300 else ""

    @property
    def is_duplicate(self) -> bool:
        return self.answer.get("duplicate") is True


class Genesys:
    """Posts to one source of the bridge at `url`."""

    def __init__(self, session: requests.Session, url: str, secret: bytes, clock: Clock) -> None:
        self._session = session
        self._url = f"{url}/webhooks/genesys"
        self._secret = secret
        self._clock = clock
        self._changes = 0

    def item_changed(self, item: str, version: int) -> Webhook:
        """A stock item, as its custom-object record says after the change."""
        document = {
            "action": "update",
            "schemaName": SCHEMA,
            "record": {
                "id": item,
                "version": version,
                "modifiedTime": self._next_moment(),
                "modifiedBy": {"id": "agent-7"},
                "fields": {"sku": "WH-1042", "quantity": 100 - version, "revision": version},
            },
        }
        return Webhook(subject=record_subject(item), number=version, body=orjson.dumps(document))

    def attributes_changed(self, conversation: str, version: int) -> Webhook:
        """A conversation's attributes."""
        document = {
            "eventType": "CONVERSATION_ATTRIBUTES_UPDATED",
            "payload": {
                "conversationId": conversation,
                "updatedAttributes": {"mood": "better", "step": version},
                "version": version,
                "processedAt": self._next_moment(),
            },
        }
        return Webhook(subject=conversation_subject(conversation), number=version, body=orjson.dumps(document))

    def post(self, webhook: Webhook, *, signature: str | None = None) -> Posted:
        """Post it, signed; with `signature` instead it is a forgery. Raises DemoFailed where nobody answers."""
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": self.sign(webhook.body) if signature is None else signature,
        }
        started = self._clock.monotonic()
        answer = call(self._session, "POST", self._url, data=webhook.body, headers=headers)
        seconds = self._clock.monotonic() - started
        return Posted(
            webhook=webhook,
            status=answer.status_code,
            answer=orjson.loads(answer.content),
            seconds=seconds,
            forged=signature is not None,
        )

    def sign(self, body: bytes, secret: bytes | None = None) -> str:
        """The header's value for `body`; with another `secret`, one that does not verify."""
        mac = hmac.digest(self._secret if secret is None else secret, body, "sha256")
        return "sha256=" + base64.b64encode(mac).decode()

    def _next_moment(self) -> str:
        """Later than every one before, however fast the demo is."""
        self._changes += 1
        return rfc3339(self._clock.now() + timedelta(microseconds=self._changes))
