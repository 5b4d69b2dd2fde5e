"""Pages of replays: orders to send many deliveries again, counted before they are given. A worker carries them out."""

from __future__ import annotations

from dataclasses import fields

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.queries import ReasonSchema
from bridge.admin.api.replay_queries import DEFAULT_RATE, ReplayOrderSchema, ReplayQuerySchema
from bridge.admin.api.replays import (
    cancel_one_replay,
    create_replay,
    get_replay,
    get_replays,
    pause_one_replay,
    resume_one_replay,
)
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import read_filter, read_listing, read_order
from bridge.admin.console.rendering import show
from bridge.errors import FieldError, Invalid
from bridge.outbox.replay_orders import ReplayCounts
from bridge.outbox.replay_progress import ReplayProgress
from bridge.outbox.selection import SELECTABLE, ReplayFilter

_QUERY = ReplayQuerySchema()
_ORDER = ReplayOrderSchema()
_REASON = ReasonSchema()
_STEERING = {"pause": pause_one_replay, "resume": resume_one_replay, "cancel": cancel_one_replay}
_FILTER = tuple(field.name for field in fields(ReplayFilter) if field.name != "as_of")


@page("/replays", right=Right.LOOK)
def replays(visit: Visit) -> Response:
    asked = read_listing(_QUERY, request.args)
    found = None if asked.listing is None else get_replays(visit.call, asked.listing)
    return show("replays.html", status=asked.status, asked=asked, found=found)


@page("/replays/new", right=Right.STEER)
def new_replay(visit: Visit) -> Response:
    """The form; with `count` what it would send, counted."""
    chosen = read_filter(request.args, _FILTER)
    mode = request.args.get("mode", "latest")
    counts: ReplayCounts | None = None
    errors: dict[str, str] = {}
    if "count" in request.args:
        counts, errors = _counted(visit, chosen, mode)
    return show(
        "new_replay.html",
        status=422 if errors else 200,
        chosen=chosen,
        mode=mode,
        counts=counts,
        errors=errors,
        rate=DEFAULT_RATE,
        states=SELECTABLE,
        destinations=sorted(visit.call.rooms.wanted),
    )


@page("/replays/order", right=Right.STEER, method="POST")
def order_replay(visit: Visit) -> AnyResponse:
    form = request.form
    body = {
        "filter": read_filter(form, _FILTER),
        "mode": form.get("mode", "latest"),
        "reason": form.get("reason", ""),
        "rate": _number(form.get("rate", "")),
    }
    ordered = create_replay(visit.call, read_order(_ORDER, body)).value
    assert isinstance(ordered, ReplayProgress)
    return redirect(url_for("console.replay_progress", replay_id=ordered.id), 303)


@page("/replays/<uuid:replay_id>", right=Right.LOOK)
def replay_progress(visit: Visit, replay_id: str) -> Response:
    return show("replay.html", replay=get_replay(visit.call, replay_id), done=request.args.get("done"))


@page("/replays/<uuid:replay_id>/steer", right=Right.STEER, method="POST")
def steer_replay(visit: Visit, replay_id: str) -> AnyResponse:
    """Pause, resume or cancel it."""
    order = read_order(_REASON, {"reason": request.form.get("reason", "")})
    action = request.form.get("action", "")
    if action not in _STEERING:
        message = "Choose to pause, resume or cancel it."
        raise Invalid("nothing is chosen", errors=[FieldError(field="action", rule="enum", message=message)])
    _STEERING[action](visit.call, order, replay_id)
    return redirect(url_for("console.replay_progress", replay_id=replay_id, done=action), 303)


def _counted(visit: Visit, chosen: dict[str, str], mode: str) -> tuple[ReplayCounts | None, dict[str, str]]:
    """The counts; or none, and what is wrong with the filter by its fields."""
    try:
        order = read_order(_ORDER, {"filter": chosen, "mode": mode, "dry_run": True})
        counts = create_replay(visit.call, order).value
    except Invalid as wrong:
        return None, {error.field.removeprefix("filter."): error.message for error in wrong.errors}
    assert isinstance(counts, ReplayCounts)
    return counts, {}


def _number(text: str) -> float | str:
    """`text` as a number where it is one; else as it is, for the schema to refuse."""
    try:
        return float(text)
    except ValueError:
        return text
