"""Pages of legal holds: which are in force, placing one in two steps, releasing one. They may not hold anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.hold_forms import HoldOrderSchema, HoldQuerySchema
from bridge.admin.api.legal_holds import get_hold, get_holds, post_hold, release_hold
from bridge.admin.api.queries import ReasonSchema
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import read_filter, read_listing, read_order
from bridge.admin.console.rendering import show
from bridge.admin.holds import preview_hold
from bridge.commands.purges import PurgeView
from bridge.errors import Invalid
from bridge.genesys.purge_policy import INTERACTION_TYPES
from bridge.settings.model import LegalHold

_QUERY = HoldQuerySchema()
_ORDER = HoldOrderSchema()
_REASON = ReasonSchema()
_FIELDS = ("subject", "customer", "type", "from", "to", "reason")


@page("/holds", right=Right.LOOK)
def holds(visit: Visit) -> Response:
    asked = read_listing(_QUERY, request.args)
    found = None if asked.listing is None else get_holds(visit.call, asked.listing)
    return show("holds.html", status=asked.status, asked=asked, found=found)


@page("/holds/new", right=Right.HOLD)
def new_hold(visit: Visit) -> Response:
    return _form(read_filter(request.args, ("subject",)), {})


@page("/holds/check", right=Right.HOLD, method="POST")
def check_new_hold(visit: Visit) -> Response:
    """What would be held, before anything is."""
    given = read_filter(request.form, _FIELDS)
    purges, errors = _look(visit, given)
    return _form(given, errors) if errors else show("hold_check.html", given=given, purges=purges)


@page("/holds", right=Right.HOLD, method="POST")
def place_hold(visit: Visit) -> AnyResponse:
    placed: Any = post_hold(visit.call, read_order(_ORDER, read_filter(request.form, _FIELDS))).value
    return redirect(url_for("console.hold", hold_id=placed["id"], done="placed"), 303)


@page("/holds/<uuid:hold_id>", right=Right.LOOK)
def hold(visit: Visit, hold_id: str) -> Response:
    return show("hold.html", hold=get_hold(visit.call, hold_id), done=request.args.get("done"))


@page("/holds/<uuid:hold_id>/release", right=Right.HOLD)
def ask_to_release(visit: Visit, hold_id: str) -> Response:
    return show("hold_release.html", hold=get_hold(visit.call, hold_id))


@page("/holds/<uuid:hold_id>/release", right=Right.HOLD, method="POST")
def release_one_hold(visit: Visit, hold_id: str) -> AnyResponse:
    release_hold(visit.call, read_order(_REASON, {"reason": request.form.get("reason", "")}), hold_id)
    return redirect(url_for("console.hold", hold_id=hold_id, done="released"), 303)


def _look(visit: Visit, given: Mapping[str, str]) -> tuple[Sequence[PurgeView], dict[str, str]]:
    """The open purges that the hold would cover; and what is wrong with it, by its fields."""
    try:
        wanted: LegalHold = read_order(_ORDER, {"reason": "", **given})
        with visit.call.rooms.database.read() as session:
            return preview_hold(session, wanted), {}
    except Invalid as wrong:
        return [], {error.field: error.message for error in wrong.errors}


def _form(given: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    return show("new_hold.html", status=422 if errors else 200, given=given, errors=errors, types=INTERACTION_TYPES)
