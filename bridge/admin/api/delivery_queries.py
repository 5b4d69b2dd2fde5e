"""What the API is asked about deliveries with: which ones, and what is to become of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, fields, post_load, validate

from bridge.admin.api.fields import Choice, Flag, Line, Reason, Whole, told
from bridge.admin.api.queries import LONGEST_SUBJECT, OrderSchema, PageQuerySchema, check_span, since, until
from bridge.admin.search import deliveries
from bridge.admin.search.delivery_ids import STATES, DeliveryFilter
from bridge.admin.search.pages import read_cursor

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012


class SelectionSchema(Schema):
    """What deliveries are selected by, but for their state."""

    destination = Line(longest=64, metadata=told("To whom it is owed.", "erp"))
    type = Line(metadata=told("The event's type, exactly.", "custom_object.record.updated"))
    subject = Line(longest=LONGEST_SUBJECT, metadata=told("The event's, exactly.", "record:InventoryItem/item-1"))
    event_id = Line(longest=36, metadata=told("Those of this event."))
    status: fields.Integer = Whole(100, 599, metadata=told("HTTP status of the newest try.", 422))
    error_class = Line(longest=32, metadata=told("`connect`, `timeout`, `status`, … of the newest try.", "status"))
    since = since("created_at")
    until = until("created_at")


class DeliveryQuerySchema(SelectionSchema, PageQuerySchema):
    listed = deliveries.LISTED
    filter_type = DeliveryFilter

    state = Choice(STATES, metadata=told("`pending` is without what is being sent right now (`sending`)."))


class CancelFilterSchema(SelectionSchema):
    """What `GET /deliveries` is filtered by, but for the state: only pending ones can be cancelled."""

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> DeliveryFilter:
        check_span(given)
        return DeliveryFilter(**given)


class CancelBodyFilterSchema(CancelFilterSchema):
    """The same in a body, where a number is a number."""

    status = fields.Integer(
        strict=True, validate=validate.Range(100, 599), metadata=told("HTTP status of the newest try.")
    )


@dataclass(frozen=True, kw_only=True)
class CancelOrder:
    """An order to cancel the next of what a filter selects."""

    filter: DeliveryFilter
    reason: str
    #: Id where the step before has ended; None: the first.
    after: str | None


class CancelOrderSchema(OrderSchema):
    filter = fields.Nested(CancelBodyFilterSchema, required=True)
    reason = Reason(required=True)
    cursor = Line(longest=64, load_default=None, metadata=told("The `next` of the answer before, unchanged."))
    example = {"filter": {"destination": "crm"}, "reason": "the CRM has these already"}

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> CancelOrder:
        cursor = given["cursor"]
        after = None if cursor is None else read_cursor(deliveries.LISTED, cursor)
        return CancelOrder(filter=given["filter"], reason=given["reason"], after=after)


@dataclass(frozen=True, kw_only=True)
class DeliveryReplayOrder:
    reason: str
    #: True: with a new `webhook-id`, so that the receiver takes it for new.
    fresh_id: bool


class DeliveryReplayOrderSchema(OrderSchema):
    reason = Reason(required=True)
    fresh_id = Flag(
        load_default=False, metadata=told("With a `webhook-id` of its own, so that the receiver takes it for new.")
    )
    example = {"reason": "the receiver was mended", "fresh_id": False}

    @post_load
    def _make(self, given: dict[str, Any], **_: Any) -> DeliveryReplayOrder:
        return DeliveryReplayOrder(**given)
