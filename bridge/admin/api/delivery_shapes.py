"""What the API answers about deliveries. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.api.fields import Count, Id, Moment, Word, told
from bridge.admin.api.shapes import DELIVERY_ID, EVENT_ID, Shape, page_of
from bridge.admin.search.delivery_ids import STATES

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

OUTCOMES = ("delivered", "retry_later", "rejected")
#: An HTTP status, as it was answered.
STATUS = {"minimum": 100, "maximum": 599}


class AttemptSchema(Shape):
    """One try of a delivery."""

    number = fields.Integer(metadata=told("From 1 on.", minimum=1))
    started_at = Moment()
    duration_ms = Count(metadata=told("Milliseconds."))
    outcome = Word(OUTCOMES)
    status = fields.Integer(allow_none=True, metadata=told("HTTP status; null: there was no answer.", **STATUS))
    error = fields.String(allow_none=True, metadata=told("Masked."))
    error_class = fields.String(allow_none=True, metadata=told("A stable word: `connect`, `timeout`, `status`, …"))
    answer_excerpt = fields.String(allow_none=True, metadata=told("The beginning of the answer's body, masked."))
    sent_bytes = fields.Integer(allow_none=True, metadata=told("Bytes of the request's body."))
    sent_sha256 = fields.String(allow_none=True, metadata=told("Of the request's body, hex."))
    example = {
        "number": 1,
        "started_at": "2026-05-01T10:00:00.420000Z",
        "duration_ms": 38,
        "outcome": "rejected",
        "status": 422,
        "error": "it answered 422",
        "error_class": "status",
        "answer_excerpt": '{"error":"unknown sku"}',
        "sent_bytes": 187,
        "sent_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    }


class DeliverySchema(Shape):
    """One event owed to one destination."""

    id = Id()
    event_id = Id()
    event_type = fields.String()
    subject = fields.String()
    destination = fields.String()
    state = Word(STATES, metadata=told("`sending`: a try runs right now. All but `pending` and `sending` are final."))
    attempts = Count(metadata=told("Tries so far."))
    next_attempt_at = Moment(allow_none=True, metadata=told("Null unless it is its turn, and no try runs."))
    created_at = Moment()
    finished_at = Moment(allow_none=True)
    last_status = fields.Integer(allow_none=True, metadata=told("HTTP status of the newest try.", **STATUS))
    last_error = fields.String(allow_none=True, metadata=told("Masked."))
    error_class = fields.String(allow_none=True, metadata=told("A stable word: `connect`, `timeout`, `status`, …"))
    superseded_by = Id(allow_none=True, metadata=told("The delivery that made it stale."))
    replay_of = Id(allow_none=True, metadata=told("The delivery that it repeats."))
    replay_id = Id(allow_none=True, metadata=told("The replay that made it."))
    webhook_id = fields.String(metadata=told("Sent as `webhook-id` on every try, and on those of its replays."))
    example = {
        "id": DELIVERY_ID,
        "event_id": EVENT_ID,
        "event_type": "custom_object.record.updated",
        "subject": "record:InventoryItem/item-1",
        "destination": "erp",
        "state": "dead",
        "attempts": 1,
        "next_attempt_at": None,
        "created_at": "2026-05-01T10:00:00.312000Z",
        "finished_at": "2026-05-01T10:00:00.458000Z",
        "last_status": 422,
        "last_error": "it answered 422",
        "error_class": "status",
        "superseded_by": None,
        "replay_of": None,
        "replay_id": None,
        "webhook_id": DELIVERY_ID,
    }


class DeliveryWithAttemptsSchema(DeliverySchema):
    """One delivery, with every try of it."""

    attempt_log = fields.List(fields.Nested(AttemptSchema), metadata=told("The newest 500, in order."))
    example = {**DeliverySchema.example, "attempt_log": [AttemptSchema.example]}


class ReplayedDeliverySchema(DeliverySchema):
    """The delivery that carries a replay."""

    newer_delivered = fields.Boolean(metadata=told("Something newer of the same subject was delivered already."))
    example = {
        **DeliverySchema.example,
        "id": "01a20361-77c0-7d05-a1b4-2c9e8f7d6a35",
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": "2026-05-01T10:05:00Z",
        "created_at": "2026-05-01T10:05:00Z",
        "finished_at": None,
        "last_status": None,
        "last_error": None,
        "error_class": None,
        "replay_of": DELIVERY_ID,
        "newer_delivered": False,
    }


class CancellableSchema(Shape):
    """What a filter would cancel, as things stand."""

    matched = Count(metadata=told("Pending and not being sent right now."))
    more = fields.Boolean(metadata=told("There are more than `matched`, which were not counted."))
    by_destination = fields.Dict(keys=fields.String(), values=Count())
    example = {"matched": 14, "more": False, "by_destination": {"erp": 14}}


class CancelStepSchema(Shape):
    """What one call has cancelled."""

    cancelled = Count()
    skipped = Count(metadata=told("They were being sent, or ended, at that moment."))
    next = fields.String(allow_none=True, metadata=told("Send the order again with it as `cursor`; null: it is done."))
    example = {"cancelled": 14, "skipped": 0, "next": None}


DeliveryPageSchema = page_of(DeliverySchema, "DeliveryPageSchema")
