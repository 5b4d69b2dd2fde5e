"""How holds are asked for, placed and released, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, post_load

from bridge.admin.api.fields import Choice, Id, Line, Moment, Reason, Word, told
from bridge.admin.api.queries import LONGEST_SUBJECT, OrderSchema, PageQuerySchema
from bridge.admin.api.shapes import Shape, page_of
from bridge.admin.search import holds
from bridge.genesys.purge_policy import INTERACTION_TYPES
from bridge.settings.model import LegalHold
from bridge.violations import Violation

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

_DAY_LENGTH = len("2026-01-31")


class Bound(Moment):
    """A date and time with zone (RFC 3339), or a date: a day that is held whole."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> Any:
        if not isinstance(value, str) or len(value) != _DAY_LENGTH:
            return super()._deserialize(value, attr, data, **more)
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValidationError(Violation("date", "Must be a date like 2026-01-31, or a time with zone.")) from None


class HoldQuerySchema(PageQuerySchema):
    listed = holds.LISTED
    filter_type = holds.HoldFilter

    active = Choice(("true", "false"), metadata=told("In force, or released."))


class HoldOrderSchema(OrderSchema):
    """Exactly one of subject, customer, and type with from and to."""

    subject = Line(longest=LONGEST_SUBJECT, load_default=None, metadata=told("Whatever is about exactly this."))
    customer = Line(
        load_default=None, metadata=told("Whatever names this customer: an id, a phone number, an address.")
    )
    type = Choice(INTERACTION_TYPES, load_default=None, metadata=told("Interactions of this type, within a range."))
    from_ = Bound(data_key="from", load_default=None, metadata=told("Of the range: a day, or a time with zone."))
    to = Bound(load_default=None, metadata=told("Of the range: a day that is held whole, or the first time outside."))
    reason = Reason(required=True)
    example = {"customer": "C-4711", "reason": "case 7 of 2026"}

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> LegalHold:
        return LegalHold(**given)


class HoldSchema(Shape):
    """A legal hold, of either place."""

    id = Id()
    origin = Word(
        ("placed", holds.DECLARED), metadata=told("`bridge.toml`: it is released by taking it out of that file.")
    )
    active = fields.Boolean(metadata=told("False: it was released."))
    subject = fields.String(allow_none=True)
    customer = fields.String(allow_none=True, metadata=told("Masked."))
    type = Word(INTERACTION_TYPES, allow_none=True)
    from_ = Moment(data_key="from", attribute="range_start", allow_none=True)
    to = Moment(attribute="range_end", allow_none=True, metadata=told("Not within the range any more."))
    reason = fields.String(metadata=told("Masked."))
    placed_by = fields.String(allow_none=True, metadata=told("`token:<id>` or `cli:<user>`; null: it is declared."))
    placed_at = Moment(allow_none=True)
    released_by = fields.String(allow_none=True)
    released_at = Moment(allow_none=True)
    release_reason = fields.String(allow_none=True, metadata=told("Masked."))
    example = {
        "id": "01a20375-4d5e-7f60-8a9b-acbdcedfe0f2",
        "origin": "placed",
        "active": True,
        "subject": None,
        "customer": "C***",
        "type": None,
        "from": None,
        "to": None,
        "reason": "case 7 of 2026",
        "placed_by": "token:01a20375-0000-7000-8000-000000000001",
        "placed_at": "2026-05-01T10:15:00Z",
        "released_by": None,
        "released_at": None,
        "release_reason": None,
    }


class HeldPurgeSchema(Shape):
    """An open purge that a hold covers."""

    id = Id()
    state = fields.String(
        metadata=told("`running`: Genesys may have begun already. In any other state it will be refused.")
    )
    example = {"id": "01a20375-4d5e-7f60-8a9b-acbdcedfe0f1", "state": "awaiting_approval"}


class HoldWithPurgesSchema(HoldSchema):
    """A legal hold, and the open purges that it covers."""

    purges = fields.List(fields.Nested(HeldPurgeSchema), metadata=told("Open purges that it covers."))
    example = {**HoldSchema.example, "purges": [HeldPurgeSchema.example]}


HoldPageSchema = page_of(HoldSchema, "HoldPageSchema")
