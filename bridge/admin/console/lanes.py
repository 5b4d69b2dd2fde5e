"""The page of blocked lanes: subjects that wait behind a dead delivery, and the two ways out of each."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.destination_queries import LaneOrderSchema, LaneQuerySchema
from bridge.admin.api.lanes import list_lanes, release, skip
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import read_listing, read_order
from bridge.admin.console.rendering import show
from bridge.errors import FieldError, Invalid

_QUERY = LaneQuerySchema()
_ORDER = LaneOrderSchema()


@page("/lanes", right=Right.LOOK)
def lanes(visit: Visit) -> Response:
    asked = read_listing(_QUERY, request.args)
    found = None if asked.listing is None else list_lanes(visit.call, asked.listing)
    names = list(visit.call.rooms.lookout.known)
    return show(
        "lanes.html", status=asked.status, asked=asked, found=found, destinations=names, done=request.args.get("done")
    )


@page("/lanes", right=Right.STEER, method="POST")
def free_lane(visit: Visit) -> AnyResponse:
    """Skip or release the lane, if the delivery that was seen still holds it."""
    form = request.form
    order = read_order(_ORDER, {"reason": form.get("reason", ""), "head": form.get("head", "")})
    way_out = {"skip": skip, "release": release}.get(form.get("way_out", ""))
    if way_out is None:
        message = "Choose to skip the dead delivery, or to try it again."
        raise Invalid("no way out is chosen", errors=[FieldError(field="way_out", rule="enum", message=message)])
    way_out(visit.call, order, form.get("destination", ""), form.get("subject", ""))
    return redirect(url_for("console.lanes", done=form["way_out"]), 303)
