"""Cancel every pending delivery that a filter selects: counted first, then step by step, the newest first.

Each step is a short transaction and says where the next begins, so that a hundred thousand do not hold the database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from bridge.admin.reasons import check_reason
from bridge.admin.search.delivery_ids import DeliveryFilter, newest_ids
from bridge.admin.search.pages import PageRequest
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.errors import FieldError, Invalid
from bridge.outbox.ledger.cancel import CancelledDelivery, cancel_several
from bridge.tables import DeliveryRow, core

_DELIVERY = core(DeliveryRow)

#: Deliveries cancelled in one transaction.
AT_ONCE = 500
#: More are not counted: it would take longer than anybody waits for a page.
MOST_COUNTED = 100_000
_COUNTED_AT_ONCE = 5000


@dataclass(frozen=True, kw_only=True)
class Cancellable:
    """What would be cancelled, as things stand; what is being sent right now is not in it."""

    matched: int
    #: True: there are more than `matched`, which were not counted.
    more: bool
    by_destination: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class CancelStep:
    cancelled: int
    #: Those that were being sent, or ended, at this moment.
    skipped: int
    #: Id after which the next step goes on; None: it is done.
    next: str | None


def count_cancellable(session: Session, wanted: DeliveryFilter, *, now: datetime) -> Cancellable:
    """Raises Invalid where the filter asks for others than pending ones."""
    wanted, counted, before = _pending(wanted), Counter[str](), None
    while True:
        page = PageRequest(limit=_COUNTED_AT_ONCE, before_id=before)
        ids, before = newest_ids(session, wanted, page, now=now).first(_COUNTED_AT_ONCE)
        counted.update({row.destination: row.number for row in session.execute(_BY_DESTINATION, {"ids": ids})})
        if before is None or counted.total() >= MOST_COUNTED:
            return Cancellable(matched=counted.total(), more=before is not None, by_destination=dict(counted))


def cancel_next(
    session: Session,
    wanted: DeliveryFilter,
    *,
    after: str | None,
    reason: str,
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> CancelStep:
    """Cancel the next AT_ONCE of them after the id `after`, each with its audit entry; None: from the newest on.

    Raises Invalid without a reason, or where the filter asks for others than pending ones.
    """
    check_reason(reason)
    page = PageRequest(limit=AT_ONCE, before_id=after)
    ids, following = newest_ids(session, _pending(wanted), page, now=now).first(AT_ONCE)
    cancelled = cancel_several(session, ids, now=now) if ids else []
    _note(session, cancelled, reason, actor, now, notes)
    return CancelStep(cancelled=len(cancelled), skipped=len(ids) - len(cancelled), next=following)


def _pending(wanted: DeliveryFilter) -> DeliveryFilter:
    if wanted.state not in (None, "pending"):
        message = "only pending deliveries can be cancelled: leave it out"
        error = FieldError(field="filter.state", rule="enum", message=message)
        raise Invalid("the filter selects what cannot be cancelled", errors=[error])
    return replace(wanted, state="pending")


def _note(
    session: Session,
    cancelled: Sequence[CancelledDelivery],
    reason: str,
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> None:
    notes.write(
        session,
        [
            AuditEntry(
                actor=actor,
                action="delivery.cancelled",
                subject=one.subject,
                reason=reason,
                details={"deliveryId": one.id, "destination": one.destination},
            )
            for one in cancelled
        ],
        now,
    )


_BY_DESTINATION = (
    select(_DELIVERY.c.destination, func.count().label("number"))
    .where(_DELIVERY.c.id.in_(bindparam("ids", expanding=True)))
    .group_by(_DELIVERY.c.destination)
)
