"""`bridge events …`. It may not change an event."""

from __future__ import annotations

from typing import IO, Any

import click

from bridge.admin.search import events as search
from bridge.cli.opened import opened_bridge
from bridge.cli.options import json_option, page_options, page_request, span_options
from bridge.cli.printing import Columns, print_page, print_thing
from bridge.cli.sending import post_signed

_COLUMNS: Columns = {
    "ID": lambda event: event.id,
    "RECEIVED": lambda event: event.received_at,
    "SOURCE": lambda event: event.source,
    "TYPE": lambda event: event.type if event.state == "recorded" else "(unreadable)",
    "SUBJECT": lambda event: event.subject,
    "VERSION": lambda event: event.version,
    "DELIVERIES": lambda event: ", ".join(f"{one.destination} {one.state}" for one in event.deliveries),
}


@click.group("events")
def command() -> None:
    """Look at events, or send one to try the bridge out."""


@command.command("list")
@click.option("--source", help="Only those of this source.")
@click.option("--type", help="Only those of this type, like interaction.updated.")
@click.option("--subject", help="Only those about exactly this, like conversation:<id>.")
@click.option("--text", help="Only those with this in their subject.")
@click.option("--state", type=click.Choice(["recorded", "unreadable"]))
@span_options
@page_options
@json_option
def list_events(limit: int, cursor: str | None, as_json: bool, **wanted: Any) -> None:
    """Events, newest first; personal data is masked."""
    page = page_request(search.LISTED, limit, cursor)
    with opened_bridge() as bridge, bridge.database.read() as session:
        found = search.find_events(
            session,
            search.EventFilter(**wanted),
            page,
            masking=bridge.masking,
            vault=bridge.vault,
            now=bridge.clock.now(),
        )
    print_page(found, _COLUMNS, as_json=as_json)


@command.command("show")
@click.argument("event_id")
@json_option
def show(event_id: str, as_json: bool) -> None:
    """One event with what became of it; personal data is masked."""
    with opened_bridge() as bridge, bridge.database.read() as session:
        event = search.show_event(session, event_id, masking=bridge.masking, vault=bridge.vault, now=bridge.clock.now())
    print_thing(event, as_json=as_json)


@command.command("send")
@click.argument("source")
@click.argument("file", type=click.File("rb"))
@click.option("--url", help="Where the bridge runs.  [default: http://127.0.0.1:$PORT]")
def send(source: str, file: IO[bytes], url: str | None) -> None:
    """Post FILE (- for standard input) to a running bridge, signed as SOURCE would sign it.

    Prints the bridge's answer; exit code 1 where it did not accept.
    """
    post_signed(source, file.read(), url)
