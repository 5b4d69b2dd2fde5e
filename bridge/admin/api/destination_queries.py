"""What the API is asked about destinations and lanes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError, post_load

from bridge.admin.api.fields import Choice, Flag, Line, Reason
from bridge.admin.api.queries import PageQuerySchema
from bridge.admin.search import destinations, lanes
from bridge.admin.search.tries import Span
from bridge.violations import Violation


class DestinationQuerySchema(PageQuerySchema):
    listed = destinations.LISTED


class TriesQuerySchema(Schema):
    """Becomes the Span that is looked back over."""

    over = Choice(list(Span), load_default=Span.HOUR.value)

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

    destination = Line(longest=64)
    blocked = Choice(("true",))


@dataclass(frozen=True, kw_only=True)
class LaneOrder:
    reason: str
    #: The delivery that the operator saw at the head; None: whichever it is.
    head: str | None


class LaneOrderSchema(Schema):
    reason = Reason(required=True)
    head = Line(longest=36, load_default=None)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> LaneOrder:
        return LaneOrder(**given)


@dataclass(frozen=True, kw_only=True)
class TrialOrder:
    reason: str | None


class TrialOrderSchema(Schema):
    reason = Reason(load_default=None)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> TrialOrder:
        return TrialOrder(**given)


@dataclass(frozen=True, kw_only=True)
class PreviewOrder:
    event_id: str
    #: Why the body is shown unmasked; None: it is masked.
    reason: str | None


class PreviewOrderSchema(Schema):
    event_id = Line(longest=36, required=True)
    reveal = Flag(load_default=False)
    reason = Reason(load_default=None)

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> PreviewOrder:
        if given["reveal"] and given["reason"] is None:
            raise ValidationError({"reason": [Violation("required", "Say why, in a sentence: the audit keeps it.")]})
        return PreviewOrder(event_id=given["event_id"], reason=given["reason"] if given["reveal"] else None)
