"""Deliveries as administrators see them, with their attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping, bindparam, select
from sqlalchemy.orm import Session

from bridge.admin.search.delivery_ids import DeliveryFilter, newest_ids
from bridge.admin.search.pages import Page, PageRequest, cut
from bridge.admin.search.sending import NEXT_ATTEMPT_AT, SHOWN_STATE
from bridge.errors import NotFound
from bridge.tables import AttemptRow, DeliveryRow, EventRow, LaneRow, core

LISTED = "deliveries"
#: Attempts shown with one delivery, the newest of them.
MAX_ATTEMPTS = 500

_ATTEMPT = core(AttemptRow)
_DELIVERY = core(DeliveryRow)
_EVENT = core(EventRow)
_LANE = core(LaneRow)


@dataclass(frozen=True, kw_only=True)
class FoundAttempt:
    """One try of a delivery; error and excerpt were masked when it was written."""

    number: int
    started_at: datetime
    duration_ms: int
    outcome: str
    status: int | None
    error: str | None
    error_class: str | None
    answer_excerpt: str | None
    sent_bytes: int | None
    sent_sha256: str | None


@dataclass(frozen=True, kw_only=True)
class FoundDelivery:
    """One delivery. `attempts` is a count; the attempts themselves are asked for with `attempt_log`."""

    id: str
    event_id: str
    event_type: str
    subject: str
    destination: str
    #: `pending`, `sending`, `delivered`, `dead`, `superseded` or `cancelled`.
    state: str
    attempts: int
    #: None unless it is this delivery's turn and no try of it runs.
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    last_status: int | None
    last_error: str | None
    error_class: str | None
    superseded_by: str | None
    replay_of: str | None
    replay_id: str | None
    webhook_id: str


def find_deliveries(
    session: Session, wanted: DeliveryFilter, page: PageRequest, *, now: datetime
) -> Page[FoundDelivery]:
    """One page of deliveries, newest first; it ends early where it has looked at `page.examined` deliveries."""
    walked = newest_ids(session, wanted, page, now=now)
    found = cut(LISTED, page, walked.ids, str, floor=walked.floor)
    return Page(items=deliveries_with_ids(session, found.items, now=now), next=found.next)


def deliveries_with_ids(session: Session, ids: Sequence[str], *, now: datetime) -> list[FoundDelivery]:
    """Those of them that there are, newest first."""
    rows = session.execute(_SEVERAL, {"ids": ids, "now": now}).mappings()
    return [_found(row) for row in rows]


def show_delivery(session: Session, delivery_id: str, *, now: datetime) -> FoundDelivery:
    """One delivery. Raises NotFound."""
    row = session.execute(_SEVERAL, {"ids": [delivery_id], "now": now}).mappings().one_or_none()
    if row is None:
        raise NotFound("no delivery has this id; see GET /api/v1/deliveries")
    return _found(row)


def attempt_log(session: Session, delivery_id: str) -> list[FoundAttempt]:
    """The newest MAX_ATTEMPTS attempts of a delivery, in the order in which they were made."""
    rows = session.execute(_ATTEMPTS, {"delivery": delivery_id}).mappings().all()
    return [FoundAttempt(**row) for row in reversed(rows)]


def _found(row: RowMapping) -> FoundDelivery:
    return FoundDelivery(**row)


_SEVERAL = (
    select(
        *(
            _DELIVERY.c[name]
            for name in (
                "id",
                "event_id",
                "destination",
                "attempts",
                "created_at",
                "finished_at",
                "last_status",
                "last_error",
                "error_class",
                "superseded_by",
                "replay_of",
                "replay_id",
                "webhook_id",
            )
        ),
        _EVENT.c.type.label("event_type"),
        _EVENT.c.subject,
        SHOWN_STATE.label("state"),
        NEXT_ATTEMPT_AT.label("next_attempt_at"),
    )
    .join(_EVENT, _EVENT.c.id == _DELIVERY.c.event_id)
    .join(_LANE, _LANE.c.lane_id == _DELIVERY.c.lane_id)
    .where(_DELIVERY.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_DELIVERY.c.id.desc())
)
_ATTEMPTS = (
    select(*(column for column in _ATTEMPT.c if column.name != "delivery_id"))
    .where(_ATTEMPT.c.delivery_id == bindparam("delivery"))
    .order_by(_ATTEMPT.c.number.desc())
    .limit(MAX_ATTEMPTS)
)
