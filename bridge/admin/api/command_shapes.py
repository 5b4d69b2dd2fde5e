"""What the API answers about commands and purges. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.api.command_forms import COMMAND_STATES
from bridge.admin.api.fields import Moment
from bridge.admin.api.shapes import Shape, page_of

_ID = {"description": "Of the command; see GET /api/v1/commands/{id}."}


class StepSchema(Shape):
    at = fields.String()
    outcome = fields.String(metadata={"enum": ["waiting", "done", "failed"]})
    status = fields.Integer(metadata={"description": "HTTP status of the last answer in the step."})
    detail = fields.String()
    genesys_correlation_id = fields.String(allow_none=True)


class MeasuresSchema(Shape):
    latency_ms = fields.Integer(metadata={"description": "From the first step on."})
    retries = fields.Integer(metadata={"description": "Calls repeated within a try."})
    conflicts = fields.Integer()
    violations = fields.Integer()


class CommandSchema(Shape):
    id = fields.String()
    operation = fields.String()
    subject = fields.String()
    state = fields.String(metadata={"enum": list(COMMAND_STATES)})
    steps = fields.List(fields.Nested(StepSchema), metadata={"description": "The newest 50, oldest first."})
    result = fields.Raw(
        allow_none=True, metadata={"type": ["object", "null"], "description": "Personal data is masked."}
    )
    error = fields.String(allow_none=True)
    conflicts = fields.Integer()
    measures = fields.Nested(MeasuresSchema)
    progress = fields.Raw(
        metadata={"type": "object", "description": "How far a merge or a purge is at Genesys."},
    )
    attempts = fields.Integer(metadata={"description": "Tries that failed or ended it; a step that waits is none."})
    delivery_id = fields.String(allow_none=True)
    created_at = Moment()
    finished_at = Moment(allow_none=True)


class GivenCommandSchema(Shape):
    command = fields.String(metadata=_ID)
    status_url = fields.String()
    repeated = fields.Boolean(metadata={"description": "It was given before, under the same Idempotency-Key."})


class EndedCommandSchema(CommandSchema):
    """The command that was waited for, with what the answer without waiting has."""

    command = fields.String(metadata=_ID)
    status_url = fields.String()
    repeated = fields.Boolean()


class HistorySchema(Shape):
    items = fields.List(
        fields.Raw(metadata={"type": "object"}),
        metadata={"description": "As Genesys wrote them, newest first; personal data is masked."},
    )
    next = fields.String(allow_none=True, metadata={"description": "Always null: this is all of it."})


class PurgeSchema(Shape):
    id = fields.String()
    state = fields.String(metadata={"enum": ["awaiting_approval", *COMMAND_STATES]})
    policy = fields.Raw(metadata={"type": "object", "description": "As planned; personal data is masked."})
    expected = fields.Integer(
        allow_none=True, metadata={"description": "Interactions that it will take; null where nobody can tell."}
    )
    planner = fields.String()
    approver = fields.String(allow_none=True)
    planned_at = Moment()
    approved_at = Moment(allow_none=True)
    command = fields.String(allow_none=True, attribute="command_id", metadata=_ID)


class LatencySchema(Shape):
    p50 = fields.Integer()
    p95 = fields.Integer()
    max = fields.Integer()


class OperationMeasuresSchema(Shape):
    operation = fields.String()
    asked = fields.Integer()
    open = fields.Integer()
    succeeded = fields.Integer()
    failed = fields.Integer()
    cancelled = fields.Integer()
    latency_ms = fields.Nested(LatencySchema, allow_none=True)
    retries = fields.Integer()
    conflicts = fields.Integer()
    violations = fields.Integer()
    purged = fields.Integer()
    per_minute = fields.Float(metadata={"description": "Commands that have ended, per minute of the span."})


class SummarySchema(Shape):
    since = Moment()
    until = Moment()
    operations = fields.List(fields.Nested(OperationMeasuresSchema))


CommandPageSchema = page_of(CommandSchema, "CommandPageSchema")
PurgePageSchema = page_of(PurgeSchema, "PurgePageSchema")
