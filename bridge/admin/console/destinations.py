"""Pages of destinations: how each is doing, pause and resume, a trial, a preview. They may not send a delivery."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.audit import list_audit
from bridge.admin.api.deliveries import list_deliveries
from bridge.admin.api.destination_queries import PreviewOrderSchema, TrialOrderSchema, TriesQuerySchema
from bridge.admin.api.destinations import get_destination, get_tries, list_destinations, preview, try_out
from bridge.admin.api.destinations import pause as pause_it
from bridge.admin.api.destinations import resume as resume_it
from bridge.admin.api.queries import Listing, ReasonSchema
from bridge.admin.console.advice import of_destination, urgent_first
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import read_order
from bridge.admin.console.rendering import show
from bridge.admin.search.delivery_ids import DeliveryFilter
from bridge.admin.search.pages import MAX_LIMIT, PageRequest
from bridge.admin.search.tries import Span
from bridge.audit.search import AuditFilter

_REASON = ReasonSchema()
_TRIAL = TrialOrderSchema()
_PREVIEW = PreviewOrderSchema()
_TRIES = TriesQuerySchema()
_EVERYTHING: Listing[None] = Listing(filter=None, page=PageRequest(limit=MAX_LIMIT))
#: Deliveries of one destination whose newest tries the page shows.
_NEWEST = PageRequest(limit=10)
#: Entries of its own: pauses, trials, what its breaker did.
_HISTORY = PageRequest(limit=12)


@page("/destinations", right=Right.LOOK)
def destinations(visit: Visit) -> Response:
    return show("destinations.html", found=list_destinations(visit.call, _EVERYTHING))


@page("/destinations/<string:name>", right=Right.LOOK)
def destination(visit: Visit, name: str) -> Response:
    return _destination_page(visit, name)


@page("/destinations/<string:name>/pause", right=Right.STEER, method="POST")
def pause(visit: Visit, name: str) -> AnyResponse:
    pause_it(visit.call, read_order(_REASON, {"reason": request.form.get("reason", "")}), name)
    return redirect(url_for("console.destination", name=name, done="paused"), 303)


@page("/destinations/<string:name>/resume", right=Right.STEER, method="POST")
def resume(visit: Visit, name: str) -> AnyResponse:
    resume_it(visit.call, read_order(_REASON, {"reason": request.form.get("reason", "")}), name)
    return redirect(url_for("console.destination", name=name, done="resumed"), 303)


@page("/destinations/<string:name>/test", right=Right.STEER, method="POST")
def trial(visit: Visit, name: str) -> Response:
    order = read_order(_TRIAL, {"reason": request.form.get("reason", "")})
    return _destination_page(visit, name, trial=try_out(visit.call, order, name))


@page("/destinations/<string:name>/preview", right=Right.LOOK, method="POST")
def preview_event(visit: Visit, name: str) -> Response:
    form = request.form
    asked: dict[str, object] = {"event_id": form.get("event_id", "").strip()}
    if form.get("reveal") == "yes":
        asked |= {"reveal": True, "reason": form.get("reason", "")}
    order = read_order(_PREVIEW, asked)
    return _destination_page(visit, name, shown=preview(visit.call, order, name))


def _destination_page(visit: Visit, name: str, *, trial: object = None, shown: object = None) -> Response:
    one = get_destination(visit.call, name)
    span = read_order(_TRIES, {"over": request.args["over"]} if "over" in request.args else {})
    history = Listing(filter=AuditFilter(subject=f"destination:{name}"), page=_HISTORY)
    return show(
        "destination.html",
        one=one,
        needs=urgent_first(of_destination(one)),
        tries=get_tries(visit.call, span, name),
        spans=list(Span),
        newest=list_deliveries(visit.call, Listing(filter=DeliveryFilter(destination=name), page=_NEWEST)),
        history=list_audit(visit.call, history),
        trial=trial,
        shown=shown,
        done=request.args.get("done"),
    )
