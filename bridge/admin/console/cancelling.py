"""Pages that cancel every delivery that a filter selects, counted first. They may not decide on a filter.

A step is a form that the page sends by itself, or by its button where there is no script; leaving the page ends it.
"""

from __future__ import annotations

from flask import Response, request

from bridge.admin.access import Right
from bridge.admin.api.deliveries import cancel_deliveries, count_deliveries
from bridge.admin.api.delivery_queries import CancelFilterSchema, CancelOrderSchema
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import read_filter, read_order
from bridge.admin.console.rendering import show
from bridge.clock import rfc3339

_FILTER = CancelFilterSchema()
_ORDER = CancelOrderSchema()
_FIELDS = tuple(_FILTER.fields)


@page("/deliveries/cancellation", right=Right.STEER)
def cancellation(visit: Visit) -> Response:
    """What would be cancelled, counted: what is owed later is not in it."""
    chosen = read_filter(request.args, _FIELDS)
    chosen.setdefault("until", rfc3339(visit.call.now))
    counts = count_deliveries(visit.call, read_order(_FILTER, chosen))
    return show("cancellation.html", chosen=chosen, counts=counts)


@page("/deliveries/cancellation", right=Right.STEER, method="POST")
def cancel_next(visit: Visit) -> Response:
    form = request.form
    chosen, reason = read_filter(form, _FIELDS), form.get("reason", "")
    selected = {**chosen, "status": _whole(chosen["status"])} if "status" in chosen else chosen
    order = read_order(_ORDER, {"filter": selected, "reason": reason, "cursor": form.get("cursor") or None})
    step = cancel_deliveries(visit.call, order)
    return show(
        "cancelling.html",
        chosen=chosen,
        reason=reason,
        total=_whole(form.get("total", "")),
        cancelled=_whole(form.get("cancelled", "")) + step.cancelled,
        skipped=_whole(form.get("skipped", "")) + step.skipped,
        cursor=step.next,
    )


def _whole(text: str) -> int:
    """A count that our own form brings back; 0 where somebody has changed it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
