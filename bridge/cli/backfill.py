"""`bridge backfill`. It may not send anything itself: a worker carries the orders out."""

from __future__ import annotations

from typing import Any

import click

from bridge.admin.backfill import plan_backfill
from bridge.admin.lookout import make_lookout
from bridge.cli.names import DESTINATION, EVENT_TYPE, SOURCE
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import Moment, json_option
from bridge.cli.printing import print_json
from bridge.outbox.replay_orders import PlannedReplay, order_replay
from bridge.outbox.selection import Mode, ReplayFilter
from bridge.wiring import Wiring


@click.command("backfill")
@click.option("--since", type=Moment(), required=True, help="Not before: how long ago (24h), or a time (RFC 3339).")
@click.option("--until", type=Moment(), help="Before this time.")
@click.option("--source", type=SOURCE, help="Only events of this source.")
@click.option("--type", type=EVENT_TYPE, help="Only events of this type.")
@click.option(
    "--destination",
    "to",
    type=DESTINATION,
    multiple=True,
    help="Only for this one; repeat it for more.  [default: all]",
)
@click.option(
    "--mode",
    type=click.Choice(["every", "latest"]),
    default="every",
    show_default=True,
    help="Every event, or only the newest of each subject.",
)
@click.option(
    "--rate", type=float, default=50, show_default=True, help="Deliveries per second and destination at most."
)
@click.option("--reason", metavar="TEXT", help="Why, in a sentence: the audit keeps it. Needed unless --dry-run.")
@click.option("--dry-run", is_flag=True, help="Only count what would be owed.")
@json_option
def command(
    to: tuple[str, ...], mode: Mode, rate: float, reason: str | None, dry_run: bool, as_json: bool, **narrowed: Any
) -> None:
    """Owe recorded events to destinations that want them today and were never owed them: --since 24h.

    For a destination that is new, or has subscribed to more. It is a replay of what was never owed, one for each
    destination, behind live traffic; `bridge replays show` tells how far it is. What Genesys has not sent cannot be
    filled: it has no call that would send the webhooks of a past hour again.
    """
    if reason is None and not dry_run:
        raise click.UsageError("Missing option '--reason' (or say --dry-run).")
    with opened_bridge() as bridge:
        bridge.require_current()
        lookout = make_lookout(
            bridge.settings, database=bridge.database, clock=bridge.clock, forwarders=bridge.destinations
        )
        with bridge.database.read() as session:
            chosen = ReplayFilter(**narrowed)
            now = bridge.clock.now()
            planned = plan_backfill(session, bridge.wanted, lookout.known, to=to, narrowed=chosen, mode=mode, now=now)
        ordered = [
            {
                "destination": one.filter.destination,
                "matched": one.counts.matched,
                "by_type": one.counts.by_type,
                "replay": None if dry_run else _order(bridge, one, rate, reason or ""),
            }
            for one in planned
        ]
    _print(ordered, as_json=as_json)


def _order(bridge: Wiring, planned: PlannedReplay, rate: float, reason: str) -> str:
    with bridge.database.write() as session:
        now, notes = bridge.clock.now(), bridge.notes
        return order_replay(session, planned, reason=reason, rate=rate, actor=actor(), now=now, notes=notes)


def _print(ordered: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"items": ordered})
        return
    for one in ordered:
        followed = "" if one["replay"] is None else f": bridge replays show {one['replay']}"
        click.echo(f"{one['matched']} events to {one['destination']}{followed}")
        for event_type, number in sorted(one["by_type"].items()):
            click.echo(f"{number:>8} of type {event_type}")
    if not ordered:
        click.echo("nothing was left out: every destination was owed what it wants", err=True)
