"""`bridge deliveries …`. It may not send anything itself: a worker does."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from bridge.admin.search import deliveries as search
from bridge.admin.search.delivery_ids import DeliveryFilter
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


@click.group("deliveries")
def command() -> None:
    """Look at deliveries; replay or cancel one."""


@command.command("list")
@click.option("--destination", type=DESTINATION, help="Only those to this destination.")
@click.option("--state", type=click.Choice(_STATES))
@click.option("--type", type=EVENT_TYPE, help="Only those of events of this type.")
@click.option("--subject", help="Only those about exactly this.")
@click.option("--event", "event_id", help="Only those of the event with this id.")
@click.option("--status", type=int, help="Only those whose newest try was answered so, like 503.")
@click.option("--error-class", help="Only those that failed so, like timeout.")
@span_options
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
@click.argument("delivery_id")
@reason_option
@json_option
def cancel(delivery_id: str, reason: str, as_json: bool) -> None:
    """Take a pending delivery out of its lane; it is never sent."""
    with opened_bridge() as bridge, bridge.database.write() as session:
        cancel_delivery(session, delivery_id, reason=reason, actor=actor(), now=bridge.clock.now(), notes=bridge.notes)
    if as_json:
        print_json({"id": delivery_id, "state": "cancelled"})
    else:
        click.echo(f"delivery {delivery_id} is cancelled")
