"""`/lanes`: subjects that wait behind a dead head, and an operator's two ways out. It may not move a lane itself."""

from __future__ import annotations

from bridge import signals
from bridge.admin.access import Right
from bridge.admin.api.destination_queries import LaneFilter, LaneOrder, LaneOrderSchema, LaneQuerySchema
from bridge.admin.api.destination_shapes import FreedLaneSchema, LanePageSchema
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.admin.api.queries import Listing
from bridge.admin.lanes import WayOut, free_lane
from bridge.admin.search.lanes import FoundLane, find_blocked_lanes
from bridge.admin.search.pages import Page

blueprint = ApiBlueprint("lanes", __name__, description="Subjects that wait behind a dead delivery.")


@operation(blueprint, "GET", "/lanes", right=Right.LOOK, query=LaneQuerySchema, answers={200: LanePageSchema})
def list_lanes(call: Call, asked: Listing[LaneFilter]) -> Page[FoundLane]:
    """Blocked lanes, the newest block first

    Only blocked ones are listed: what waits in the others is found by `GET /deliveries?state=pending`.
    """
    with call.rooms.database.read() as session:
        return find_blocked_lanes(session, asked.filter.destination, asked.page)


@operation(
    blueprint,
    "POST",
    "/lanes/<string:destination>/<path:subject>/skip",
    right=Right.STEER,
    body=LaneOrderSchema,
    answers={200: FreedLaneSchema},
    refusals=[404, 409],
    differs={"state": "dead"},
)
def skip(call: Call, order: LaneOrder, destination: str, subject: str) -> dict[str, object]:
    """Let a blocked lane go on with the next delivery; the dead one stays dead, and can be replayed

    With `head`, only while that delivery holds the lane.
    """
    return _freed(call, order, "skip", destination, subject)


@operation(
    blueprint,
    "POST",
    "/lanes/<string:destination>/<path:subject>/release",
    right=Right.STEER,
    body=LaneOrderSchema,
    answers={200: FreedLaneSchema},
    refusals=[404, 409],
)
def release(call: Call, order: LaneOrder, destination: str, subject: str) -> dict[str, object]:
    """Let a blocked lane try its dead delivery again, in its place, before what waits behind it

    Refused where a replay owes the same event again already, and for commands. With `head`, only while that delivery
    holds the lane.
    """
    return _freed(call, order, "release", destination, subject)


def _freed(call: Call, order: LaneOrder, way_out: WayOut, destination: str, subject: str) -> dict[str, object]:
    with call.rooms.database.write() as session:
        delivery = free_lane(
            session,
            way_out,
            destination,
            subject,
            head=order.head,
            reason=order.reason,
            actor=call.caller.actor,
            now=call.now,
            notes=call.rooms.notes,
        )
    signals.work_recorded.send(Call)
    state = "dead" if way_out == "skip" else "pending"
    return {"destination": destination, "subject": subject, "delivery": delivery, "state": state}
