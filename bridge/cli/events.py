"""`bridge events …`. It may not read or record an event itself."""

from __future__ import annotations

from datetime import datetime
from typing import IO, Any

import click

from bridge.admin.search import events as search
from bridge.admin.search.drift import find_drift
from bridge.admin.search.pages import Page, PageRequest
from bridge.cli.drifting import print_drift
from bridge.cli.names import EVENT_TYPE, SOURCE
from bridge.cli.opened import opened_bridge
from bridge.cli.options import (
    Moment,
    follow_option,
    json_option,
    page_options,
    page_request,
    reason_option,
    refuse_page_of_stream,
    span_options,
)
from bridge.cli.printing import Columns, print_page, print_thing
from bridge.cli.reparsing import chosen_unreadable, print_reparsed, reparse_each
from bridge.cli.sending import post_signed
from bridge.cli.watching import Newest, watch

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
    """Look at events; parse unreadable ones again; send one to try the bridge out."""


@command.command("list")
@click.option("--source", type=SOURCE, help="Only those of this source.")
@click.option("--type", type=EVENT_TYPE, help="Only those of this type, like interaction.updated.")
@click.option("--subject", help="Only those about exactly this, like conversation:<id>.")
@click.option("--text", help="Only those with this in their subject.")
@click.option("--state", type=click.Choice(["recorded", "unreadable"]))
@span_options
@page_options
@follow_option
@json_option
def list_events(limit: int, cursor: str | None, follows: bool, as_json: bool, **wanted: Any) -> None:
    """Events, newest first; personal data is masked."""
    refuse_page_of_stream(follows, cursor, wanted["until"])
    asked = page_request(search.LISTED, limit, cursor)
    chosen = search.EventFilter(**wanted)
    with opened_bridge() as bridge:

        def page(which: PageRequest) -> Page[search.FoundEvent]:
            with bridge.database.read() as session:
                return search.find_events(
                    session, chosen, which, masking=bridge.masking, vault=bridge.vault, now=bridge.clock.now()
                )

        if follows:
            watch(Newest(search.LISTED, page, lambda one: one.id, first=limit), _COLUMNS, as_json=as_json)
        else:
            print_page(page(asked), _COLUMNS, as_json=as_json)


@command.command("show")
@click.argument("event_id")
@json_option
def show(event_id: str, as_json: bool) -> None:
    """One event with what became of it; personal data is masked."""
    with opened_bridge() as bridge, bridge.database.read() as session:
        event = search.show_event(session, event_id, masking=bridge.masking, vault=bridge.vault, now=bridge.clock.now())
    print_thing(event, as_json=as_json)


@command.command("reparse")
@click.argument("event_ids", metavar="[ID]...", nargs=-1)
@click.option("--source", type=SOURCE, help="All unreadable ones of this source.")
@span_options
@reason_option
@json_option
def reparse(event_ids: tuple[str, ...], reason: str, as_json: bool, **wanted: Any) -> None:
    """Parse unreadable events again, with today's formats: those named, or all that the options select.

    What they tell is recorded in their place and owed as if it came now, unless it was recorded meanwhile. Exit code 1
    where one still cannot be read.
    """
    if bool(event_ids) == any(wanted.values()):
        raise click.UsageError("Give IDs, or say which with --source, --since or --until.")
    with opened_bridge() as bridge:
        bridge.require_current()
        chosen = event_ids or chosen_unreadable(bridge.database, search.EventFilter(**wanted))
        print_reparsed(reparse_each(bridge, chosen, reason), as_json=as_json)


@command.command("drift")
@click.option("--source", type=SOURCE, help="Only those of this source.")
@click.option("--since", type=Moment(), default="7d", show_default=True, help="Not before: how long ago, or a time.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=10_000, show_default=True, help="Look at the newest so many."
)
@json_option
def drift(source: str | None, since: datetime, limit: int, as_json: bool) -> None:
    """What arrives otherwise than the formats know it, and what to do about it; values are never shown.

    Events that could not be read, types and fields that no format knows, fields whose values are now of one kind, now
    of another: each with how often, since when, and the newest event that shows it.
    """
    with opened_bridge() as bridge, bridge.database.read() as session:
        report = find_drift(
            session,
            bridge.settings.sources,
            since=since,
            limit=limit,
            masking=bridge.masking,
            vault=bridge.vault,
            source=source,
        )
    print_drift(report, as_json=as_json)


@command.command("send")
@click.argument("source", type=SOURCE)
@click.argument("file", type=click.File("rb"))
@click.option("--url", help="Where the bridge runs.  [default: http://127.0.0.1:$PORT]")
def send(source: str, file: IO[bytes], url: str | None) -> None:
    """Post FILE (- for standard input) to a running bridge, signed as SOURCE would sign it.

    Prints the bridge's answer; exit code 1 where it did not accept.
    """
    post_signed(source, file.read(), url)
