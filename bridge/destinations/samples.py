"""Events that never happened: one of each type for whoever integrates, and one that only tries the way.

They may not hold anybody's data; what they carry is what the formats and the operations give such events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from bridge import events
from bridge.clock import new_id, rfc3339
from bridge.events import RecordedEvent

#: The type of the event that tries the way to a destination which takes any type.
TRIAL_EVENT: Final = "bridge.test"
#: The id of everything that a trial names: no system has a record, conversation or interaction called so.
TRIAL_ID: Final = "bridge-test"
#: The header by which a receiver can tell a trial; no delivery carries it.
TRIAL_HEADER: Final[Mapping[str, str]] = MappingProxyType({"X-Bridge-Test": "true"})

_MOMENT = datetime(2026, 5, 1, 10, 0, tzinfo=UTC)
_SAMPLE_ID = "01a2035d-a549-7099-bbd2-51b2f57504b2"
_SIGNATURE = MappingProxyType({"algorithm": "Ed25519", "publicKey": "<base64>", "value": "<base64>"})


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """What is filled into a payload."""

    thing: str
    schema: str
    fields: Mapping[str, object]
    at: str


def sample_types() -> tuple[str, ...]:
    """The event types that there is a sample of: all that the bridge knows by name."""
    return tuple(_PAYLOADS)


def sample_event(event_type: str) -> RecordedEvent:
    """An event of that type as it is typically recorded. Raises KeyError for a type that is not in `sample_types`."""
    scene = _Scene(
        thing="8f1c2d3e", schema="InventoryItem", fields={"sku": "WH-1042", "quantity": 5}, at=rfc3339(_MOMENT)
    )
    return _event(event_type, scene, _SAMPLE_ID, "genesys", _MOMENT)


def trial_event(event_type: str, now: datetime) -> RecordedEvent:
    """An event that changes nothing where it is taken for real: it is about `bridge-test`, and empty."""
    scene = _Scene(thing=TRIAL_ID, schema="BridgeTest", fields={}, at=rfc3339(now))
    return _event(event_type, scene, new_id(), TRIAL_ID, now)


def _event(event_type: str, scene: _Scene, event_id: str, source: str, at: datetime) -> RecordedEvent:
    subject, payload = _PAYLOADS.get(event_type, _nothing)(scene)
    version = payload.get("version")
    return RecordedEvent(
        id=event_id,
        source=source,
        type=event_type,
        subject=subject,
        payload=payload,
        version=None if version is None else str(version),
        occurred_at=at,
        received_at=at,
        correlation_id=event_id,
        traceparent=None,
    )


_Told = tuple[str, dict[str, object]]


def _nothing(scene: _Scene) -> _Told:
    return f"test:{scene.thing}", {"message": "A test of the way: nothing has happened.", "processedAt": scene.at}


def _record(action: str) -> Callable[[_Scene], _Told]:
    def told(scene: _Scene) -> _Told:
        return events.record_subject(scene.schema, scene.thing), {
            "schemaName": scene.schema,
            "recordId": scene.thing,
            "version": 7,
            "modifiedTime": scene.at,
            "modifiedBy": "user-1",
            "fields": dict(scene.fields),
            "action": action,
        }

    return told


def _conversation_attributes(scene: _Scene) -> _Told:
    return events.conversation_subject(scene.thing), {
        "conversationId": scene.thing,
        "updatedAttributes": {"tier": "gold"} if scene.fields else {},
        "version": 4,
        "processedAt": scene.at,
    }


def _interaction_updated(scene: _Scene) -> _Told:
    return events.interaction_subject(scene.thing), {
        "interactionId": scene.thing,
        "updatedAttributes": {"tier": "gold"} if scene.fields else {},
        "dispositionCode": "resolved",
        "version": 4,
        "processedAt": scene.at,
    }


def _interaction_merged(scene: _Scene) -> _Told:
    return events.interaction_subject(scene.thing), {
        "interactionId": scene.thing,
        "sourceInteractionIds": ["5b6c7d8e", "6c7d8e9f"],
        "customer": {"id": "customer-1", "phoneNumber": None, "email": None},
        "version": 4,
        "processedAt": scene.at,
        "channelSequence": ["voice", "chat"],
        "metrics": {"mergeLatencyMs": 840, "deduplicationAccuracy": 1.0, "priorityScore": 17},
    }


def _interaction_purged(scene: _Scene) -> _Told:
    return events.interaction_subject(scene.thing), {
        "interactionId": scene.thing,
        "purgeId": "purge-1",
        "processedAt": scene.at,
    }


def _purge_ended(status: str) -> Callable[[_Scene], _Told]:
    def told(scene: _Scene) -> _Told:
        return f"purge:{scene.thing}", {
            "auditId": _SAMPLE_ID,
            "timestamp": scene.at,
            "command": _SAMPLE_ID,
            "purgeId": scene.thing,
            "status": status,
            "policyApplied": {"interactionType": "voice", "classification": "pii", "purgeType": "permanent"},
            "metrics": {"durationMs": 61000, "totalInteractionsPurged": 120},
            "complianceTags": ["pii", "permanent", "automated_retention"],
            "auditSignature": dict(_SIGNATURE),
        }

    return told


def _audit_sealed(scene: _Scene) -> _Told:
    sealed = {"from": 1, "to": 1000, "count": 1000} if scene.fields else {"from": 0, "to": 0, "count": 0}
    return f"audit:{sealed['to']}", {**sealed, "head": "00" * 32, "signature": "<base64>"}


_PAYLOADS: Mapping[str, Callable[[_Scene], _Told]] = {
    events.RECORD_CREATED: _record("create"),
    events.RECORD_UPDATED: _record("update"),
    events.RECORD_DELETED: _record("delete"),
    events.CONVERSATION_ATTRIBUTES_UPDATED: _conversation_attributes,
    events.INTERACTION_UPDATED: _interaction_updated,
    events.INTERACTION_MERGED: _interaction_merged,
    events.INTERACTION_PURGED: _interaction_purged,
    events.PURGE_COMPLETED: _purge_ended("completed"),
    events.PURGE_FAILED: _purge_ended("failed"),
    events.PURGE_CANCELLED: _purge_ended("cancelled"),
    events.AUDIT_SEALED: _audit_sealed,
}
