"""What the API answers: a schema for each shape. Fields may be added; none may go or change its meaning.

A schema only writes out what a search or an order gave; it may not look anything up.
"""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from bridge.admin.api.fields import Moment


class Shape(Schema):
    """The base of every answer; open, because fields may be added."""

    class Meta:
        unknown = EXCLUDE


def page_of(item: type[Shape], name: str) -> type[Shape]:
    """The schema of a page of `item`; `next` is null on the last."""
    members: dict[str, Any] = {
        "items": fields.List(fields.Nested(item), required=True),
        "next": fields.String(
            required=True,
            allow_none=True,
            metadata={"description": "Send it as `cursor` for the page after this one; null: this is the last."},
        ),
    }
    return type(name, (Shape,), members)


class FieldErrorSchema(Shape):
    field = fields.String()
    rule = fields.String()
    message = fields.String()


class OwedDeliverySchema(Shape):
    id = fields.String()
    destination = fields.String()
    state = fields.String()


class EventSchema(Shape):
    id = fields.String()
    source = fields.String()
    type = fields.String()
    subject = fields.String()
    version = fields.Raw(metadata={"type": ["integer", "string", "null"]})
    occurred_at = Moment(allow_none=True)
    received_at = Moment()
    duplicates = fields.Integer()
    state = fields.String(metadata={"enum": ["recorded", "unreadable"]})
    correlation_id = fields.String(allow_none=True)
    payload = fields.Raw(metadata={"description": "Personal data is masked; null where it was erased."})
    erased = fields.Boolean(metadata={"description": "True: its envelope is all that is left."})
    errors = fields.List(fields.Nested(FieldErrorSchema), allow_none=True)
    deliveries = fields.List(fields.Nested(OwedDeliverySchema))


class RawBodySchema(Shape):
    id = fields.String()
    size = fields.Integer(metadata={"description": "Bytes."})
    sha256 = fields.String(metadata={"description": "Of the exact bytes, hex."})
    revealed = fields.Boolean()
    body = fields.Raw(metadata={"description": "What the body says; personal data is masked unless revealed."})
    text = fields.String(allow_none=True, metadata={"description": "The exact body; null unless revealed."})


class ReadEventSchema(Shape):
    id = fields.String()
    type = fields.String()
    subject = fields.String()
    duplicate = fields.Boolean(metadata={"description": "It was recorded meanwhile, under this id."})
    deliveries = fields.List(fields.String(), metadata={"description": "The destinations that are owed it now."})


class ReparsedSchema(Shape):
    id = fields.String()
    result = fields.String(metadata={"enum": ["recorded", "duplicate"]})
    events = fields.List(fields.Nested(ReadEventSchema))


class AttemptSchema(Shape):
    number = fields.Integer()
    started_at = Moment()
    duration_ms = fields.Integer()
    outcome = fields.String()
    status = fields.Integer(allow_none=True)
    error = fields.String(allow_none=True)
    error_class = fields.String(allow_none=True)
    answer_excerpt = fields.String(allow_none=True)
    sent_bytes = fields.Integer(allow_none=True)
    sent_sha256 = fields.String(allow_none=True)


class DeliverySchema(Shape):
    id = fields.String()
    event_id = fields.String()
    event_type = fields.String()
    subject = fields.String()
    destination = fields.String()
    state = fields.String()
    attempts = fields.Integer()
    next_attempt_at = Moment(allow_none=True)
    created_at = Moment()
    finished_at = Moment(allow_none=True)
    last_status = fields.Integer(allow_none=True)
    last_error = fields.String(allow_none=True)
    error_class = fields.String(allow_none=True)
    superseded_by = fields.String(allow_none=True)
    replay_of = fields.String(allow_none=True)
    replay_id = fields.String(allow_none=True)
    webhook_id = fields.String()


class DeliveryWithAttemptsSchema(DeliverySchema):
    attempt_log = fields.List(fields.Nested(AttemptSchema), metadata={"description": "The newest 500, in order."})


class ReplayedDeliverySchema(DeliverySchema):
    newer_delivered = fields.Boolean(
        metadata={"description": "Something newer of the same subject was delivered already."}
    )


class CancellableSchema(Shape):
    matched = fields.Integer(metadata={"description": "Pending and not being sent right now."})
    more = fields.Boolean(metadata={"description": "There are more than `matched`, which were not counted."})
    by_destination = fields.Dict(keys=fields.String(), values=fields.Integer())


class CancelStepSchema(Shape):
    cancelled = fields.Integer()
    skipped = fields.Integer(metadata={"description": "They were being sent, or ended, at that moment."})
    next = fields.String(
        allow_none=True, metadata={"description": "Send the order again with it as `cursor`; null: it is done."}
    )


_SKIPPED = {"description": "Rows that another replay was sending already; not in `matched`."}
_SKIPPED_FOR = {"description": "The same by whom: the id of the replay, or `single` for orders about one delivery."}
_LEFT_OUT = {"description": "Older versions that `latest` does not send; not in `matched`."}


class ReplaySchema(Shape):
    id = fields.String()
    state = fields.String(metadata={"enum": ["running", "paused", "completed", "cancelled"]})
    mode = fields.String()
    filter = fields.Raw(metadata={"type": "object"})
    rate = fields.Float(metadata={"description": "Deliveries per second at most."})
    reason = fields.String()
    created_by = fields.String()
    created_at = Moment()
    finished_at = Moment(
        allow_none=True, metadata={"description": "When the last of its deliveries had ended, or was cancelled."}
    )
    matched = fields.Integer(metadata={"description": "Deliveries that it makes."})
    skipped = fields.Integer(metadata=_SKIPPED)
    skipped_for = fields.Dict(keys=fields.String(), values=fields.Integer(), metadata=_SKIPPED_FOR)
    left_out = fields.Integer(metadata=_LEFT_OUT)
    pending = fields.Integer(metadata={"description": "In their lanes, not ended."})
    sent = fields.Integer(metadata={"description": "Tried at least once."})
    delivered = fields.Integer()
    failed = fields.Integer(metadata={"description": "Dead."})
    superseded = fields.Integer()
    cancelled = fields.Integer(metadata={"description": "Taken out of their lanes when the replay was cancelled."})
    walking = fields.Boolean(metadata={"description": "False: everything is in its lanes; pausing holds nothing back."})


class ReplayCountsSchema(Shape):
    matched = fields.Integer(metadata={"description": "Deliveries that it would make."})
    by_destination = fields.Dict(keys=fields.String(), values=fields.Integer())
    by_type = fields.Dict(keys=fields.String(), values=fields.Integer())
    skipped = fields.Integer(metadata=_SKIPPED)
    skipped_for = fields.Dict(keys=fields.String(), values=fields.Integer(), metadata=_SKIPPED_FOR)
    left_out = fields.Integer(metadata=_LEFT_OUT)


class AuditEntrySchema(Shape):
    id = fields.String()
    at = Moment()
    actor = fields.String()
    action = fields.String()
    subject = fields.String()
    reason = fields.String(allow_none=True)
    details = fields.Raw(metadata={"type": "object"})
    sealed = fields.Boolean()
    hash = fields.String(allow_none=True)


class VerificationSchema(Shape):
    sealed = fields.Integer(metadata={"description": "Positions that hold, from the first on."})
    head = fields.String(metadata={"description": "Hex; keep it elsewhere, and verify against it later."})
    problem = fields.String(allow_none=True)
    entry_id = fields.String(allow_none=True)
    position = fields.Integer(allow_none=True)


class AuditExportSchema(Shape):
    """One line of the export."""

    position = fields.Integer()
    hash = fields.String()
    entry = fields.Raw(metadata={"type": "object"})


class RejectionSchema(Shape):
    id = fields.String()
    at = Moment()
    source = fields.String()
    cause = fields.String()
    status = fields.Integer()
    address = fields.String()
    size = fields.Integer(metadata={"description": "Bytes of the body as far as it was read."})
    kept = fields.Boolean(metadata={"description": "The body is kept, because the sender was verified."})


class TokenSchema(Shape):
    id = fields.String()
    name = fields.String()
    person = fields.String()
    role = fields.String()
    destination = fields.String(allow_none=True)
    created_at = Moment()
    expires_at = Moment(allow_none=True)
    last_used_at = Moment(allow_none=True)
    revoked_at = Moment(allow_none=True)


class NewTokenSchema(TokenSchema):
    token = fields.String(metadata={"description": "The token itself: shown this once."})


EventPageSchema = page_of(EventSchema, "EventPageSchema")
DeliveryPageSchema = page_of(DeliverySchema, "DeliveryPageSchema")
ReplayPageSchema = page_of(ReplaySchema, "ReplayPageSchema")
AuditPageSchema = page_of(AuditEntrySchema, "AuditPageSchema")
RejectionPageSchema = page_of(RejectionSchema, "RejectionPageSchema")
TokenPageSchema = page_of(TokenSchema, "TokenPageSchema")
