"""Pages of events: the list, and one with what became of it. They may not record one."""

from __future__ import annotations

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.deliveries import get_delivery
from bridge.admin.api.events import get_event, get_raw_body, list_events, parse_again, reveal_raw_body
from bridge.admin.api.queries import EventQuerySchema, ReasonSchema
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import first_found, read_listing, read_order
from bridge.admin.console.rendering import show
from bridge.admin.search.events import FoundEvent
from bridge.events import COMMANDS

_QUERY = EventQuerySchema()
_REASON = ReasonSchema()
#: Deliveries of one event that are shown with their attempts; the list has the others.
_MOST_DELIVERIES = 20


@page("/events", right=Right.LOOK)
def events(visit: Visit) -> Response:
    asked = read_listing(_QUERY, request.args)
    found = None if asked.listing is None else first_found(list_events, _QUERY.listed, visit.call, asked.listing)
    return show("events.html", status=asked.status, asked=asked, found=found)


@page("/events/<uuid:event_id>", right=Right.LOOK)
def event(visit: Visit, event_id: str) -> Response:
    found = get_event(visit.call, event_id)
    return _event_page(visit, found, None if found.payload is None else get_raw_body(visit.call, event_id))


@page("/events/<uuid:event_id>/reveal", right=Right.REVEAL, method="POST")
def reveal(visit: Visit, event_id: str) -> Response:
    order = read_order(_REASON, {"reason": request.form.get("reason", "")})
    revealed = reveal_raw_body(visit.call, order, event_id)
    return _event_page(visit, get_event(visit.call, event_id), revealed)


@page("/events/<uuid:event_id>/reparse", right=Right.STEER, method="POST")
def reparse(visit: Visit, event_id: str) -> AnyResponse:
    order = read_order(_REASON, {"reason": request.form.get("reason", "")})
    result = parse_again(visit.call, order, event_id).result
    return redirect(url_for("console.event", event_id=event_id, parsed=result), 303)


def _event_page(visit: Visit, found: FoundEvent, body: dict[str, object] | None) -> Response:
    """`body` None: it was erased, or cannot be opened."""
    shown = [get_delivery(visit.call, one.id) for one in found.deliveries[-_MOST_DELIVERIES:]]
    return show(
        "event.html",
        event=found,
        body=body,
        deliveries=shown,
        left_out=len(found.deliveries) - len(shown),
        is_command=found.type in COMMANDS,
        parsed=request.args.get("parsed"),
    )
