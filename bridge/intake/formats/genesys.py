"""Format `genesys`: record changes, and events with an `eventType`. It may not know who sent them or where they go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import Schema

from bridge.errors import FieldError, Invalid
from bridge.events import (
    CONVERSATION_ATTRIBUTES_UPDATED,
    INTERACTION_MERGED,
    INTERACTION_PURGED,
    INTERACTION_UPDATED,
    RECORD_CREATED,
    RECORD_DELETED,
    RECORD_UPDATED,
    Event,
    conversation_subject,
    interaction_subject,
    record_subject,
)
from bridge.intake.canonical import content_hash, document_key, event_key
from bridge.intake.formats import genesys_schemas as schemas
from bridge.intake.formats.fields import Moment
from bridge.intake.formats.naming import snake_case
from bridge.intake.formats.registry import register
from bridge.intake.formats.schemas import load, load_flat, not_of_form, unread_fields

_FORM = "genesys"
_RECORD_TYPES = dict(zip(schemas.RECORD_ACTIONS, (RECORD_CREATED, RECORD_UPDATED, RECORD_DELETED), strict=True))
_RECORD_CHANGE = schemas.RecordChange()
_UNKNOWN_EVENT = schemas.UnknownEvent()
#: Where an event of an unknown type carries one of these, its content tells it apart for ever.
_OWN_VERSION_OR_TIME = frozenset({"version", "modifiedTime", "eventTime"})


class GenesysFormat:
    """The three shapes of the table in spec part 2, and every other `eventType`."""

    def parse(self, document: object, *, source: str) -> list[Event]:
        """The one event in `document`. Raises Invalid naming every field that is wrong."""
        if not isinstance(document, dict):
            raise _of_no_form()
        is_change = "action" in document or "record" in document
        if is_change and "eventType" in document:
            raise _of_both_forms()
        if is_change:
            return [_record_event(document, source)]
        if "eventType" in document:
            return [_typed_event(document, source)]
        raise _of_no_form()

    def unread(self, document: object) -> list[str]:
        """See `Discerning`: what none of the schemas knows, `metadata` apart, which changes per sending."""
        if not isinstance(document, dict):
            return []
        event_type = document.get("eventType")
        if event_type is None:
            return unread_fields(_RECORD_CHANGE, document, beside=("metadata",))
        schema = _TYPED[event_type][0] if event_type in _TYPED else _UNKNOWN_EVENT
        return unread_fields(schema, document, beside=("metadata", "eventType"))


def _record_event(document: Mapping[str, object], source: str) -> Event:
    change = load_flat(_RECORD_CHANGE, document, "record", form=_FORM, beside=("action", "schemaName"))
    return _keyed(
        source,
        _RECORD_TYPES[change["action"]],
        record_subject(change["schema_name"], change["id"]),
        {
            "schemaName": change["schema_name"],
            "recordId": change["id"],
            "version": change["version"],
            "modifiedTime": change["modified_time"].text,
            "modifiedBy": change["modified_by"],
            "fields": change["values"],
            "action": change["action"],
        },
        occurred=change["modified_time"],
        has_own_time=True,
    )


def _typed_event(document: Mapping[str, object], source: str) -> Event:
    event_type = document["eventType"]
    known = _TYPED.get(event_type) if isinstance(event_type, str) else None
    if known is None:
        return _unknown_event(document, source)
    schema, build = known
    return build(load_flat(schema, document, "payload", form=_FORM), source)


def _conversation_attributes(payload: Any, source: str) -> Event:
    return _keyed(
        source,
        CONVERSATION_ATTRIBUTES_UPDATED,
        conversation_subject(payload["id"]),
        {
            "conversationId": payload["id"],
            "updatedAttributes": payload["updated_attributes"],
            "version": payload["version"],
            "processedAt": payload["processed_at"].text,
        },
        occurred=payload["processed_at"],
    )


def _interaction_updated(payload: Any, source: str) -> Event:
    return _keyed(
        source,
        INTERACTION_UPDATED,
        interaction_subject(payload["id"]),
        {
            "interactionId": payload["id"],
            "updatedAttributes": payload["updated_attributes"],
            "dispositionCode": payload["disposition_code"],
            "version": payload["version"],
            "processedAt": payload["processed_at"].text,
        },
        occurred=payload["processed_at"],
    )


def _interaction_merged(payload: Any, source: str) -> Event:
    customer = payload["customer"]
    return _keyed(
        source,
        INTERACTION_MERGED,
        interaction_subject(payload["id"]),
        {
            "interactionId": payload["id"],
            "sourceInteractionIds": payload["source_ids"],
            "customer": customer
            and {"id": customer["id"], "phoneNumber": customer["phone_number"], "email": customer["email"]},
            "version": payload["version"],
            "processedAt": payload["processed_at"].text,
        },
        occurred=payload["processed_at"],
    )


def _interaction_purged(payload: Any, source: str) -> Event:
    return _keyed(
        source,
        INTERACTION_PURGED,
        interaction_subject(payload["id"]),
        {
            "interactionId": payload["id"],
            "purgeId": payload["purge_id"],
            "processedAt": payload["processed_at"].text,
        },
        occurred=payload["processed_at"],
    )


_TYPED: Mapping[str, tuple[Schema, Callable[[Any, str], Event]]] = {
    "CONVERSATION_ATTRIBUTES_UPDATED": (schemas.ConversationAttributes(), _conversation_attributes),
    "INTERACTION_UPDATED": (schemas.InteractionUpdate(), _interaction_updated),
    "INTERACTION_MERGED": (schemas.InteractionMerge(), _interaction_merged),
    "INTERACTION_PURGED": (schemas.InteractionPurge(), _interaction_purged),
}


def _keyed(
    source: str,
    event_type: str,
    subject: str,
    payload: Mapping[str, object],
    *,
    occurred: Moment,
    has_own_time: bool = False,
) -> Event:
    version = None if payload.get("version") is None else str(payload["version"])
    return Event(
        type=event_type,
        subject=subject,
        payload=payload,
        version=version,
        occurred_at=occurred.utc,
        content_key=event_key(source, event_type, subject, version, payload),
        content_is_unique=has_own_time or version is not None,
    )


def _unknown_event(document: Mapping[str, object], source: str) -> Event:
    """An event whose type we do not know: kept, so that a later subscription can be served by a replay."""
    unknown = load(_UNKNOWN_EVENT, document, form=_FORM)
    words = snake_case(unknown["event_type"])
    if not words:
        raise not_of_form(
            _FORM, [FieldError(field="eventType", rule="characters", message="Must hold an ASCII letter or digit.")]
        )
    payload = unknown["payload"] or {}
    return Event(
        type=f"genesys.{words}",
        subject=f"unknown:{content_hash(document)}",
        payload=payload,
        content_key=document_key(source, document),
        content_is_unique=not _OWN_VERSION_OR_TIME.isdisjoint(payload),
    )


def _of_no_form() -> Invalid:
    message = "Send an object with action, schemaName and record, or with eventType and payload."
    return not_of_form(_FORM, [FieldError(field="body", rule="form", message=message)])


def _of_both_forms() -> Invalid:
    message = "May not stand beside action or record: send a record change or an event, not both in one."
    return not_of_form(_FORM, [FieldError(field="eventType", rule="form", message=message)])


register(_FORM, GenesysFormat())
