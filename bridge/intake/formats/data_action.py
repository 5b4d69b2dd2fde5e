"""Format `data-action`: the body that our README tells people to put into a web-services data action."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from bridge.errors import FieldError
from bridge.events import (
    CONVERSATION_ATTRIBUTES_UPDATED,
    INTERACTION_UPDATED,
    RECORD_CREATED,
    RECORD_DELETED,
    RECORD_UPDATED,
    Event,
    conversation_subject,
    interaction_subject,
    record_subject,
)
from bridge.intake.canonical import content_hash, delivery_key, document_key
from bridge.intake.formats.fields import Choice, Identifier, JsonObject, Moment, Timestamp, Version
from bridge.intake.formats.registry import register
from bridge.intake.formats.schemas import Tolerant, load, not_of_form, unread_fields
from bridge.intake.formats.topics import contact_subject, subject_of, type_of
from bridge.violations import Violation

_FORM = "data-action"
_SENDER = "genesys-data-action"
#: Either a type of ours, or a topic of the platform.
_TOPIC = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_{}-]+)+")
_RECORD_ACTIONS = {RECORD_CREATED: "create", RECORD_UPDATED: "update", RECORD_DELETED: "delete"}
#: What an event of a type of ours cannot be without: field name → attribute.
_NEEDED: Mapping[str, Mapping[str, str]] = {
    CONVERSATION_ATTRIBUTES_UPDATED: {"conversationId": "conversation_id"},
    INTERACTION_UPDATED: {"interactionId": "interaction_id"},
    **{event_type: {"recordId": "record_id", "schemaName": "schema_name"} for event_type in _RECORD_ACTIONS},
}


class _Topic(Identifier):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        topic = super()._deserialize(value, attr, data, **kwargs)
        if not _TOPIC.fullmatch(topic):
            raise ValidationError(Violation("form", "Must be an event type like conversation.attributes.updated."))
        return topic


class _Action(Tolerant):
    sender = Choice(_SENDER, required=True, data_key="source")
    topic = _Topic(required=True, longest=200)
    id = Identifier(load_default=None)
    conversation_id = Identifier(load_default=None, data_key="conversationId")
    interaction_id = Identifier(load_default=None, data_key="interactionId")
    contact_id = Identifier(load_default=None, data_key="contactId")
    record_id = Identifier(load_default=None, data_key="recordId")
    schema_name = Identifier(load_default=None, data_key="schemaName")
    version = Version(load_default=None)
    event_time = Timestamp(required=True, data_key="eventTime")
    attributes = JsonObject(load_default=None)
    values = JsonObject(load_default=None, data_key="fields")


_ACTION = _Action()


class DataActionFormat:
    """One call of a data action."""

    def parse(self, document: object, *, source: str) -> list[Event]:
        """The event that its topic names, in the shape that every destination knows where the type is one of ours."""
        action = load(_ACTION, document, form=_FORM)
        assert isinstance(document, dict)
        topic = action["topic"]
        event_type = type_of(topic, document) if topic.startswith("v2.") else topic
        occurred: Moment = action["event_time"]
        version = action["version"]
        return [
            Event(
                type=event_type,
                subject=_subject(action, event_type, document),
                payload=_payload(action, event_type, document),
                version=None if version is None else str(version),
                occurred_at=occurred.utc,
                delivery_key=None if action["id"] is None else delivery_key(source, action["id"]),
                content_key=document_key(source, document),
            )
        ]

    def unread(self, document: object) -> list[str]:
        """See `Discerning`: of a topic that is no type of ours the whole document is kept."""
        if not isinstance(document, dict) or document.get("topic") not in _NEEDED:
            return []
        return unread_fields(_ACTION, document, beside=("dispositionCode",))


def _subject(action: dict[str, Any], event_type: str, document: Mapping[str, object]) -> str:
    missing = [name for name, key in _NEEDED.get(event_type, {}).items() if action[key] is None]
    if missing:
        message = f"An event {event_type} has one."
        raise not_of_form(_FORM, [FieldError(field=name, rule="required", message=message) for name in missing])
    if event_type in _RECORD_ACTIONS:
        return record_subject(action["schema_name"], action["record_id"])
    if action["conversation_id"] is not None:
        return conversation_subject(action["conversation_id"])
    if action["interaction_id"] is not None:
        return interaction_subject(action["interaction_id"])
    if action["contact_id"] is not None:
        return contact_subject(action["contact_id"])
    return subject_of(action["topic"], document) or f"unknown:{content_hash(document)}"


def _payload(action: dict[str, Any], event_type: str, document: Mapping[str, object]) -> Mapping[str, object]:
    moment = action["event_time"].text
    if event_type == CONVERSATION_ATTRIBUTES_UPDATED:
        return {
            "conversationId": action["conversation_id"],
            "updatedAttributes": action["attributes"] or {},
            "version": action["version"],
            "processedAt": moment,
        }
    if event_type == INTERACTION_UPDATED:
        return {
            "interactionId": action["interaction_id"],
            "updatedAttributes": action["attributes"] or {},
            "dispositionCode": document.get("dispositionCode"),
            "version": action["version"],
            "processedAt": moment,
        }
    if event_type in _RECORD_ACTIONS:
        return {
            "schemaName": action["schema_name"],
            "recordId": action["record_id"],
            "version": action["version"],
            "modifiedTime": moment,
            "modifiedBy": None,
            "fields": action["values"] or {},
            "action": _RECORD_ACTIONS[event_type],
        }
    return document


register(_FORM, DataActionFormat())
