"""What the API is asked about replays with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, fields, post_load

from bridge.admin.api.fields import Choice, Flag, Line, Rate, Reason, told
from bridge.admin.api.queries import LONGEST_SUBJECT, OrderSchema, PageQuerySchema, since, until
from bridge.outbox.replay_orders import MAX_RATE
from bridge.outbox.replay_progress import OrderedWithin
from bridge.outbox.selection import SELECTABLE, Mode, ReplayFilter
from bridge.violations import Violation

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

DEFAULT_RATE = 50.0


class ReplayQuerySchema(PageQuerySchema):
    listed = "replays"
    filter_type = OrderedWithin

    since = since("created_at")
    until = until("created_at")


@dataclass(frozen=True, kw_only=True)
class ReplayOrder:
    """An order to replay what a filter selects; a dry run only counts, and needs no reason."""

    filter: ReplayFilter
    reason: str | None
    mode: Mode
    #: Deliveries per second at most.
    rate: float
    dry_run: bool


class ReplayFilterSchema(OrderSchema):
    destination = Line(longest=64, metadata=told("To whom.", "erp"))
    state = Choice(SELECTABLE, metadata=told("Of the event's newest delivery to it; `none`: it was never owed."))
    type = Line(metadata=told("The event's type, exactly."))
    subject = Line(longest=LONGEST_SUBJECT, metadata=told("The event's subject, exactly."))
    source = Line(longest=64, metadata=told("The event's."))
    since = since("received_at")
    until = until("received_at")
    example = {"destination": "erp", "state": "dead", "since": "2026-05-01T09:00:00Z"}

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> ReplayFilter:
        return ReplayFilter(**given)


class ReplayOrderSchema(OrderSchema):
    filter = fields.Nested(ReplayFilterSchema, required=True)
    reason = Reason(load_default=None)
    mode = Choice(("latest", "every"), load_default="latest")
    rate = Rate(most=MAX_RATE, load_default=DEFAULT_RATE, metadata=told("Deliveries per second at most."))
    dry_run = Flag(load_default=False, metadata=told("Only count; needs no `reason`."))
    example = {
        "filter": ReplayFilterSchema.example,
        "reason": "the receiver was mended",
        "mode": "latest",
        "rate": 50,
        "dry_run": False,
    }

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> ReplayOrder:
        if given["reason"] is None and not given["dry_run"]:
            raise ValidationError({"reason": [Violation("required", "Say why, in a sentence: the audit keeps it.")]})
        return ReplayOrder(**given)
