"""What makes two messages the same event: canonical JSON and the keys made of it. It may not look anything up.

Both keys begin with the source's name, so that no source can claim, and so suppress, another one's events.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson

#: What a sender changes when it sends the same thing again (spec, "Duplicates").
_PER_SENDING_IN_ENVELOPE = frozenset({"metadata", "id", "time", "timestamp", "processedAt"})
_PER_SENDING_IN_PAYLOAD = frozenset({"metadata", "processedAt"})


def canonical_json(value: object) -> bytes:
    """`value` (JSON values only) as UTF-8 JSON, keys sorted by code point, without white space."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def delivery_key(source: str, delivery_id: str) -> bytes:
    """The key of a sender's own delivery id."""
    return _digest(source, b"delivery", delivery_id.encode())


def document_key(source: str, document: object) -> bytes:
    """The key of a whole document as it was sent, without what changes per sending."""
    return _digest(source, b"document", canonical_json(lasting(document)))


def event_key(source: str, event_type: str, subject: str, version: str | None, payload: Mapping[str, object]) -> bytes:
    """The key of what an event says: type, subject and version; where it has no version, its payload instead.

    So a fact of our own and the webhook that confirms it meet, whatever else the webhook carries (spec, part 9).
    """
    if version is not None:
        return _digest(source, b"version", canonical_json([event_type, subject, version]))
    return payload_key(source, event_type, subject, payload)


def payload_key(source: str, event_type: str, subject: str, payload: Mapping[str, object]) -> bytes:
    """The key of everything that an event says: tells apart two events of one type, subject and version."""
    return _digest(source, b"payload", canonical_json([event_type, subject, lasting_payload(payload)]))


def awaiting_key(content_key: bytes) -> bytes:
    """The key of news that awaits its fact: a repeat of the news is found, and the fact's own key stays free."""
    return _digest("", b"awaiting", content_key)


def content_hash(document: object) -> str:
    """A short name of a document in hex, the same for every sending of it."""
    return hashlib.sha256(canonical_json(lasting(document))).hexdigest()[:32]


def lasting(document: object) -> object:
    """`document` without what changes per sending: in the envelope and in the objects directly below it."""
    if not isinstance(document, Mapping):
        return document
    return {
        key: lasting_payload(value) if isinstance(value, Mapping) else value
        for key, value in document.items()
        if key not in _PER_SENDING_IN_ENVELOPE
    }


def lasting_payload(payload: Mapping[str, object]) -> dict[str, object]:
    """`payload` without what changes per sending; its `id` and times are content."""
    return {key: value for key, value in payload.items() if key not in _PER_SENDING_IN_PAYLOAD}


def _digest(source: str, kind: bytes, content: bytes) -> bytes:
    return hashlib.sha256(b"\x00".join((source.encode(), kind, content))).digest()
