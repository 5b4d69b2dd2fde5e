"""Format `eventbridge`: what the Genesys Cloud partner source puts on Amazon EventBridge. It never refuses a topic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields

from bridge.clock import rfc3339
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, Event
from bridge.intake.canonical import content_hash, delivery_key, document_key
from bridge.intake.formats.fields import Identifier, JsonObject, Timestamp
from bridge.intake.formats.registry import register
from bridge.intake.formats.schemas import Tolerant, load
from bridge.intake.formats.topics import subject_of, type_of
from bridge.violations import Violation

_FORM = "eventbridge"
_PARTNER = "aws.partner/genesys.com"
_LONGEST_TOPIC = 200
_READ_OF_ATTRIBUTES = ("conversationId", "attributes", "eventTime")


class _PartnerSource(fields.Field[str]):
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str) or not value.startswith(_PARTNER):
            raise ValidationError(Violation("source", f"Must begin with {_PARTNER}."))
        return value


class _Detail(Tolerant):
    topic = Identifier(required=True, longest=_LONGEST_TOPIC, data_key="topicName")
    body = JsonObject(required=True, data_key="eventBody")


class _Envelope(Tolerant):
    """Source: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html."""

    id = Identifier(required=True)
    detail_type = Identifier(required=True, longest=_LONGEST_TOPIC, data_key="detail-type")
    source = _PartnerSource(required=True)
    time = Timestamp(required=True)
    detail = fields.Nested(_Detail, required=True)


_ENVELOPE = _Envelope()


class EventBridgeFormat:
    """One notification in AWS's envelope."""

    def parse(self, document: object, *, source: str) -> list[Event]:
        """The notification under the type of its topic; the same notification sent again has the same content."""
        envelope = load(_ENVELOPE, document, form=_FORM)
        topic, body = envelope["detail"]["topic"], envelope["detail"]["body"]
        content = {"topicName": topic, "eventBody": body}
        event_type = type_of(topic, body)
        happened = event_time(body.get("eventTime"))
        return [
            Event(
                type=event_type,
                subject=subject_of(topic, body) or f"unknown:{content_hash(content)}",
                payload=_payload(event_type, body, happened or envelope["time"].utc),
                occurred_at=happened or envelope["time"].utc,
                delivery_key=delivery_key(source, envelope["id"]),
                content_key=document_key(source, content),
                content_is_unique=happened is not None,
            )
        ]

    def unread(self, document: object) -> list[str]:
        """See `Discerning`: of most notifications the whole body is kept; of attributes, what destinations know."""
        envelope = load(_ENVELOPE, document, form=_FORM)
        topic, body = envelope["detail"]["topic"], envelope["detail"]["body"]
        if type_of(topic, body) != CONVERSATION_ATTRIBUTES_UPDATED:
            return []
        return [f"detail.eventBody.{name}" for name in body if name not in _READ_OF_ATTRIBUTES]


def event_time(value: object) -> datetime | None:
    """`value` as a point in time (UTC): RFC 3339 text, or milliseconds since 1970 as Genesys sends; else None."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        return Timestamp().deserialize(value).utc if isinstance(value, str) else None
    except (ValidationError, ValueError, OverflowError, OSError):
        return None


def _payload(event_type: str, body: Mapping[str, object], happened: datetime) -> Mapping[str, object]:
    """The body as it was sent; attributes in the shape that every destination knows."""
    if event_type != CONVERSATION_ATTRIBUTES_UPDATED:
        return body
    return {
        "conversationId": body.get("conversationId"),
        "updatedAttributes": body.get("attributes") or {},
        "version": None,
        "processedAt": rfc3339(happened),
    }


register(_FORM, EventBridgeFormat())
