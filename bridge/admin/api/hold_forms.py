"""How holds are asked for, placed and released, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, post_load

from bridge.admin.api.fields import Choice, Line, Moment, Reason
from bridge.admin.api.queries import LONGEST_SUBJECT, PageQuerySchema
from bridge.admin.api.shapes import Shape, page_of
from bridge.admin.search import holds
from bridge.genesys.purge_policy import INTERACTION_TYPES
from bridge.settings.model import LegalHold
from bridge.violations import Violation

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

    active = Choice(("true", "false"))


class HoldOrderSchema(Schema):
    """Exactly one of subject, customer, and type with from and to."""

    example: ClassVar[Mapping[str, object]] = {"customer": "C-4711", "reason": "case 7 of 2026"}

    subject = Line(longest=LONGEST_SUBJECT, load_default=None)
    customer = Line(load_default=None)
    type = Choice(INTERACTION_TYPES, load_default=None)
    from_ = Bound(data_key="from", load_default=None)
    to = Bound(load_default=None)
    reason = Reason(required=True)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> LegalHold:
        return LegalHold(**given)


class HoldSchema(Shape):
    """A legal hold, of either place."""

    example: ClassVar[Mapping[str, Any]] = {
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

    id = fields.String()
    origin = fields.String(
        metadata={"enum": ["placed", holds.DECLARED], "description": "`bridge.toml`: it is released by taking it out."}
    )
    active = fields.Boolean()
    subject = fields.String(allow_none=True)
    customer = fields.String(allow_none=True, metadata={"description": "Masked."})
    type = fields.String(allow_none=True, metadata={"enum": [*INTERACTION_TYPES, None]})
    from_ = Moment(data_key="from", attribute="range_start", allow_none=True)
    to = Moment(attribute="range_end", allow_none=True, metadata={"description": "Not within the range any more."})
    reason = fields.String()
    placed_by = fields.String(allow_none=True)
    placed_at = Moment(allow_none=True)
    released_by = fields.String(allow_none=True)
    released_at = Moment(allow_none=True)
    release_reason = fields.String(allow_none=True)


class HeldPurgeSchema(Shape):
    """An open purge that a hold covers."""

    example: ClassVar[Mapping[str, Any]] = {"id": "01a20375-4d5e-7f60-8a9b-acbdcedfe0f1", "state": "awaiting_approval"}

    id = fields.String()
    state = fields.String(
        metadata={"description": "`running`: Genesys may have begun already. In any other state it will be refused."}
    )


class HoldWithPurgesSchema(HoldSchema):
    """A legal hold, and the open purges that it covers."""

    example: ClassVar[Mapping[str, Any]] = {**HoldSchema.example, "purges": [HeldPurgeSchema.example]}

    purges = fields.List(fields.Nested(HeldPurgeSchema), metadata={"description": "Open purges that it covers."})


HoldPageSchema = page_of(HoldSchema, "HoldPageSchema")
