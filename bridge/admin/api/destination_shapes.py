"""What the API answers about destinations, lanes and the overview. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.api.delivery_shapes import OUTCOMES, STATUS
from bridge.admin.api.fields import Count, Id, Moment, Word, told
from bridge.admin.api.shapes import DELIVERY_ID, Shape, page_of

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

_OF_THE_SAMPLE = "Over the last hour; of a busy destination over its newest 500 deliveries."


class AnswerLatencySchema(Shape):
    """Milliseconds."""

    p50 = Count()
    p95 = Count()
    example = {"p50": 41, "p95": 180}


class DestinationSchema(Shape):
    """Somebody we owe events to, and how it goes."""

    name = fields.String()
    kind = fields.String()
    url = fields.String(allow_none=True, metadata=told("Without the values of its query."))
    state = Word(
        ("active", "paused", "disabled"),
        metadata=told("`paused` by an operator or by a 410; `disabled` by the configuration (`paused = true`)."),
    )
    paused_at = Moment(allow_none=True)
    paused_reason = fields.String(allow_none=True)
    breaker = Word(("closed", "open", "half-open"))
    breaker_until = Moment(allow_none=True, metadata=told("When an open one lets the next try through."))
    backlog = Count(metadata=told("Deliveries that are owed."))
    oldest_seconds = fields.Float(metadata=told("Age of the oldest of them, in seconds; 0 where none is owed."))
    dead = Count(metadata=told("Deliveries."))
    blocked_lanes = Count()
    rate_1m = fields.Float(metadata=told("Delivered per second, over the last minute."))
    success_rate_1h = fields.Float(
        allow_none=True, metadata=told(f"The share of tries that delivered, from 0 to 1. {_OF_THE_SAMPLE}")
    )
    latency_ms = fields.Nested(
        AnswerLatencySchema, allow_none=True, metadata=told(f"Milliseconds, of answered tries. {_OF_THE_SAMPLE}")
    )
    last_error = fields.String(allow_none=True, metadata=told("Masked."))
    last_error_at = Moment(allow_none=True)
    example = {
        "name": "erp",
        "kind": "erp",
        "url": "https://erp.example.com/genesys",
        "state": "active",
        "paused_at": None,
        "paused_reason": None,
        "breaker": "closed",
        "breaker_until": None,
        "backlog": 14,
        "oldest_seconds": 2.4,
        "dead": 1,
        "blocked_lanes": 0,
        "rate_1m": 31.2,
        "success_rate_1h": 0.998,
        "latency_ms": AnswerLatencySchema.example,
        "last_error": "it answered 422",
        "last_error_at": "2026-05-01T10:00:00.420000Z",
    }


class TrialSchema(Shape):
    """What came of a harmless request."""

    outcome = Word(OUTCOMES)
    status = fields.Integer(allow_none=True, metadata=told("HTTP status; null: there was no answer.", **STATUS))
    error = fields.String(allow_none=True)
    error_class = fields.String(allow_none=True)
    answer_excerpt = fields.String(allow_none=True, metadata=told("The beginning of the answer's body, masked."))
    duration_ms = Count(metadata=told("Milliseconds."))
    sent_bytes = fields.Integer(allow_none=True, metadata=told("Bytes of the request's body."))
    sent_sha256 = fields.String(allow_none=True, metadata=told("Of the request's body, hex."))
    example = {
        "outcome": "delivered",
        "status": 204,
        "error": None,
        "error_class": None,
        "answer_excerpt": None,
        "duration_ms": 36,
        "sent_bytes": 141,
        "sent_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    }


class PreviewSchema(Shape):
    """The request that an event would become."""

    owed = fields.Boolean(metadata=told("The destination would be owed the event today."))
    revealed = fields.Boolean()
    method = fields.String()
    url = fields.String()
    headers = fields.Dict(keys=fields.String(), values=fields.String(), metadata=told("Secrets are hidden."))
    body = fields.Raw(metadata=told("Personal data is masked unless revealed."))
    example = {
        "owed": True,
        "revealed": False,
        "method": "POST",
        "url": "https://erp.example.com/genesys",
        "headers": {"Content-Type": "application/json", "webhook-id": DELIVERY_ID, "Authorization": "***"},
        "body": {"source": "genesys-cloud", "schemaName": "InventoryItem", "recordId": "item-1"},
    }


class DeadHeadSchema(Shape):
    """What holds a lane."""

    delivery = Id()
    error = fields.String(allow_none=True, metadata=told("Masked."))
    example = {"delivery": DELIVERY_ID, "error": "it answered 422"}


class LaneSchema(Shape):
    """A subject that waits behind a dead delivery."""

    destination = fields.String()
    subject = fields.String()
    blocked_at = Moment()
    waiting = Count(metadata=told("Deliveries behind the head."))
    head = fields.Nested(DeadHeadSchema)
    example = {
        "destination": "erp",
        "subject": "record:InventoryItem/item-1",
        "blocked_at": "2026-05-01T10:00:00.458000Z",
        "waiting": 3,
        "head": DeadHeadSchema.example,
    }


class FreedLaneSchema(Shape):
    """A lane that goes on."""

    destination = fields.String()
    subject = fields.String()
    delivery = Id(metadata=told("The delivery that held the lane."))
    state = Word(("dead", "pending"), metadata=told("Its state now."))
    example = {
        "destination": "erp",
        "subject": "record:InventoryItem/item-1",
        "delivery": DELIVERY_ID,
        "state": "pending",
    }


class MinuteSchema(Shape):
    """What came in and went out in one minute."""

    at = Moment(metadata=told("When it began."))
    events_in = Count()
    deliveries_out = Count()
    deliveries_dead = Count()
    example = {"at": "2026-05-01T10:20:00Z", "events_in": 1830, "deliveries_out": 3655, "deliveries_dead": 1}


class SourceSchema(Shape):
    """Somebody who may post to us, and how it goes."""

    name = fields.String()
    format = fields.String()
    last_event_at = Moment(allow_none=True)
    silent = fields.Boolean(metadata=told("Not heard for longer than its `expect_every`."))
    rejections_1h = Count(metadata={"maximum": 1000})
    unreadable_1h = Count(metadata={"maximum": 1000})
    last_rejection_at = Moment(allow_none=True)
    last_rejection_cause = fields.String(allow_none=True)
    example = {
        "name": "genesys",
        "format": "genesys",
        "last_event_at": "2026-05-01T10:20:31Z",
        "silent": False,
        "rejections_1h": 2,
        "unreadable_1h": 0,
        "last_rejection_at": "2026-05-01T10:04:00Z",
        "last_rejection_cause": "signature-wrong",
    }


class UnsealedSchema(Shape):
    """The audit's state."""

    unsealed = Count(metadata=told("Entries that wait for their place in the chain."))
    example = {"unsealed": 12}


class OverviewSchema(Shape):
    """Everything at a glance."""

    at = Moment()
    minutes = fields.List(fields.Nested(MinuteSchema), metadata=told("60, oldest first; the last one runs."))
    destinations = fields.List(fields.Nested(DestinationSchema))
    backlog = Count(metadata=told("Over all destinations, as the two below."))
    dead = Count()
    blocked_lanes = Count()
    sources = fields.List(fields.Nested(SourceSchema))
    audit = fields.Nested(UnsealedSchema)
    stalled = fields.Boolean(metadata=told("Deliveries are long due, and no worker tries any."))
    example = {
        "at": "2026-05-01T10:20:42Z",
        "minutes": [MinuteSchema.example],
        "destinations": [DestinationSchema.example],
        "backlog": 14,
        "dead": 1,
        "blocked_lanes": 0,
        "sources": [SourceSchema.example],
        "audit": UnsealedSchema.example,
        "stalled": False,
    }


DestinationPageSchema = page_of(DestinationSchema, "DestinationPageSchema")
LanePageSchema = page_of(LaneSchema, "LanePageSchema")
