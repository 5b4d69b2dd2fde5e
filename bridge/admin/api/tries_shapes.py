"""What the API answers about how a destination's tries went. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.api.delivery_shapes import STATUS
from bridge.admin.api.fields import Count, Id, Moment, Word, told
from bridge.admin.api.shapes import DELIVERY_ID, Shape
from bridge.admin.search.tries import FAILING, Span

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012


class StretchSchema(Shape):
    """The tries that began in one part of the span."""

    at = Moment(metadata=told("When it began."))
    tries = Count()
    failed = Count(metadata=told("Of the tries."))
    p50_ms = fields.Integer(allow_none=True, metadata=told("Milliseconds, of answered tries; null: there was none."))
    p95_ms = fields.Integer(allow_none=True, metadata=told("The same: 95 in a hundred took no longer."))
    example = {"at": "2026-05-01T10:20:00Z", "tries": 61, "failed": 1, "p50_ms": 41, "p95_ms": 180}


class FailureKindSchema(Shape):
    """Deliveries that fail in one way."""

    error_class = fields.String(metadata=told("A stable word: `connect`, `timeout`, `status`, …"))
    status = fields.Integer(allow_none=True, metadata=told("HTTP status; null: there was no answer.", **STATUS))
    count = Count(metadata=told("Deliveries.", maximum=FAILING))
    error = fields.String(allow_none=True, metadata=told("Of the newest of them; masked."))
    delivery_id = Id(metadata=told("The newest of them."))
    example = {
        "error_class": "status",
        "status": 422,
        "count": 3,
        "error": "it answered 422",
        "delivery_id": DELIVERY_ID,
    }


class TriesSchema(Shape):
    """How the tries of a destination went, over time and by kind of failure."""

    span = Word(str(one) for one in Span)
    stretches = fields.List(fields.Nested(StretchSchema), metadata=told("Oldest first; the last one runs."))
    failures = fields.List(
        fields.Nested(FailureKindSchema),
        metadata=told(f"Most frequent first, of the newest {FAILING} deliveries that fail."),
    )
    example = {"span": "hour", "stretches": [StretchSchema.example], "failures": [FailureKindSchema.example]}
