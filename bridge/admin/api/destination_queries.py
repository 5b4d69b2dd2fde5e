"""What the API is asked about destinations and lanes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, post_load

from bridge.admin.api.fields import Choice, Flag, Line, Reason, told
from bridge.admin.api.queries import OrderSchema, PageQuerySchema
from bridge.admin.api.shapes import EVENT_ID
from bridge.admin.search import destinations, lanes
from bridge.admin.search.tries import Span
from bridge.violations import Violation

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012


class DestinationQuerySchema(PageQuerySchema):
    listed = destinations.LISTED


class TriesQuerySchema(Schema):
    """Becomes the Span that is looked back over."""

    over = Choice([str(one) for one in Span], load_default=Span.HOUR.value, metadata=told("How far back.", "day"))

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> Span:
        return Span(given["over"])


@dataclass(frozen=True, kw_only=True)
class LaneFilter:
    #: None: of all.
    destination: str | None = None
    blocked: str = "true"


class LaneQuerySchema(PageQuerySchema):
    listed = lanes.LISTED
    filter_type = LaneFilter

    destination = Line(longest=64, metadata=told("Those of this one.", "erp"))
    blocked = Choice(("true",), metadata=told("Only blocked ones are listed, with or without it."))


@dataclass(frozen=True, kw_only=True)
class LaneOrder:
    reason: str
    #: The delivery that the operator saw at the head; None: whichever it is.
    head: str | None


class LaneOrderSchema(OrderSchema):
    reason = Reason(required=True)
    head = Line(longest=36, load_default=None, metadata=told("Only while this delivery holds the lane."))
    example = {"reason": "the record was mended in the ERP"}

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> LaneOrder:
        return LaneOrder(**given)


@dataclass(frozen=True, kw_only=True)
class TrialOrder:
    reason: str | None


class TrialOrderSchema(OrderSchema):
    reason = Reason(load_default=None)
    example = {"reason": "is it back?"}

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> TrialOrder:
        return TrialOrder(**given)


@dataclass(frozen=True, kw_only=True)
class PreviewOrder:
    event_id: str
    #: Why the body is shown unmasked; None: it is masked.
    reason: str | None


class PreviewOrderSchema(OrderSchema):
    event_id = Line(longest=36, required=True, metadata=told("Of an event that was recorded."))
    reveal = Flag(load_default=False, metadata=told("Unmasked; for the role approver, and with a `reason`."))
    reason = Reason(load_default=None)
    example = {"event_id": EVENT_ID}

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> PreviewOrder:
        if given["reveal"] and given["reason"] is None:
            raise ValidationError({"reason": [Violation("required", "Say why, in a sentence: the audit keeps it.")]})
        return PreviewOrder(event_id=given["event_id"], reason=given["reason"] if given["reveal"] else None)
