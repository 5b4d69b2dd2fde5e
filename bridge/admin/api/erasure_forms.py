"""How an erasure is asked for, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields, post_load

from bridge.admin.api.fields import Count, Flag, Line, Moment, Reason, told
from bridge.admin.api.queries import LONGEST_SUBJECT, OrderSchema
from bridge.admin.api.shapes import Shape
from bridge.violations import Violation

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012


@dataclass(frozen=True, kw_only=True)
class ErasureWish:
    """Who is to be erased; a dry run only counts, and needs no reason."""

    subject: str | None
    customer: str | None
    reason: str | None
    dry_run: bool


class ErasureOrderSchema(OrderSchema):
    """Exactly one of subject and customer; a reason unless it is a dry run."""

    subject = Line(longest=LONGEST_SUBJECT, load_default=None, metadata=told("Everything about exactly this."))
    customer = Line(load_default=None, metadata=told("An id, a phone number or an e-mail address."))
    reason = Reason(load_default=None)
    dry_run = Flag(load_default=False, metadata=told("Only count; needs no `reason`."))
    example = {"customer": "eva@example.com", "dry_run": True}

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> ErasureWish:
        if given["reason"] is None and not given["dry_run"]:
            raise ValidationError({"reason": [Violation("required", "Say why, in a sentence: the audit keeps it.")]})
        return ErasureWish(**given)


class DeliveredBeforeSchema(Shape):
    """What a destination has got, and we cannot recall."""

    destination = fields.String()
    deliveries = Count(metadata=told("How many it has got."))
    first_at = Moment()
    last_at = Moment()
    example = {
        "destination": "crm",
        "deliveries": 12,
        "first_at": "2026-03-02T08:30:00Z",
        "last_at": "2026-05-01T10:15:00Z",
    }


class ErasureReportSchema(Shape):
    """What was erased; of a dry run, what would be."""

    dry_run = fields.Boolean(metadata=told("True: nothing was erased, this is what would be."))
    subjects = fields.List(fields.String(), metadata=told("What was looked through: all that name the customer."))
    events = Count(metadata=told("Events whose content was erased by this order."))
    erased_before = Count(metadata=told("Events whose content had been erased before."))
    delivered = fields.List(
        fields.Nested(DeliveredBeforeSchema),
        metadata=told("What was delivered already, by destination: it has to be erased there."),
    )
    cancelled = fields.Dict(
        keys=fields.String(),
        values=Count(),
        metadata=told("Deliveries that will not be sent, by destination."),
    )
    in_flight = fields.Dict(
        keys=fields.String(),
        values=Count(),
        metadata=told("Deliveries that were on their way, by destination: they may have arrived."),
    )
    example = {
        "dry_run": True,
        "subjects": ["conversation:4f1c2a7e"],
        "events": 12,
        "erased_before": 0,
        "delivered": [DeliveredBeforeSchema.example],
        "cancelled": {"erp": 1},
        "in_flight": {},
    }
