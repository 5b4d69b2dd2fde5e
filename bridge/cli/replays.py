"""`bridge replays …`. It may not change an order."""

from __future__ import annotations

import click

from bridge.admin.search.pages import cut
from bridge.cli.opened import opened_bridge
from bridge.cli.options import json_option, page_options, page_request
from bridge.cli.printing import Columns, print_page, print_thing
from bridge.outbox.replay import list_replays, replay_progress

_LISTED = "replays"
_COLUMNS: Columns = {
    "ID": lambda one: one.id,
    "CREATED": lambda one: one.created_at,
    "BY": lambda one: one.created_by,
    "STATE": lambda one: one.state,
    "MATCHED": lambda one: one.matched,
    "SENT": lambda one: one.sent,
    "DELIVERED": lambda one: one.delivered,
    "FAILED": lambda one: one.failed,
    "REASON": lambda one: one.reason,
}


@click.group("replays")
def command() -> None:
    """Look at replay orders; `bridge replay` gives one."""


@command.command("list")
@page_options
@json_option
def list_all(limit: int, cursor: str | None, as_json: bool) -> None:
    """Replay orders, newest first."""
    page = page_request(_LISTED, limit, cursor)
    with opened_bridge() as bridge, bridge.database.read() as session:
        rows = list_replays(session, before_id=page.before_id, limit=page.limit + 1)
    print_page(cut(_LISTED, page, rows, lambda one: one.id), _COLUMNS, as_json=as_json)


@command.command("show")
@click.argument("replay_id")
@json_option
def show(replay_id: str, as_json: bool) -> None:
    """One replay order and how far it is."""
    with opened_bridge() as bridge, bridge.database.read() as session:
        progress = replay_progress(session, replay_id)
    print_thing(progress, as_json=as_json)
