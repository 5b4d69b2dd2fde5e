"""`bridge lanes …`. It may not move a lane itself: the outbox does."""

from __future__ import annotations

import click

from bridge.admin.lanes import WayOut, free_lane
from bridge.admin.search.lanes import LISTED, find_blocked_lanes
from bridge.cli.names import DESTINATION
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import json_option, page_options, page_request, reason_option
from bridge.cli.printing import Columns, print_json, print_page

_COLUMNS: Columns = {
    "DESTINATION": lambda one: one.destination,
    "SUBJECT": lambda one: one.subject,
    "BLOCKED": lambda one: one.blocked_at,
    "WAITING": lambda one: one.waiting,
    "HEAD": lambda one: one.head.delivery,
    "ERROR": lambda one: one.head.error,
}
_head_option = click.option("--head", metavar="DELIVERY", help="Only while this delivery holds the lane.")


@click.group("lanes")
def command() -> None:
    """See which subjects wait behind a dead delivery, and let them go on."""


@command.command("list")
@click.option("--destination", type=DESTINATION, help="Only those of this destination.")
@page_options
@json_option
def list_all(destination: str | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """Blocked lanes, the newest block first."""
    page = page_request(LISTED, limit, cursor)
    with opened_bridge() as bridge, bridge.database.read() as session:
        found = find_blocked_lanes(session, destination, page)
    print_page(found, _COLUMNS, as_json=as_json)


@command.command("skip")
@click.argument("destination", type=DESTINATION)
@click.argument("subject")
@_head_option
@reason_option
@json_option
def skip(destination: str, subject: str, head: str | None, reason: str, as_json: bool) -> None:
    """Let a blocked lane go on with the next delivery; the dead one stays dead, and can be replayed."""
    delivery = _free("skip", destination, subject, head, reason)
    if as_json:
        print_json({"destination": destination, "subject": subject, "delivery": delivery, "state": "dead"})
    else:
        click.echo(f"the lane goes on; bridge deliveries replay {delivery} sends the dead one again")


@command.command("release")
@click.argument("destination", type=DESTINATION)
@click.argument("subject")
@_head_option
@reason_option
@json_option
def release(destination: str, subject: str, head: str | None, reason: str, as_json: bool) -> None:
    """Let a blocked lane try its dead delivery again, in its place, before what waits behind it."""
    delivery = _free("release", destination, subject, head, reason)
    if as_json:
        print_json({"destination": destination, "subject": subject, "delivery": delivery, "state": "pending"})
    else:
        click.echo(f"delivery {delivery} is tried again, then the lane goes on")


def _free(way_out: WayOut, destination: str, subject: str, head: str | None, reason: str) -> str:
    with opened_bridge() as bridge, bridge.database.write() as session:
        now, notes = bridge.clock.now(), bridge.notes
        return free_lane(
            session, way_out, destination, subject, head=head, reason=reason, actor=actor(), now=now, notes=notes
        )
