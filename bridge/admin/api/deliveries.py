"""`/deliveries`: what is owed to whom, with its attempts; replay and cancel one. It may not move a delivery itself."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bridge import signals
from bridge.admin.access import Right
from bridge.admin.api.delivery_queries import (
    CancelFilterSchema,
    CancelOrder,
    CancelOrderSchema,
    DeliveryQuerySchema,
    DeliveryReplayOrder,
    DeliveryReplayOrderSchema,
)
from bridge.admin.api.delivery_shapes import (
    CancellableSchema,
    CancelStepSchema,
    DeliveryPageSchema,
    DeliveryWithAttemptsSchema,
    ReplayedDeliverySchema,
)
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.admin.api.queries import Listing, ReasonGiven, ReasonSchema
from bridge.admin.cancelling import Cancellable, CancelStep, cancel_next, count_cancellable
from bridge.admin.search.deliveries import LISTED, FoundDelivery, attempt_log, find_deliveries, show_delivery
from bridge.admin.search.delivery_ids import DeliveryFilter
from bridge.admin.search.pages import Page, cursor
from bridge.outbox.replay import cancel_delivery, replay_delivery

#: Transactions of one call that cancels by a filter: it is answered within a second or two.
STEPS_AT_ONCE = 4

blueprint = ApiBlueprint("deliveries", __name__, description="What is owed to whom, and every try of it.")


@operation(
    blueprint, "GET", "/deliveries", right=Right.LOOK, query=DeliveryQuerySchema, answers={200: DeliveryPageSchema}
)
def list_deliveries(call: Call, asked: Listing[DeliveryFilter]) -> Page[FoundDelivery]:
    """Deliveries, newest first

    `status` is the HTTP status of the newest try; `since` and `until` mean `created_at`.
    """
    with call.rooms.database.read() as session:
        return find_deliveries(session, asked.filter, asked.page, now=call.now)


@operation(
    blueprint,
    "GET",
    "/deliveries/<uuid:delivery_id>",
    right=Right.LOOK,
    answers={200: DeliveryWithAttemptsSchema},
    refusals=[404],
)
def get_delivery(call: Call, delivery_id: str) -> dict[str, object]:
    """One delivery with its attempts

    What each try was answered, how long it took, and the SHA-256 of what was sent.
    """
    with call.rooms.database.read() as session:
        return _with_attempts(session, call, delivery_id)


@operation(
    blueprint,
    "POST",
    "/deliveries/<uuid:delivery_id>/replay",
    right=Right.STEER,
    body=DeliveryReplayOrderSchema,
    answers={202: ReplayedDeliverySchema},
    refusals=[404, 409],
)
def replay_one_delivery(call: Call, order: DeliveryReplayOrder, delivery_id: str) -> dict[str, object]:
    """Send a final delivery again, as a new one at the end of its lane

    The answer is the delivery that carries it.
    """
    with call.rooms.database.write() as session:
        replayed = replay_delivery(
            session,
            delivery_id,
            reason=order.reason,
            actor=call.caller.actor,
            fresh_id=order.fresh_id,
            now=call.now,
            notes=call.rooms.notes,
        )
        carrier = show_delivery(session, replayed.id, now=call.now)
    signals.work_recorded.send(Call)
    return {**vars(carrier), "newer_delivered": replayed.newer_delivered}


@operation(
    blueprint,
    "POST",
    "/deliveries/<uuid:delivery_id>/cancel",
    right=Right.STEER,
    body=ReasonSchema,
    answers={200: DeliveryWithAttemptsSchema},
    refusals=[404, 409],
    differs={
        "state": "cancelled",
        "attempts": 0,
        "last_status": None,
        "last_error": None,
        "error_class": None,
        "attempt_log": [],
    },
)
def cancel_one_delivery(call: Call, order: ReasonGiven, delivery_id: str) -> dict[str, object]:
    """Take a pending delivery out of its lane; it is never sent

    What waits behind it goes on. Refused with 409 where it has ended, or a try of it runs.
    """
    with call.rooms.database.write() as session:
        cancel_delivery(
            session,
            delivery_id,
            reason=order.reason,
            actor=call.caller.actor,
            now=call.now,
            notes=call.rooms.notes,
        )
        cancelled = _with_attempts(session, call, delivery_id)
    signals.work_recorded.send(Call)
    return cancelled


@operation(
    blueprint,
    "GET",
    "/deliveries/cancellable",
    right=Right.LOOK,
    query=CancelFilterSchema,
    answers={200: CancellableSchema},
)
def count_deliveries(call: Call, wanted: DeliveryFilter) -> Cancellable:
    """How many deliveries `POST /deliveries/cancel` would cancel with the same filter

    Pending ones that are not being sent right now; more than 100000 are not counted.
    """
    with call.rooms.database.read() as session:
        return count_cancellable(session, wanted, now=call.now)


@operation(
    blueprint,
    "POST",
    "/deliveries/cancel",
    right=Right.STEER,
    body=CancelOrderSchema,
    answers={200: CancelStepSchema},
)
def cancel_deliveries(call: Call, order: CancelOrder) -> CancelStep:
    """Cancel the pending deliveries that the filter selects, at most 2000 at once, the newest first

    Send the order again with `next` as `cursor` until that is null, also where nothing was cancelled. What is recorded
    after the first call is not cancelled.
    """
    after, cancelled, skipped = order.after, 0, 0
    for _ in range(STEPS_AT_ONCE):
        with call.rooms.database.write() as session:
            step = cancel_next(
                session,
                order.filter,
                after=after,
                reason=order.reason,
                actor=call.caller.actor,
                now=call.now,
                notes=call.rooms.notes,
            )
        after, cancelled, skipped = step.next, cancelled + step.cancelled, skipped + step.skipped
        if after is None:
            break
    signals.work_recorded.send(Call)
    return CancelStep(cancelled=cancelled, skipped=skipped, next=None if after is None else cursor(LISTED, after))


def _with_attempts(session: Session, call: Call, delivery_id: str) -> dict[str, object]:
    delivery = show_delivery(session, delivery_id, now=call.now)
    return {**vars(delivery), "attempt_log": attempt_log(session, delivery_id)}
