"""The first page: what came in and went out, and what a person should look at. It may not change anything."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.overview import get_overview
from bridge.admin.api.queries import Listing
from bridge.admin.api.rejections import list_rejections
from bridge.admin.console.advice import of_destination, of_source, of_workers, urgent_first
from bridge.admin.console.door import Visit, blueprint, page
from bridge.admin.console.rendering import show
from bridge.admin.search.pages import PageRequest
from bridge.admin.search.rejections import RejectionFilter

_SHOWN_REJECTIONS = 5


@blueprint.get("")
def without_stroke() -> AnyResponse:
    """As Flask would redirect by itself, but from within the console and with its headers."""
    return redirect(url_for("console.home"), 308)


@page("/", right=Right.FOLLOW)
def home(visit: Visit) -> AnyResponse:
    """The first page that the role may see: a sender's are its commands."""
    return redirect(url_for("console.overview" if visit.may("look") else "console.commands"), 303)


@page("/overview", right=Right.LOOK)
def overview(visit: Visit) -> Response:
    seen: dict[str, Any] = get_overview(visit.call)
    newest = Listing(filter=RejectionFilter(), page=PageRequest(limit=_SHOWN_REJECTIONS))
    needs = [
        *of_workers(stalled=seen["stalled"]),
        *(need for one in seen["destinations"] for need in of_destination(one)),
        *(need for one in seen["sources"] for need in of_source(one)),
    ]
    minutes = seen["minutes"]
    return show(
        "overview.html",
        seen=seen,
        needs=urgent_first(needs),
        rejections=list_rejections(visit.call, newest),
        minutes=minutes,
        came=[one.events_in for one in minutes],
        went=[one.deliveries_out for one in minutes],
        died=[one.deliveries_dead for one in minutes],
        ended=[one.deliveries_out + one.deliveries_dead for one in minutes],
    )
