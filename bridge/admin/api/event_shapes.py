"""What the API answers about events and rejections. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.api.fields import Count, Id, Moment, Word, told
from bridge.admin.api.shapes import DELIVERY_ID, EVENT_ID, FieldErrorSchema, Shape, page_of
from bridge.admin.search.delivery_ids import STATES

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012


class OwedDeliverySchema(Shape):
    """A delivery of an event, in one line."""

    id = Id()
    destination = fields.String()
    state = Word(STATES)
    example = {"id": DELIVERY_ID, "destination": "erp", "state": "delivered"}


class EventSchema(Shape):
    """One thing that happened, as it was recorded."""

    id = Id()
    source = fields.String(metadata=told("Who posted it; `bridge` for commands and for facts that the bridge found."))
    type = fields.String()
    subject = fields.String(metadata=told("What it is about: `record:<schema>/<id>`, `conversation:<id>`, …"))
    version = fields.Raw(metadata=told("A number where it is one.", type=["integer", "string", "null"]))
    occurred_at = Moment(allow_none=True, metadata=told("As the source says it."))
    received_at = Moment()
    duplicates = Count(metadata=told("How often the same event was sent again."))
    state = Word(("recorded", "unreadable"))
    correlation_id = fields.String(allow_none=True)
    payload = fields.Raw(metadata=told("Personal data is masked; null where it was erased."))
    erased = fields.Boolean(metadata=told("True: its envelope is all that is left."))
    errors = fields.List(
        fields.Nested(FieldErrorSchema), allow_none=True, metadata=told("What is wrong with an unreadable one.")
    )
    deliveries = fields.List(fields.Nested(OwedDeliverySchema), metadata=told("What it is owed as, in order."))
    example = {
        "id": EVENT_ID,
        "source": "genesys",
        "type": "custom_object.record.updated",
        "subject": "record:InventoryItem/item-1",
        "version": 7,
        "occurred_at": "2026-05-01T10:00:00Z",
        "received_at": "2026-05-01T10:00:00.312000Z",
        "duplicates": 0,
        "state": "recorded",
        "correlation_id": EVENT_ID,
        "payload": {
            "schemaName": "InventoryItem",
            "recordId": "item-1",
            "version": 7,
            "fields": {"sku": "WH-1042", "quantity": 5},
        },
        "erased": False,
        "errors": None,
        "deliveries": [OwedDeliverySchema.example],
    }


class RawBodySchema(Shape):
    """The bytes that an event came in."""

    id = Id()
    size = Count(metadata=told("Bytes."))
    sha256 = fields.String(metadata=told("Of the exact bytes, hex.", pattern="^[0-9a-f]{64}$"))
    revealed = fields.Boolean()
    body = fields.Raw(metadata=told("What the body says; personal data is masked unless revealed."))
    text = fields.String(allow_none=True, metadata=told("The exact body; null unless revealed."))
    example = {
        "id": EVENT_ID,
        "size": 76,
        "sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
        "revealed": False,
        "body": {"customer": {"phoneNumber": "********5689"}, "schemaName": "InventoryItem"},
        "text": None,
    }


class ReadEventSchema(Shape):
    """An event that an unreadable one turned out to tell of."""

    id = Id()
    type = fields.String()
    subject = fields.String()
    duplicate = fields.Boolean(metadata=told("It was recorded meanwhile, under this id."))
    deliveries = fields.List(fields.String(), metadata=told("The destinations that are owed it now."))
    example = {
        "id": EVENT_ID,
        "type": "custom_object.record.updated",
        "subject": "record:InventoryItem/item-1",
        "duplicate": False,
        "deliveries": ["erp"],
    }


class ReparsedSchema(Shape):
    """What became of an unreadable event."""

    id = Id(metadata=told("As asked; the first of `events` has it, unless that is a duplicate."))
    result = Word(("recorded", "duplicate"), metadata=told("`duplicate`: all of it was recorded meanwhile."))
    events = fields.List(fields.Nested(ReadEventSchema), metadata=told("What its body tells of, in order."))
    example = {"id": EVENT_ID, "result": "recorded", "events": [ReadEventSchema.example]}


class RejectionSchema(Shape):
    """One request that was refused."""

    id = Id()
    at = Moment()
    source = fields.String(metadata=told("Whose path was posted to; that it was them is not said."))
    cause = fields.String(metadata=told("A stable word: `signature-missing`, `too-large`, `not-json`, …"))
    status = fields.Integer(metadata=told("The HTTP status that it was answered with.", minimum=400, maximum=599))
    address = fields.String(metadata=told("The peer's."))
    size = Count(metadata=told("Bytes of the body as far as it was read."))
    kept = fields.Boolean(metadata=told("The body is kept, because the sender was verified."))
    example = {
        "id": "01a2035e-0d11-7a20-9f3e-0c5b7a1d2e48",
        "at": "2026-05-01T10:04:00Z",
        "source": "genesys",
        "cause": "signature-wrong",
        "status": 401,
        "address": "192.0.2.17",
        "size": 512,
        "kept": False,
    }


EventPageSchema = page_of(EventSchema, "EventPageSchema")
RejectionPageSchema = page_of(RejectionSchema, "RejectionPageSchema")
