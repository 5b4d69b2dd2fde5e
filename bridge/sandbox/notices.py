"""The webhooks' bodies, format `genesys`. It may not send them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.sandbox.model import Conversation, Customer, Record, wire_time


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One change that the world is told of."""

    #: The event type of the body, or `record.<action>`.
    type: str
    subject: str
    version: int | None
    at: datetime
    body: dict[str, object]


def conversation_attributes_updated(conversation: Conversation, updated: Mapping[str, object], at: datetime) -> Notice:
    payload = {
        "conversationId": conversation.id,
        "updatedAttributes": dict(updated),
        "version": conversation.version,
        "processedAt": wire_time(at),
    }
    subject = f"conversation:{conversation.id}"
    return _event("CONVERSATION_ATTRIBUTES_UPDATED", subject, conversation.version, at, payload)


def conversation_state_changed(conversation: Conversation, at: datetime) -> Notice:
    payload = {
        "conversationId": conversation.id,
        "state": conversation.state,
        "version": conversation.version,
        "processedAt": wire_time(at),
    }
    subject = f"conversation:{conversation.id}"
    return _event("CONVERSATION_STATE_CHANGED", subject, conversation.version, at, payload)


def interaction_updated(
    interaction_id: str, version: int, updated: Mapping[str, str], disposition_code: str | None, at: datetime
) -> Notice:
    payload: dict[str, object] = {
        "interactionId": interaction_id,
        "updatedAttributes": dict(updated),
        "version": version,
        "processedAt": wire_time(at),
    }
    if disposition_code is not None:
        payload["dispositionCode"] = disposition_code
    return _event("INTERACTION_UPDATED", f"interaction:{interaction_id}", version, at, payload)


def interaction_merged(
    interaction_id: str, version: int, source_ids: Sequence[str], customer: Customer | None, at: datetime
) -> Notice:
    payload: dict[str, object] = {
        "interactionId": interaction_id,
        "sourceInteractionIds": list(source_ids),
        "version": version,
        "processedAt": wire_time(at),
    }
    if customer is not None:
        payload["customer"] = customer.as_json()
    return _event("INTERACTION_MERGED", f"interaction:{interaction_id}", version, at, payload)


def interaction_purged(interaction_id: str, purge_id: str, at: datetime) -> Notice:
    payload = {"interactionId": interaction_id, "purgeId": purge_id, "processedAt": wire_time(at)}
    return _event("INTERACTION_PURGED", f"interaction:{interaction_id}", None, at, payload)


def record_changed(action: str, record: Record, at: datetime) -> Notice:
    """`action` is create, update or delete."""
    body: dict[str, object] = {
        "action": action,
        "schemaName": record.schema,
        "record": {
            "id": record.id,
            "version": record.version,
            "modifiedTime": wire_time(record.modified),
            "modifiedBy": {"id": record.modified_by},
            "fields": dict(record.fields),
        },
    }
    subject = f"record:{record.schema}/{record.id}"
    return Notice(type=f"record.{action}", subject=subject, version=record.version, at=at, body=body)


def _event(event_type: str, subject: str, version: int | None, at: datetime, payload: Mapping[str, object]) -> Notice:
    body: dict[str, object] = {"eventType": event_type, "payload": dict(payload)}
    return Notice(type=event_type, subject=subject, version=version, at=at, body=body)
