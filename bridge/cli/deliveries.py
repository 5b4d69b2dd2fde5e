"""`bridge deliveries …`. It may not send anything itself: a worker does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

import click

from bridge.admin.search import deliveries as search
from bridge.admin.search.delivery_ids import DeliveryFilter
from bridge.cli.cancelling import cancel_all, count, print_count
from bridge.cli.delivery_feed import DeliveryFeed
from bridge.cli.names import DESTINATION, EVENT_TYPE
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import (
    follow_option,
    json_option,
    page_options,
    page_request,
    reason_option,
    refuse_page_of_stream,
    span_options,
)
from bridge.cli.printing import Columns, print_json, print_page, print_rows, print_thing
from bridge.cli.watching import watch
from bridge.outbox.replay import cancel_delivery, replay_delivery
from bridge.wiring import Wiring

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS: Columns = {
    "ID": lambda one: one.id,
    "CREATED": lambda one: one.created_at,
    "DESTINATION": lambda one: one.destination,
    "STATE": lambda one: one.state,
    "TRIES": lambda one: one.attempts,
    "TYPE": lambda one: one.event_type,
    "SUBJECT": lambda one: one.subject,
    "LAST ERROR": lambda one: one.last_error if one.state != "delivered" else None,
}
_ATTEMPT_COLUMNS: Columns = {
    "TRY": lambda one: one.number,
    "STARTED": lambda one: one.started_at,
    "MS": lambda one: one.duration_ms,
    "OUTCOME": lambda one: one.outcome,
    "STATUS": lambda one: one.status,
    "ERROR": lambda one: one.error,
}
_STATES = ["pending", "sending", "delivered", "dead", "superseded", "cancelled"]


def _filter_options(command: F) -> F:
    """What selects deliveries, but for their state."""
    for option in (
        click.option("--error-class", help="Only those that failed so, like timeout."),
        click.option("--status", type=click.IntRange(100, 599), help="Only those whose newest try was answered so."),
        click.option("--event", "event_id", help="Only those of the event with this id."),
        click.option("--subject", help="Only those about exactly this."),
        click.option("--type", type=EVENT_TYPE, help="Only those of events of this type."),
        click.option("--destination", type=DESTINATION, help="Only those to this destination."),
    ):
        command = option(command)
    return span_options(command)


@click.group("deliveries")
def command() -> None:
    """Look at deliveries; replay one, cancel one or many."""


@command.command("list")
@_filter_options
@click.option("--state", type=click.Choice(_STATES))
@page_options
@follow_option
@json_option
def list_deliveries(limit: int, cursor: str | None, follows: bool, as_json: bool, **wanted: Any) -> None:
    """Deliveries, newest first; with --follow each appears again when it has ended."""
    refuse_page_of_stream(follows, cursor, wanted["until"])
    page = page_request(search.LISTED, limit, cursor)
    with opened_bridge() as bridge:
        if follows:
            feed = DeliveryFeed(bridge.database, bridge.clock, DeliveryFilter(**wanted), first=limit)
            watch(feed, _COLUMNS, as_json=as_json)
            return
        with bridge.database.read() as session:
            found = search.find_deliveries(session, DeliveryFilter(**wanted), page, now=bridge.clock.now())
    print_page(found, _COLUMNS, as_json=as_json)


@command.command("show")
@click.argument("delivery_id")
@json_option
def show(delivery_id: str, as_json: bool) -> None:
    """One delivery with its attempts."""
    with opened_bridge() as bridge, bridge.database.read() as session:
        delivery = search.show_delivery(session, delivery_id, now=bridge.clock.now())
        attempts = search.attempt_log(session, delivery_id)
    if as_json:
        print_json({**asdict(delivery), "attempt_log": attempts})
        return
    print_thing(delivery, as_json=False)
    click.echo()
    print_rows(attempts, _ATTEMPT_COLUMNS)


@command.command("replay")
@click.argument("delivery_id")
@click.option("--fresh-id", is_flag=True, help="With a new webhook-id, so that the receiver takes it as new.")
@reason_option
@json_option
def replay(delivery_id: str, fresh_id: bool, reason: str, as_json: bool) -> None:
    """Owe a final delivery again, at the end of its lane."""
    with opened_bridge() as bridge, bridge.database.write() as session:
        replayed = replay_delivery(
            session,
            delivery_id,
            reason=reason,
            actor=actor(),
            fresh_id=fresh_id,
            now=bridge.clock.now(),
            notes=bridge.notes,
        )
    if as_json:
        print_json(replayed)
        return
    click.echo(f"delivery {replayed.id} carries it; a worker sends it in its turn")
    if replayed.newer_delivered:
        click.echo("note: something newer about the same subject was delivered already", err=True)


@command.command("cancel")
@click.argument("delivery_ids", nargs=-1, metavar="[DELIVERY_ID]...")
@_filter_options
@click.option("--dry-run", is_flag=True, help="Only count what would be cancelled.")
@click.option("--yes", is_flag=True, help="Do not ask before all that the options select are cancelled.")
@click.option("--reason", metavar="TEXT", help="Why, in a sentence: the audit keeps it. Needed unless --dry-run.")
@json_option
def cancel(
    delivery_ids: tuple[str, ...], dry_run: bool, yes: bool, reason: str | None, as_json: bool, **wanted: Any
) -> None:
    """Take pending deliveries out of their lanes: these ones, or all that the options select.

    They are never sent. What is being sent right now is left alone. Ctrl-C ends it in between.
    """
    chosen = {name: value for name, value in wanted.items() if value is not None}
    if bool(delivery_ids) == bool(chosen):
        raise click.UsageError("Name deliveries by their ids, or select them by options; not both.")
    if reason is None and not dry_run:
        raise click.UsageError("Missing option '--reason' (or say --dry-run).")
    with opened_bridge() as bridge:
        if delivery_ids:
            _cancel_each(bridge, delivery_ids, reason or "", dry_run=dry_run, as_json=as_json)
        else:
            _cancel_all(bridge, DeliveryFilter(**chosen), reason, dry_run=dry_run, yes=yes, as_json=as_json)


def _cancel_each(bridge: Wiring, delivery_ids: Sequence[str], reason: str, *, dry_run: bool, as_json: bool) -> None:
    """One by one, so that the first that is refused is named and those before it are done."""
    if dry_run:
        raise click.UsageError("--dry-run counts what options select; look at one with `bridge deliveries show`.")
    for one in delivery_ids:
        with bridge.database.write() as session:
            cancel_delivery(session, one, reason=reason, actor=actor(), now=bridge.clock.now(), notes=bridge.notes)
        if not as_json:
            click.echo(f"delivery {one} is cancelled")
    if as_json:
        print_json({"cancelled": len(delivery_ids), "skipped": 0})


def _cancel_all(
    bridge: Wiring, wanted: DeliveryFilter, reason: str | None, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    bounded = replace(wanted, until=wanted.until or bridge.clock.now())  # what is owed from now on was not counted
    counts = count(bridge, bounded)
    if reason is None or dry_run:
        if as_json:
            print_json(counts)
        else:
            print_count(counts)
        return
    if not as_json:
        print_count(counts)
    if counts.matched and sys.stdin.isatty() and not yes:
        click.confirm("Cancel them?", abort=True, err=True)
    done = cancel_all(bridge, bounded, total=counts.matched, reason=reason, quiet=as_json)
    if as_json:
        print_json({"cancelled": done.cancelled, "skipped": done.skipped})
    else:
        left = f", {done.skipped} were being sent" if done.skipped else ""
        click.echo(f"{done.cancelled} cancelled{left}")
