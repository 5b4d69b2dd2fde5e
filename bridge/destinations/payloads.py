"""The payloads of events as JSON Schema, and the CloudEvents envelope around them. It may not know a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bridge import events

Shape = dict[str, Any]


def shape(members: Mapping[str, Shape], *, optional: tuple[str, ...] = ()) -> Shape:
    """An object with these members, of which all but `optional` are always there."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": dict(members), "required": required}


def text(description: str | None = None, **rules: object) -> Shape:
    described = {} if description is None else {"description": description}
    return {"type": "string", **rules, **described}


def closed_choice(*words: str) -> Shape:
    return {"enum": list(words)}


def nullable(what: Shape) -> Shape:
    """The same or null."""
    return {**what, "type": [what["type"], "null"]}


def _whole(least: int = 0) -> Shape:
    return {"type": "integer", "minimum": least}


def _purge(status: str) -> Shape:
    return shape(
        {
            "auditId": _ID,
            "timestamp": _TIME,
            "command": _ID,
            "purgeId": nullable(text("As Genesys names it.")),
            "status": closed_choice(status),
            "policyApplied": {"type": "object", "description": "The policy as it was approved."},
            "metrics": {"type": "object"},
            "complianceTags": _TEXTS,
            "auditSignature": shape({"algorithm": closed_choice("Ed25519"), "publicKey": text(), "value": text()}),
        }
    )


def _record(action: str) -> Shape:
    return shape(
        {
            "schemaName": text(),
            "recordId": text(),
            "version": _VERSION,
            "modifiedTime": _TIME,
            "modifiedBy": nullable(text()),
            "fields": {"type": "object"},
            "action": closed_choice(action),
        }
    )


_ID: Final = text("A UUID.")
_TIME: Final = text("RFC 3339.", format="date-time")
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_VERSION: Final = {"type": ["integer", "string", "null"], "description": "Rises with every change; null: not known."}
_CUSTOMER: Final = nullable(shape({"id": nullable(text()), "phoneNumber": nullable(text()), "email": nullable(text())}))
_METRICS: Final = nullable(
    shape(
        {
            "mergeLatencyMs": {"type": ["integer", "null"]},
            "deduplicationAccuracy": {"type": ["number", "null"]},
            "priorityScore": {"type": ["number", "null"]},
        }
    )
)

#: By event type: the payload as it is recorded, and as CloudEvents carry it in `data`.
PAYLOADS: Final[Mapping[str, Shape]] = {
    events.RECORD_CREATED: _record("create"),
    events.RECORD_UPDATED: _record("update"),
    events.RECORD_DELETED: _record("delete"),
    events.CONVERSATION_ATTRIBUTES_UPDATED: shape(
        {
            "conversationId": text(),
            "updatedAttributes": {"type": "object", "description": "Only what has changed."},
            "version": _VERSION,
            "processedAt": _TIME,
        }
    ),
    events.INTERACTION_UPDATED: shape(
        {
            "interactionId": text(),
            "updatedAttributes": {"type": "object", "description": "Only what has changed."},
            "dispositionCode": nullable(text()),
            "version": _VERSION,
            "processedAt": _TIME,
        },
        optional=("version",),
    ),
    events.INTERACTION_MERGED: shape(
        {
            "interactionId": text("The interaction that the others went into."),
            "sourceInteractionIds": _TEXTS,
            "customer": _CUSTOMER,
            "version": _VERSION,
            "processedAt": _TIME,
            "channelSequence": {**_TEXTS, "type": ["array", "null"]},
            "metrics": _METRICS,
        },
        optional=("channelSequence", "metrics"),
    ),
    events.INTERACTION_PURGED: shape({"interactionId": text(), "purgeId": nullable(text()), "processedAt": _TIME}),
    events.PURGE_COMPLETED: _purge("completed"),
    events.PURGE_FAILED: _purge("failed"),
    events.PURGE_CANCELLED: _purge("cancelled"),
    events.AUDIT_SEALED: shape(
        {
            "from": _whole(),
            "to": _whole(),
            "count": _whole(),
            "head": text("SHA-256 of the newest entry in the chain, hex."),
            "signature": text("Base64, Ed25519."),
        }
    ),
}
#: CloudEvents 1.0; Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
CLOUD_EVENT: Final[Mapping[str, Shape]] = {
    "specversion": closed_choice("1.0"),
    "id": text("The event's: the same on every try and replay."),
    "source": text("`/sources/<name>`, the source that posted it.", format="uri-reference"),
    "subject": text("The record, conversation or interaction that it is about."),
    "time": _TIME,
    "datacontenttype": closed_choice("application/json"),
    "correlationid": text(),
    "version": text(),
}
