"""What the API answers about destinations, lanes, the overview, and what receivers get. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.api.fields import Moment
from bridge.admin.api.shapes import Shape, page_of
from bridge.admin.search.tries import FAILING, Span

_OF_THE_SAMPLE = "Over the last hour; of a busy destination over its newest 500 deliveries."


class AnswerLatencySchema(Shape):
    p50 = fields.Integer()
    p95 = fields.Integer()


class DestinationSchema(Shape):
    name = fields.String()
    kind = fields.String()
    url = fields.String(allow_none=True, metadata={"description": "Without the values of its query."})
    state = fields.String(
        metadata={
            "enum": ["active", "paused", "disabled"],
            "description": "`paused` by an operator or by a 410; `disabled` by the configuration (`paused = true`).",
        }
    )
    paused_at = Moment(allow_none=True)
    paused_reason = fields.String(allow_none=True)
    breaker = fields.String(metadata={"enum": ["closed", "open", "half-open"]})
    breaker_until = Moment(allow_none=True)
    backlog = fields.Integer(metadata={"description": "Deliveries that are owed."})
    oldest_seconds = fields.Float(metadata={"description": "Age of the oldest of them; 0 where none is owed."})
    dead = fields.Integer()
    blocked_lanes = fields.Integer()
    rate_1m = fields.Float(metadata={"description": "Delivered per second, over the last minute."})
    success_rate_1h = fields.Float(
        allow_none=True, metadata={"description": f"The share of tries that delivered. {_OF_THE_SAMPLE}"}
    )
    latency_ms = fields.Nested(
        AnswerLatencySchema, allow_none=True, metadata={"description": f"Of answered tries. {_OF_THE_SAMPLE}"}
    )
    last_error = fields.String(allow_none=True)
    last_error_at = Moment(allow_none=True)


class StretchSchema(Shape):
    at = Moment()
    tries = fields.Integer()
    failed = fields.Integer()
    p50_ms = fields.Integer(allow_none=True, metadata={"description": "Of answered tries; null: there was none."})
    p95_ms = fields.Integer(allow_none=True)


class FailureKindSchema(Shape):
    error_class = fields.String()
    status = fields.Integer(allow_none=True, metadata={"description": "Null: there was no answer."})
    count = fields.Integer(metadata={"maximum": FAILING})
    error = fields.String(allow_none=True, metadata={"description": "Of the newest of them; masked."})
    delivery_id = fields.String(metadata={"description": "The newest of them."})


class TriesSchema(Shape):
    span = fields.String(metadata={"enum": list(Span)})
    stretches = fields.List(fields.Nested(StretchSchema), metadata={"description": "Oldest first; the last one runs."})
    failures = fields.List(
        fields.Nested(FailureKindSchema),
        metadata={"description": f"Most frequent first, of the newest {FAILING} deliveries that fail."},
    )


class TrialSchema(Shape):
    outcome = fields.String(metadata={"enum": ["delivered", "retry_later", "rejected"]})
    status = fields.Integer(allow_none=True, metadata={"description": "Null: there was no answer."})
    error = fields.String(allow_none=True)
    error_class = fields.String(allow_none=True)
    answer_excerpt = fields.String(allow_none=True)
    duration_ms = fields.Integer()
    sent_bytes = fields.Integer(allow_none=True)
    sent_sha256 = fields.String(allow_none=True)


class PreviewSchema(Shape):
    owed = fields.Boolean(metadata={"description": "The destination would be owed the event today."})
    revealed = fields.Boolean()
    method = fields.String()
    url = fields.String()
    headers = fields.Dict(keys=fields.String(), values=fields.String())
    body = fields.Raw(metadata={"description": "Personal data is masked unless revealed."})


class DeadHeadSchema(Shape):
    delivery = fields.String()
    error = fields.String(allow_none=True)


class LaneSchema(Shape):
    destination = fields.String()
    subject = fields.String()
    blocked_at = Moment()
    waiting = fields.Integer(metadata={"description": "Deliveries behind the head."})
    head = fields.Nested(DeadHeadSchema)


class FreedLaneSchema(Shape):
    destination = fields.String()
    subject = fields.String()
    delivery = fields.String(metadata={"description": "The delivery that held the lane."})
    state = fields.String(metadata={"enum": ["dead", "pending"], "description": "Its state now."})


class MinuteSchema(Shape):
    at = Moment()
    events_in = fields.Integer()
    deliveries_out = fields.Integer()
    deliveries_dead = fields.Integer()


class SourceSchema(Shape):
    name = fields.String()
    format = fields.String()
    last_event_at = Moment(allow_none=True)
    silent = fields.Boolean(metadata={"description": "Not heard for longer than its `expect_every`."})
    rejections_1h = fields.Integer(metadata={"maximum": 1000})
    unreadable_1h = fields.Integer(metadata={"maximum": 1000})
    last_rejection_at = Moment(allow_none=True)
    last_rejection_cause = fields.String(allow_none=True)


class UnsealedSchema(Shape):
    unsealed = fields.Integer()


class OverviewSchema(Shape):
    at = Moment()
    minutes = fields.List(fields.Nested(MinuteSchema), metadata={"description": "60, oldest first; the last one runs."})
    destinations = fields.List(fields.Nested(DestinationSchema))
    backlog = fields.Integer()
    dead = fields.Integer()
    blocked_lanes = fields.Integer()
    sources = fields.List(fields.Nested(SourceSchema))
    audit = fields.Nested(UnsealedSchema)
    stalled = fields.Boolean(metadata={"description": "Deliveries are long due, and no worker tries any."})


class ReceivedTypeSchema(Shape):
    type = fields.String()
    carries = fields.String(
        metadata={
            "enum": ["state", "change", "end"],
            "description": "All of its subject, a part of it, or that it is gone: what may make an older one stale.",
        }
    )
    kinds = fields.List(fields.String())


class ReceivedSchema(Shape):
    kind = fields.String()
    content_type = fields.String()
    note = fields.String()
    schema = fields.Raw(metadata={"type": "object", "description": "JSON Schema, draft 2020-12."})
    sample = fields.Raw(metadata={"type": "object"})


class ReceivedEventSchema(Shape):
    type = fields.String()
    carries = fields.String(metadata={"enum": ["state", "change", "end"]})
    headers = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "By name: what each request's is."}
    )
    receivers = fields.List(fields.Nested(ReceivedSchema))


DestinationPageSchema = page_of(DestinationSchema, "DestinationPageSchema")
LanePageSchema = page_of(LaneSchema, "LanePageSchema")
ReceivedTypePageSchema = page_of(ReceivedTypeSchema, "ReceivedTypePageSchema")
