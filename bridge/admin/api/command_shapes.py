"""What the API answers about commands and purges. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.api.command_forms import COMMAND_STATES, PurgePolicySchema
from bridge.admin.api.fields import Count, Id, Moment, Word, told
from bridge.admin.api.shapes import SOMETIMES, Shape, page_of

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

_OF_THE_COMMAND = told("Of the command; see GET /api/v1/commands/{id}.")
_COMMAND_ID = "01a20370-2f1e-7d3c-8b4a-596877a6b5c4"
_STATUS_URL = f"/api/v1/commands/{_COMMAND_ID}"
_SOMETIMES = {SOMETIMES: True}


class StepSchema(Shape):
    """One step of a command that was carried out, or tried."""

    at = fields.String(metadata={"format": "date-time"})
    outcome = Word(("waiting", "done", "failed"))
    status = fields.Integer(metadata=told("HTTP status of the last answer in the step.", **_SOMETIMES))
    detail = fields.String(metadata=_SOMETIMES)
    genesys_correlation_id = fields.String(allow_none=True, metadata=_SOMETIMES)
    example = {"at": "2026-05-01T10:10:00Z", "outcome": "done", "status": 200}


class MeasuresSchema(Shape):
    """What a command has cost so far; empty before its first step."""

    latency_ms = Count(metadata=told("Milliseconds, from the first step on.", **_SOMETIMES))
    retries = Count(metadata=told("Calls repeated within a try.", **_SOMETIMES))
    conflicts = Count(metadata=_SOMETIMES)
    violations = Count(metadata=_SOMETIMES)
    example = {"latency_ms": 412, "retries": 0, "conflicts": 0, "violations": 0}


class CommandSchema(Shape):
    """What was asked of Genesys, and what became of it."""

    id = Id()
    operation = fields.String()
    subject = fields.String()
    state = Word(COMMAND_STATES)
    steps = fields.List(fields.Nested(StepSchema), metadata=told("The newest 50, oldest first."))
    result = fields.Raw(allow_none=True, metadata=told("Personal data is masked.", type=["object", "null"]))
    error = fields.String(allow_none=True, metadata=told("Why it failed, or what the newest try ran into; masked."))
    conflicts = Count(metadata=told("How often somebody else was faster."))
    measures = fields.Nested(MeasuresSchema)
    progress = fields.Raw(metadata=told("How far a merge or a purge is at Genesys.", type="object"))
    attempts = Count(metadata=told("Tries that failed or ended it; a step that waits is none."))
    delivery_id = Id(allow_none=True, metadata=told("The delivery that carries it to Genesys."))
    created_at = Moment()
    finished_at = Moment(allow_none=True)
    example = {
        "id": _COMMAND_ID,
        "operation": "conversation.attributes.update",
        "subject": "conversation:conv-2001",
        "state": "succeeded",
        "steps": [StepSchema.example],
        "result": {"conversationId": "conv-2001", "version": 4, "updatedKeys": ["tier"]},
        "error": None,
        "conflicts": 0,
        "measures": MeasuresSchema.example,
        "progress": {},
        "attempts": 1,
        "delivery_id": "01a20370-2f1f-7a0b-9c8d-7e6f5a4b3c2d",
        "created_at": "2026-05-01T10:09:59.700000Z",
        "finished_at": "2026-05-01T10:10:00.112000Z",
    }


class GivenCommandSchema(Shape):
    """A command that was taken."""

    command = Id(metadata=_OF_THE_COMMAND)
    status_url = fields.String(metadata=told("Where to ask what became of it.", format="uri-reference"))
    repeated = fields.Boolean(metadata=told("It was given before, under the same Idempotency-Key."))
    example = {"command": _COMMAND_ID, "status_url": _STATUS_URL, "repeated": False}


class EndedCommandSchema(CommandSchema):
    """The command that was waited for, with what the answer without waiting has."""

    command = Id(metadata=_OF_THE_COMMAND)
    status_url = fields.String(metadata={"format": "uri-reference"})
    repeated = fields.Boolean()
    example = {**CommandSchema.example, **GivenCommandSchema.example}


class HistorySchema(Shape):
    """Every change of a record."""

    items = fields.List(
        fields.Raw(metadata={"type": "object"}),
        metadata=told("As Genesys wrote them, newest first; personal data is masked."),
    )
    next = fields.String(allow_none=True, metadata=told("Always null: this is all of it."))
    example = {"items": [{"version": 7, "modifiedTime": "2026-05-01T10:00:00Z", "action": "update"}], "next": None}


class PurgeSchema(Shape):
    """A purge: a plan first, a command once somebody else has approved it."""

    id = Id()
    state = Word(("awaiting_approval", *COMMAND_STATES))
    policy = fields.Raw(metadata=told("As planned; personal data is masked.", type="object"))
    expected = fields.Integer(
        allow_none=True, metadata=told("Interactions that it will take; null where nobody can tell.")
    )
    planner = fields.String(metadata=told("The person."))
    approver = fields.String(allow_none=True, metadata=told("The person; never the planner."))
    planned_at = Moment()
    approved_at = Moment(allow_none=True)
    command = Id(allow_none=True, attribute="command_id", metadata=_OF_THE_COMMAND)
    example = {
        "id": "01a20375-4d5e-7f60-8a9b-acbdcedfe0f1",
        "state": "awaiting_approval",
        "policy": PurgePolicySchema.example,
        "expected": None,
        "planner": "eva",
        "approver": None,
        "planned_at": "2026-05-01T10:15:00Z",
        "approved_at": None,
        "command": None,
    }


class LatencySchema(Shape):
    """Milliseconds."""

    p50 = Count()
    p95 = Count()
    max = Count()
    example = {"p50": 380, "p95": 910, "max": 1204}


class OperationMeasuresSchema(Shape):
    """How the commands of one operation went."""

    operation = fields.String()
    asked = Count()
    open = Count()
    succeeded = Count()
    failed = Count()
    cancelled = Count()
    latency_ms = fields.Nested(LatencySchema, allow_none=True, metadata=told("Null: none has ended."))
    retries = Count()
    conflicts = Count()
    violations = Count()
    purged = Count(metadata=told("Interactions."))
    per_minute = fields.Float(metadata=told("Commands that have ended, per minute of the span."))
    example = {
        "operation": "conversation.attributes.update",
        "asked": 240,
        "open": 2,
        "succeeded": 236,
        "failed": 2,
        "cancelled": 0,
        "latency_ms": LatencySchema.example,
        "retries": 3,
        "conflicts": 1,
        "violations": 0,
        "purged": 0,
        "per_minute": 0.165,
    }


class SummarySchema(Shape):
    """Commands of a span of time, by operation."""

    since = Moment()
    until = Moment()
    operations = fields.List(fields.Nested(OperationMeasuresSchema))
    example = {
        "since": "2026-04-30T10:20:00Z",
        "until": "2026-05-01T10:20:00Z",
        "operations": [OperationMeasuresSchema.example],
    }


CommandPageSchema = page_of(CommandSchema, "CommandPageSchema")
PurgePageSchema = page_of(PurgeSchema, "PurgePageSchema")
