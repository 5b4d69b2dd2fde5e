"""`/holds`: what must not be purged, erased or forgotten. It may not hold anything itself: who destroys asks."""

from __future__ import annotations

from typing import Any

from bridge.admin.access import Right
from bridge.admin.api.entrance import Call
from bridge.admin.api.hold_forms import (
    HoldOrderSchema,
    HoldPageSchema,
    HoldQuerySchema,
    HoldSchema,
    HoldWithPurgesSchema,
)
from bridge.admin.api.openapi import PREFIX, ApiBlueprint
from bridge.admin.api.operation import Answer, operation
from bridge.admin.api.queries import Listing, ReasonGiven, ReasonSchema
from bridge.admin.holds import HoldWithPurges, look_at_hold, place_hold, release
from bridge.admin.search.holds import FoundHold, HoldFilter, find_holds
from bridge.admin.search.pages import Page
from bridge.settings.model import LegalHold

blueprint = ApiBlueprint("holds", __name__, description="What must not be purged, erased or forgotten.")


@operation(blueprint, "GET", "/holds", right=Right.LOOK, query=HoldQuerySchema, answers={200: HoldPageSchema})
def get_holds(call: Call, asked: Listing[HoldFilter]) -> Page[FoundHold]:
    """Legal holds: those that were placed, newest first, then those of bridge.toml

    Released ones too, unless `active` says otherwise.
    """
    with call.rooms.database.read() as session:
        return find_holds(session, call.rooms.holds, asked.filter, asked.page)


@operation(
    blueprint, "GET", "/holds/<uuid:hold_id>", right=Right.LOOK, answers={200: HoldWithPurgesSchema}, refusals=[404]
)
def get_hold(call: Call, hold_id: str) -> dict[str, Any]:
    """One hold, and the open purges that it covers

    A customer is shown masked to everybody.
    """
    with call.rooms.database.read() as session:
        return _shown(look_at_hold(session, call.rooms.holds, hold_id))


@operation(blueprint, "POST", "/holds", right=Right.HOLD, body=HoldOrderSchema, answers={201: HoldWithPurgesSchema})
def post_hold(call: Call, order: LegalHold) -> Answer:
    """Place a legal hold on one subject, one customer, or a type of interactions within a range

    From then on nothing that it covers is purged, erased or forgotten, until it is released. `purges` are open ones
    that it covers: they will be refused, but of one that is `running` Genesys may have begun already.
    """
    rooms = call.rooms
    with rooms.database.write() as session:
        placed = place_hold(session, rooms.holds, order, actor=call.caller.actor, now=call.now, notes=rooms.notes)
    return Answer(201, _shown(placed), {"Location": f"{PREFIX}/holds/{placed.hold.id}"})


@operation(
    blueprint,
    "POST",
    "/holds/<uuid:hold_id>/release",
    right=Right.HOLD,
    body=ReasonSchema,
    answers={200: HoldSchema},
    refusals=(404, 409),
)
def release_hold(call: Call, order: ReasonGiven, hold_id: str) -> FoundHold:
    """Release a hold that was placed

    Refused with 409 where it is released already, or stands in bridge.toml.
    """
    rooms = call.rooms
    with rooms.database.write() as session:
        return release(
            session,
            rooms.holds,
            hold_id,
            reason=order.reason,
            actor=call.caller.actor,
            now=call.now,
            notes=rooms.notes,
        )


def _shown(held: HoldWithPurges) -> dict[str, Any]:
    return {**vars(held.hold), "purges": held.purges}
