"""Format `open-messaging`: what Genesys Cloud sends out through an open messaging integration."""

from __future__ import annotations

from marshmallow import fields

from bridge.events import Event, conversation_subject
from bridge.intake.canonical import delivery_key, document_key
from bridge.intake.formats.fields import Choice, Identifier, Timestamp
from bridge.intake.formats.registry import register
from bridge.intake.formats.schemas import Tolerant, load

_FORM = "open-messaging"


class _Channel(Tolerant):
    id = Identifier(required=True)
    time = Timestamp(required=True)


class _Message(Tolerant):
    """Source: https://developer.genesys.cloud/commdigital/digital/openmessaging/ (normalised messages)."""

    id = Identifier(required=True)
    channel = fields.Nested(_Channel, required=True)
    type = Choice("Text", "Structured", "Receipt", "Event", required=True)
    direction = Choice("Inbound", "Outbound", required=True)
    text = fields.String(load_default=None)
    events = fields.List(fields.Dict(), load_default=None)


_MESSAGE = _Message()


class OpenMessagingFormat:
    """One message, receipt or event of a channel."""

    def parse(self, document: object, *, source: str) -> list[Event]:
        """The message as `message.<direction>.<type>` about the channel's conversation; its payload as it was sent."""
        message = load(_MESSAGE, document, form=_FORM)
        channel = message["channel"]
        assert isinstance(document, dict)
        return [
            Event(
                type=f"message.{message['direction'].lower()}.{message['type'].lower()}",
                subject=conversation_subject(channel["id"]),
                payload=document,
                occurred_at=channel["time"].utc,
                delivery_key=delivery_key(source, f"{message['id']}\n{channel['time'].text}"),
                content_key=document_key(source, document),
            )
        ]


register(_FORM, OpenMessagingFormat())
