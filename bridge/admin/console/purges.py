"""Pages of purges: what would be purged in full, and the second key. They may not purge, nor plan a purge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.command_forms import PurgeQuerySchema
from bridge.admin.api.purges import approve_purge, cancel_purge, get_purge, get_purges
from bridge.admin.api.queries import ReasonSchema
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import read_listing, read_order
from bridge.admin.console.rendering import show
from bridge.errors import FieldError, Invalid

_QUERY = PurgeQuerySchema()
_REASON = ReasonSchema()


@page("/purges", right=Right.LOOK)
def purges(visit: Visit) -> Response:
    asked = read_listing(_QUERY, request.args)
    found = None if asked.listing is None else get_purges(visit.call, asked.listing)
    return show("purges.html", status=asked.status, asked=asked, found=found)


@page("/purges/<uuid:purge_id>", right=Right.LOOK)
def purge(visit: Visit, purge_id: str) -> Response:
    found = get_purge(visit.call, purge_id)
    return show(
        "purge.html",
        purge=found,
        policy=found["policy"],
        extent=_extent(found["policy"]),
        is_planner=found["planner"] == visit.call.caller.person,
        done=request.args.get("done"),
    )


@page("/purges/<uuid:purge_id>/approve", right=Right.APPROVE, method="POST")
def approve(visit: Visit, purge_id: str) -> AnyResponse:
    if request.form.get("read") != "yes":
        message = "Tick that you have read what will be purged."
        raise Invalid(
            "a purge is not approved unread", errors=[FieldError(field="read", rule="required", message=message)]
        )
    approve_purge(visit.call, purge_id)
    return redirect(url_for("console.purge", purge_id=purge_id, done="approved"), 303)


@page("/purges/<uuid:purge_id>/cancel", right=Right.CALL_OFF, method="POST")
def call_off(visit: Visit, purge_id: str) -> AnyResponse:
    cancel_purge(visit.call, read_order(_REASON, {"reason": request.form.get("reason", "")}), purge_id)
    return redirect(url_for("console.purge", purge_id=purge_id, done="cancelled"), 303)


def _extent(policy: Any) -> dict[str, object]:
    """The policy's parts that say what goes, each with its name for people."""
    between: Mapping[str, object] = policy.get("dateRange") or {}
    named = {
        "Interactions of type": policy.get("interactionType"),
        "From": between.get("start"),
        "Up to, not including": between.get("end"),
        "How": policy.get("purgeType"),
        "Classification": policy.get("classification"),
        "Retention": f"{policy.get('retentionDays')} days",
        "Why": policy.get("reason"),
    }
    return {name: value for name, value in named.items() if value is not None}
