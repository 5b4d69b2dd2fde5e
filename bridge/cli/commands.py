"""`bridge commands …`. It may not give or move a command."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click

from bridge.admin.search.pages import cut
from bridge.cli.following import follow
from bridge.cli.giving import print_end, refuse_unless_well
from bridge.cli.opened import opened_bridge
from bridge.cli.options import json_option, page_options, page_request, span_options
from bridge.cli.printing import Columns, print_json, print_page, print_rows, print_thing
from bridge.commands.measures import measure
from bridge.commands.reading import CommandView, list_commands, read_command
from bridge.commands.search import CommandFilter
from bridge.events import COMMANDS
from bridge.wiring import Wiring

_LISTED = "commands"
_STATES = ["accepted", "running", "succeeded", "failed", "cancelled"]
_SUMMARY_SPAN = timedelta(days=1)
_COLUMNS: Columns = {
    "ID": lambda one: one.id,
    "CREATED": lambda one: one.created_at,
    "OPERATION": lambda one: one.operation,
    "SUBJECT": lambda one: one.subject,
    "STATE": lambda one: one.state,
    "CONFLICTS": lambda one: one.conflicts,
    "ERROR": lambda one: one.error,
}
_STEP_COLUMNS: Columns = {
    "STEP AT": lambda step: step.get("at"),
    "OUTCOME": lambda step: step.get("outcome"),
    "STATUS": lambda step: step.get("status"),
    "DETAIL": lambda step: step.get("detail"),
}
_SUMMARY_COLUMNS: Columns = {
    "OPERATION": lambda one: one.operation,
    "ASKED": lambda one: one.asked,
    "OPEN": lambda one: one.open,
    "SUCCEEDED": lambda one: one.succeeded,
    "FAILED": lambda one: one.failed,
    "CANCELLED": lambda one: one.cancelled,
    "P50 MS": lambda one: one.latency_ms and one.latency_ms.p50,
    "P95 MS": lambda one: one.latency_ms and one.latency_ms.p95,
    "RETRIES": lambda one: one.retries,
    "CONFLICTS": lambda one: one.conflicts,
    "VIOLATIONS": lambda one: one.violations,
    "PURGED": lambda one: one.purged,
    "PER MINUTE": lambda one: one.per_minute,
}


@click.group("commands")
def command() -> None:
    """Look at what was asked of Genesys, and what became of it."""


@command.command("list")
@click.option("--operation", type=click.Choice(sorted(COMMANDS)))
@click.option("--subject", help="Only those about exactly this, like conversation:<id>.")
@click.option("--state", type=click.Choice(_STATES))
@click.option("--summary", is_flag=True, help="Count them per operation instead; by default those of the last day.")
@span_options
@page_options
@json_option
def list_all(limit: int, cursor: str | None, as_json: bool, summary: bool, **wanted: Any) -> None:
    """Commands, newest first."""
    page = page_request(_LISTED, limit, cursor)
    with opened_bridge() as bridge:
        if summary:
            _print_summary(bridge, wanted["since"], wanted["until"], as_json=as_json)
            return
        with bridge.database.read() as session:
            found = list_commands(session, CommandFilter(**wanted), before_id=page.before_id, limit=page.limit + 1)
    print_page(cut(_LISTED, page, found.items, lambda one: one.id, floor=found.floor), _COLUMNS, as_json=as_json)


@command.command("show")
@click.argument("command_id")
@click.option("--follow", "follows", is_flag=True, help="Wait until it has ended, and say how far it is.")
@json_option
def show(command_id: str, follows: bool, as_json: bool) -> None:
    """One command with its steps, its result or its error, and what was counted.

    Exit code 1 where --follow sees it end without success.
    """
    with opened_bridge() as bridge:
        if follows:
            shown = follow(bridge.database, command_id, quiet=as_json)
        else:
            with bridge.database.read() as session:
                shown = read_command(session, command_id)
    if as_json:
        print_json(shown)
    else:
        _print_command(shown)
    if follows:
        refuse_unless_well(shown)


def _print_command(shown: CommandView) -> None:
    told = asdict(shown)
    apart = ("steps", "result", "error", "state", "measures", "conflicts", "progress")
    kept = {name: value for name, value in told.items() if name not in apart and value is not None}
    print_thing({**kept, **shown.measures, **shown.progress}, as_json=False)
    click.echo()
    if shown.steps:
        print_rows(shown.steps, _STEP_COLUMNS)
        click.echo()
    print_end(shown)


def _print_summary(bridge: Wiring, since: datetime | None, until: datetime | None, *, as_json: bool) -> None:
    until = until or bridge.clock.now()
    since = since or until - _SUMMARY_SPAN
    with bridge.database.read() as session:
        operations = measure(session, since=since, until=until)
    if as_json:
        print_json({"since": since, "until": until, "operations": operations})
    else:
        print_rows(operations, _SUMMARY_COLUMNS)
