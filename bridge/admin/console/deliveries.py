"""Pages of deliveries: the list, one with its attempts, and what can be done to them. They may not move one."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.deliveries import cancel_one_delivery, get_delivery, list_deliveries, replay_one_delivery
from bridge.admin.api.delivery_queries import DeliveryQuerySchema, DeliveryReplayOrderSchema
from bridge.admin.api.queries import ReasonSchema
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import first_found, read_listing, read_order
from bridge.admin.console.rendering import show
from bridge.admin.console.selection import ACTIONS, carry_out, look_at, read_selection
from bridge.admin.search.delivery_ids import STATES
from bridge.errors import Invalid

_QUERY = DeliveryQuerySchema()
_REPLAY = DeliveryReplayOrderSchema()
_REASON = ReasonSchema()
#: Filters of the list that an order to replay everything has too.
_OF_REPLAYS = ("destination", "type", "subject", "since", "until", "state")
_REPLAYABLE = ("dead", "delivered", "superseded", "cancelled")


@page("/deliveries", right=Right.LOOK)
def deliveries(visit: Visit) -> Response:
    asked = read_listing(_QUERY, request.args)
    found = None if asked.listing is None else first_found(list_deliveries, _QUERY.listed, visit.call, asked.listing)
    wider = {name: value for name, value in asked.values.items() if name in _OF_REPLAYS}
    return show(
        "deliveries.html",
        status=asked.status,
        asked=asked,
        found=found,
        states=STATES,
        destinations=list(visit.call.rooms.lookout.known),
        # Not offered where the order would take more than the list shows.
        whole=wider if wider == asked.values and wider.get("state", "dead") in _REPLAYABLE else None,
        waiting=asked.values if asked.values.get("state") == "pending" else None,
    )


@page("/deliveries/<uuid:delivery_id>", right=Right.LOOK)
def delivery(visit: Visit, delivery_id: str) -> Response:
    return show("delivery.html", delivery=get_delivery(visit.call, delivery_id), done=request.args.get("done"))


@page("/deliveries/<uuid:delivery_id>/replay", right=Right.STEER, method="POST")
def replay(visit: Visit, delivery_id: str) -> AnyResponse:
    form = request.form
    order = read_order(_REPLAY, {"reason": form.get("reason", ""), "fresh_id": form.get("fresh_id") == "yes"})
    carrier = replay_one_delivery(visit.call, order, delivery_id)
    done = "replayed-late" if carrier["newer_delivered"] else "replayed"
    return redirect(url_for("console.delivery", delivery_id=carrier["id"], done=done), 303)


@page("/deliveries/<uuid:delivery_id>/cancel", right=Right.STEER, method="POST")
def cancel(visit: Visit, delivery_id: str) -> AnyResponse:
    order = read_order(_REASON, {"reason": request.form.get("reason", "")})
    cancel_one_delivery(visit.call, order, delivery_id)
    return redirect(url_for("console.delivery", delivery_id=delivery_id, done="cancelled"), 303)


@page("/deliveries/selection", right=Right.STEER, method="POST")
def selection(visit: Visit) -> Response:
    """What was ticked, counted, before anything is done."""
    chosen = read_selection(request.form)
    return show("selection.html", chosen=chosen, seen=look_at(visit.call, chosen), reason="", errors={})


@page("/deliveries/selection/order", right=Right.STEER, method="POST")
def order_selection(visit: Visit) -> Response:
    chosen = read_selection(request.form)
    if request.form.get("action") not in ACTIONS:
        raise Invalid("say what to do with the selection")
    order = read_order(_REASON, {"reason": request.form.get("reason", "")})
    return show("selection_done.html", chosen=chosen, outcomes=carry_out(visit.call, chosen, order.reason))
