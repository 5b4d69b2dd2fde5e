"""What the API answers about replays. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.api.fields import Count, Id, Moment, Word, told
from bridge.admin.api.shapes import Shape, page_of

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

_SKIPPED = told("Rows that another replay was sending already; not in `matched`.")
_SKIPPED_FOR = told("The same by whom: the id of the replay, or `single` for orders about one delivery.")
_LEFT_OUT = told("Older versions that `latest` does not send; not in `matched`.")


class ReplaySchema(Shape):
    """An order to send many again, and how far it is."""

    id = Id()
    state = Word(("running", "paused", "completed", "cancelled"))
    filter = fields.Raw(metadata=told("As ordered, with `until` fixed, so that it cannot grow.", type="object"))
    mode = Word(("latest", "every"))
    rate = fields.Float(metadata=told("Deliveries per second at most."))
    reason = fields.String()
    created_by = fields.String(metadata=told("`token:<id>` or `cli:<user>`."))
    created_at = Moment()
    finished_at = Moment(allow_none=True, metadata=told("When the last of its deliveries had ended, or was cancelled."))
    matched = Count(metadata=told("Deliveries that it makes."))
    skipped = Count(metadata=_SKIPPED)
    skipped_for = fields.Dict(keys=fields.String(), values=Count(), metadata=_SKIPPED_FOR)
    left_out = Count(metadata=_LEFT_OUT)
    pending = Count(metadata=told("In their lanes, not ended."))
    sent = Count(metadata=told("Tried at least once."))
    delivered = Count()
    failed = Count(metadata=told("Dead."))
    superseded = Count(metadata=told("Never sent: something newer of their subject made them stale."))
    cancelled = Count(metadata=told("Taken out of their lanes, most of them when the replay was cancelled."))
    walking = fields.Boolean(metadata=told("False: everything is in its lanes; pausing holds nothing back."))
    example = {
        "id": "01a20362-1b3c-7f42-8d90-5e6f7a8b9c0d",
        "state": "running",
        "filter": {"destination": "erp", "state": "dead", "until": "2026-05-01T10:06:00Z"},
        "mode": "latest",
        "rate": 50.0,
        "reason": "the receiver was mended",
        "created_by": "token:01a20300-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
        "created_at": "2026-05-01T10:06:00Z",
        "finished_at": None,
        "matched": 120,
        "skipped": 2,
        "skipped_for": {"single": 2},
        "left_out": 7,
        "pending": 5,
        "sent": 80,
        "delivered": 79,
        "failed": 1,
        "superseded": 0,
        "cancelled": 0,
        "walking": True,
    }


class ReplayCountsSchema(Shape):
    """What a dry run counted."""

    matched = Count(metadata=told("Deliveries that it would make."))
    by_destination = fields.Dict(keys=fields.String(), values=Count())
    by_type = fields.Dict(keys=fields.String(), values=Count())
    skipped = Count(metadata=_SKIPPED)
    skipped_for = fields.Dict(keys=fields.String(), values=Count(), metadata=_SKIPPED_FOR)
    left_out = Count(metadata=_LEFT_OUT)
    example = {
        "matched": 120,
        "by_destination": {"erp": 120},
        "by_type": {"custom_object.record.updated": 120},
        "skipped": 2,
        "skipped_for": {"single": 2},
        "left_out": 7,
    }


ReplayPageSchema = page_of(ReplaySchema, "ReplayPageSchema")
