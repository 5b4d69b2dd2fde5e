"""The page of requests that were refused. It may not show a body."""

from __future__ import annotations

from flask import Response, request

from bridge.admin.access import Right
from bridge.admin.api.queries import RejectionQuerySchema
from bridge.admin.api.rejections import list_rejections
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import first_found, read_listing
from bridge.admin.console.rendering import show

_QUERY = RejectionQuerySchema()


@page("/rejections", right=Right.LOOK)
def rejections(visit: Visit) -> Response:
    asked = read_listing(_QUERY, request.args)
    found = None if asked.listing is None else first_found(list_rejections, _QUERY.listed, visit.call, asked.listing)
    return show("rejections.html", status=asked.status, asked=asked, found=found)
