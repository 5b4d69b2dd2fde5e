"""`bridge records …`. It may not change anything itself: a worker carries the commands out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from bridge.admin.search.pages import Page
from bridge.cli.giving import entries_option, give, manner_options, merged
from bridge.cli.opened import opened_bridge
from bridge.cli.options import json_option
from bridge.cli.printing import Columns, print_page
from bridge.commands.history import RecordHistory
from bridge.events import RECORD_UPDATE
from bridge.genesys.operations.record_update import CONFLICT_CHOICES


@click.group("records")
def command() -> None:
    """Update custom-object records in Genesys, and read their history."""


@command.command("update")
@click.argument("schema")
@click.argument("record_id")
@click.option("--version", type=int, required=True, help="The version that you saw; 0 is one.")
@entries_option("fields", "A field of the record")
@click.option("--tags", multiple=True, metavar="TAG", help="Kept with the change. Repeat it for more.")
@click.option(
    "--on-conflict",
    type=click.Choice(CONFLICT_CHOICES),
    default="fail",
    show_default=True,
    help="What to do where somebody was faster.",
)
@manner_options
@json_option
def update(
    schema: str,
    record_id: str,
    version: int,
    fields: tuple[dict[str, object], ...],
    tags: tuple[str, ...],
    on_conflict: str,
    idempotency_key: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Write a record under the version that you saw."""
    body = {
        "schema": schema,
        "record_id": record_id,
        "version": version,
        "fields": merged(fields),
        "tags": list(tags) or None,
        "on_conflict": on_conflict,
    }
    with opened_bridge() as bridge:
        give(bridge, RECORD_UPDATE, body, idempotency_key=idempotency_key, wait=wait, as_json=as_json)


@command.command("history")
@click.argument("schema")
@click.argument("record_id")
@json_option
def history(schema: str, record_id: str, as_json: bool) -> None:
    """Every change of a record as Genesys has it, newest first; personal data is masked."""
    with opened_bridge() as bridge:
        entries = RecordHistory(bridge.genesys, bridge.masking).entries(schema, record_id)
    print_page(Page(items=entries, next=None), _COLUMNS, as_json=as_json)


def _by(entry: Mapping[str, Any]) -> object:
    user = entry.get("user")
    return user.get("id") if isinstance(user, Mapping) else user


def _changes(entry: Mapping[str, Any]) -> str:
    listed = [one for one in entry.get("changes") or () if isinstance(one, Mapping)]
    return ", ".join(f"{one.get('field')}: {one.get('oldValue')} → {one.get('newValue')}" for one in listed)


_COLUMNS: Columns = {
    "AT": lambda entry: entry.get("timestamp"),
    "ACTION": lambda entry: entry.get("action"),
    "VERSION": lambda entry: entry.get("version"),
    "BY": _by,
    "CHANGES": _changes,
}
