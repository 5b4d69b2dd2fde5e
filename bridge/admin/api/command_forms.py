"""How commands are asked for: headers, bodies, and the filter of their list.

A body is described here for OpenAPI, and read by the rules of its operation, so that everything that is wrong with a
command is told in one answer. It may not check a value itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from bridge.admin.api.fields import Choice, Line, Moment, told
from bridge.admin.api.queries import LONGEST_SUBJECT, OrderSchema, PageQuerySchema, since, until
from bridge.commands.search import CommandFilter
from bridge.commands.waiting import LONGEST_WAIT_SECONDS
from bridge.errors import FieldError
from bridge.events import COMMANDS
from bridge.genesys.operations.record_update import CONFLICT_CHOICES
from bridge.genesys.purge_policy import (
    CLASSIFICATIONS,
    FEWEST_REASON_CHARACTERS,
    INTERACTION_TYPES,
    MOST_RETENTION_DAYS,
    PURGE_TYPES,
)
from bridge.intake import tracing
from bridge.violations import Violation

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

COMMAND_STATES = ("accepted", "running", "succeeded", "failed", "cancelled")
#: Visible ASCII, so that every client and proxy hands it on as it is.
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
#: Source: https://www.rfc-editor.org/rfc/rfc7240#section-4.3
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,6})"?\s*(?=[,;]|$)', re.IGNORECASE | re.ASCII)


class IdempotencyKey(fields.String):
    """1 to 255 visible ASCII characters."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> str:
        if not _KEY.fullmatch(value):
            raise ValidationError(Violation("characters", "Must have 1 to 255 visible ASCII characters."))
        return str(value)


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a command is asked for, beside what is asked."""

    #: None: every request is a command of its own.
    idempotency_key: str | None
    #: For so many seconds the caller would rather wait for the end; 0: not at all.
    wait_seconds: int
    correlation_id: str | None
    traceparent: str | None


class KeySchema(Schema):
    """The header of a request that may be sent again."""

    class Meta:
        unknown = EXCLUDE

    idempotency_key = IdempotencyKey(
        data_key="Idempotency-Key",
        load_default=None,
        metadata={
            "description": "The same key and body again give the same one, and not a second one.",
            "examples": ["order-4711-1"],
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]+$",
        },
    )


class MannerSchema(KeySchema):
    """The headers of a request that gives a command."""

    prefer = fields.String(
        data_key="Prefer",
        load_default=None,
        metadata=told(f"`wait=N` waits for the end, at most {LONGEST_WAIT_SECONDS} seconds.", "wait=5"),
    )
    correlation_id = fields.String(
        data_key="X-Correlation-ID", load_default=None, metadata=told("Handed on to every request that it leads to.")
    )
    traceparent = fields.String(load_default=None, metadata=told("W3C trace context, handed on."))

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> Manner:
        # A preference that is not understood is ignored (RFC 7240, section 2).
        wait = _WAIT.search(given["prefer"] or "")
        environ = {"HTTP_X_CORRELATION_ID": given["correlation_id"], "HTTP_TRACEPARENT": given["traceparent"]}
        return Manner(
            idempotency_key=given["idempotency_key"],
            wait_seconds=min(int(wait[1]), LONGEST_WAIT_SECONDS) if wait else 0,
            correlation_id=tracing.correlation_id(environ),
            traceparent=tracing.traceparent(environ),
        )


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A body as it was sent: what may stand in it, and a violation for each name that may not."""

    body: Mapping[str, object]
    violations: tuple[FieldError, ...]


class WishSchema(OrderSchema):
    """The base of the bodies of commands. Its fields describe; what they are worth is the operation's to say."""

    def load(self, data: Any, **_: Any) -> Wish:
        """Raises ValidationError for what is no object."""
        if not isinstance(data, Mapping):
            raise ValidationError([Violation("type", "Must be an object.")])
        names = {field.data_key or name for name, field in self.fields.items()}
        unknown = [name for name in data if name not in names]
        return Wish(
            body={name: value for name, value in data.items() if name in names},
            violations=tuple(
                FieldError(field=name[:128], rule="unknown", message="Not known here: leave it out.")
                for name in unknown
            ),
        )


_AN_ID: Mapping[str, Any] = {"minLength": 1, "maxLength": 255}


def _of_type(
    kind: str | list[str], description: str, *, required: bool = False, named: str | None = None, **more: object
) -> fields.Raw:
    """A field for the document; `named` where Python has another use for its name."""
    return fields.Raw(required=required, data_key=named, metadata={"type": kind, "description": description, **more})


class InteractionUpdateSchema(WishSchema):
    customer_id = _of_type("string", "Whose interaction it is: the CRM is asked about them.", required=True, **_AN_ID)
    attributes = _of_type(
        "object", "Strings by name; needed unless there is a disposition_code.", additionalProperties={"type": "string"}
    )
    disposition_code = _of_type("string", "How the interaction ended.", minLength=1)
    example = {"customer_id": "cust-1", "attributes": {"tier": "gold"}, "disposition_code": "resolved"}


class ConversationUpdateSchema(WishSchema):
    attributes = _of_type(
        "object",
        "By name: a string of up to 1024 characters, an integer from 0 to 999999999, a boolean, or an ISO 8601 time.",
        required=True,
        additionalProperties={"type": ["string", "integer", "boolean"]},
    )
    participant = _of_type("string", "Whose attributes they are, where the API profile keeps them per participant.")
    example = {"attributes": {"tier": "gold", "orders": 3}}


class MergeSchema(WishSchema):
    interactions = _of_type(
        "array",
        "Two or more interactions of one customer.",
        required=True,
        minItems=2,
        items={
            "type": "object",
            "required": ["id", "type"],
            "properties": {"id": {"type": "string", **_AN_ID}, "type": {"type": "string", "minLength": 1}},
        },
    )
    dedupe = _of_type(
        "object",
        "What counts as the same interaction twice.",
        properties={
            "same_id": {"type": "boolean", "default": True},
            "window_seconds": {"type": "integer", "minimum": 0, "description": "Seconds."},
        },
    )
    example = {
        "interactions": [{"id": "voice-1001", "type": "voice"}, {"id": "chat-1002", "type": "chat"}],
        "dedupe": {"same_id": True, "window_seconds": 0},
    }


class RecordUpdateSchema(WishSchema):
    version = _of_type("integer", "The version that you saw; 0 is one.", required=True, minimum=0)
    values = _of_type("object", "The record's fields by name.", required=True, named="fields")
    tags = _of_type("array", "Kept with the change.", items={"type": "string", "minLength": 1}, default=["api-update"])
    on_conflict = _of_type("string", "What to do where somebody was faster.", enum=CONFLICT_CHOICES, default="fail")
    example = {"version": 7, "fields": {"quantity": 4}, "on_conflict": "retry"}


class PurgePolicySchema(WishSchema):
    type = _of_type("string", "Of the interactions.", required=True, named="interactionType", enum=INTERACTION_TYPES)
    range = _of_type(
        "object",
        "ISO 8601 with zone; the end must lie at least `retentionDays` in the past.",
        required=True,
        named="dateRange",
        properties={
            "start": {"type": "string", "format": "date-time"},
            "end": {"type": "string", "format": "date-time"},
        },
    )
    retention = _of_type(
        "integer", "Days.", required=True, named="retentionDays", minimum=0, maximum=MOST_RETENTION_DAYS
    )
    classification = _of_type("string", "Of what is purged.", required=True, enum=CLASSIFICATIONS)
    purge_type = _of_type("string", "For good, or not.", required=True, named="purgeType", enum=PURGE_TYPES)
    reason = _of_type("string", "Why, for governance.", required=True, minLength=FEWEST_REASON_CHARACTERS)
    filters = _of_type(["object", "null"], "`{attributes: {name: value}}`: only interactions that have all of these.")
    everything = _of_type("boolean", "Must be true where the filter takes everything of that type and time.")
    example = {
        "interactionType": "chat",
        "dateRange": {"start": "2023-01-01T00:00:00Z", "end": "2023-02-01T00:00:00Z"},
        "retentionDays": 365,
        "classification": "internal",
        "purgeType": "permanent",
        "reason": "retention has ended for these chats",
        "everything": True,
    }


class CommandQuerySchema(PageQuerySchema):
    listed = "commands"
    filter_type = CommandFilter

    operation = Choice(sorted(COMMANDS), metadata=told("What was asked."))
    subject = Line(longest=LONGEST_SUBJECT, metadata=told("Exactly.", "conversation:conv-2001"))
    state = Choice(COMMAND_STATES, metadata=told("`accepted` and `running` are on their way."))
    since = since("created_at")
    until = until("created_at")


class PurgeQuerySchema(PageQuerySchema):
    listed = "purges"


@dataclass(frozen=True, kw_only=True)
class Span:
    since: datetime | None
    until: datetime | None


class SpanQuerySchema(Schema):
    since = Moment(load_default=None, metadata=told("By default a day before `until`.", "2026-04-30T10:00:00Z"))
    until = Moment(load_default=None, metadata=told("By default now.", "2026-05-01T10:00:00Z"))

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> Span:
        return Span(**given)
