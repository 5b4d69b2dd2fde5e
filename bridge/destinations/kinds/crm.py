"""Kind `crm`: conversations, interactions and merges, as a CRM takes them. It may not know records."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.clock import rfc3339
from bridge.destinations.forwarder import HttpForwarder
from bridge.events import (
    CONVERSATION_ATTRIBUTES_UPDATED,
    INTERACTION_MERGED,
    INTERACTION_UPDATED,
    RecordedEvent,
)

#: Per event type: what the CRM calls it, and which keys of the payload it gets.
_TOLD = {
    CONVERSATION_ATTRIBUTES_UPDATED: (
        "CONVERSATION_ATTRIBUTES_UPDATED",
        ("conversationId", "updatedAttributes", "version", "processedAt"),
    ),
    INTERACTION_UPDATED: (
        "INTERACTION_UPDATED",
        ("interactionId", "updatedAttributes", "dispositionCode", "processedAt"),
    ),
}
_METRICS = ("mergeLatencyMs", "deduplicationAccuracy", "priorityScore")


class Crm(HttpForwarder):
    default_events = (CONVERSATION_ATTRIBUTES_UPDATED, INTERACTION_UPDATED, INTERACTION_MERGED)
    sendable = frozenset(default_events)
    trial_type = CONVERSATION_ATTRIBUTES_UPDATED

    def body(self, event: RecordedEvent) -> object:
        return told_to_crm(event)


def told_to_crm(event: RecordedEvent) -> dict[str, object]:
    """The body for `event`, of one of the types of `Crm.sendable`."""
    if event.type == INTERACTION_MERGED:
        return _merged(event)
    name, keys = _TOLD[event.type]
    return {"eventType": name, "payload": {key: event.payload.get(key) for key in keys}}


def _merged(event: RecordedEvent) -> dict[str, object]:
    """Spec 4, merge, step 7. A merge that Genesys only told us of has no metrics: null, never a made-up number."""
    payload = event.payload
    return {
        "event": "interaction_merged",
        "timestamp": payload.get("processedAt") or rfc3339(event.occurred_at or event.received_at),
        "interactionId": payload["interactionId"],
        "channelSequence": payload.get("channelSequence"),
        "customer": _picked(payload.get("customer"), ("id", "phoneNumber", "email")),
        "metrics": _picked(payload.get("metrics"), _METRICS),
    }


def _picked(found: object, keys: tuple[str, ...]) -> dict[str, object]:
    known = found if isinstance(found, Mapping) else {}
    return {key: known.get(key) for key in keys}
