"""The box on every page: an id leads to what has it, everything else to the events whose subject holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.console.door import Visit, page
from bridge.admin.search.anything import Kind, kind_of

#: The page of each kind, and what its address calls the id.
_PAGES: Final[Mapping[Kind, tuple[str, str]]] = {
    "event": ("console.event", "event_id"),
    "delivery": ("console.delivery", "delivery_id"),
    "replay": ("console.replay_progress", "replay_id"),
    "purge": ("console.purge", "purge_id"),
    "hold": ("console.hold", "hold_id"),
    "audit entry": ("console.audit_entry", "entry_id"),
}


@page("/find", right=Right.LOOK)
def find(visit: Visit) -> AnyResponse:
    sought = request.args.get("q", "").strip()
    if not sought:
        return redirect(url_for("console.events"), 303)
    id_ = _as_id(sought)
    if id_ is not None:
        with visit.call.rooms.database.read() as session:
            kind = kind_of(session, id_)
        if kind is not None:
            endpoint, name = _PAGES[kind]
            address: dict[str, Any] = {name: id_}
            return redirect(url_for(endpoint, **address), 303)
    return redirect(url_for("console.events", text=sought), 303)


def _as_id(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
