"""`bridge replay`. It may not send anything itself: a worker carries the order out."""

from __future__ import annotations

from typing import Any

import click

from bridge.cli.names import DESTINATION, EVENT_TYPE, SOURCE
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import json_option, span_options
from bridge.cli.printing import print_json
from bridge.cli.waiting import follow_replay, progress_line, refuse_unless_well, whose
from bridge.outbox.replay_orders import PlannedReplay, ReplayCounts, order_replay, plan_replay
from bridge.outbox.replay_progress import ReplayProgress, replay_progress
from bridge.outbox.selection import SELECTABLE, Mode, ReplayFilter
from bridge.wiring import Wiring


@click.command("replay")
@span_options
@click.option("--destination", type=DESTINATION, help="Only those owed to this destination.")
@click.option("--state", type=click.Choice(SELECTABLE), help="Only those now in this state; none: never owed.")
@click.option("--type", type=EVENT_TYPE, help="Only events of this type.")
@click.option("--subject", help="Only those about exactly this.")
@click.option("--source", type=SOURCE, help="Only events of this source.")
@click.option(
    "--mode",
    type=click.Choice(["every", "latest"]),
    default="every",
    show_default=True,
    help="Every event, or only the newest of each subject.",
)
@click.option("--rate", type=float, default=50, show_default=True, help="Deliveries per second at most.")
@click.option("--reason", metavar="TEXT", help="Why, in a sentence: the audit keeps it. Needed unless --dry-run.")
@click.option("--dry-run", is_flag=True, help="Only count what would be sent.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until a worker has carried it out.")
@json_option
def command(
    mode: Mode, rate: float, reason: str | None, dry_run: bool, wait: bool, as_json: bool, **chosen: Any
) -> None:
    """Send again what all given options select: --since 24h --destination erp --state dead.

    Replays go out behind live traffic, each at the end of its lane. Ctrl-C only stops looking. Exit code 1 where one of
    them died again, or the replay was cancelled.
    """
    if reason is None and not dry_run:
        raise click.UsageError("Missing option '--reason' (or say --dry-run).")
    with opened_bridge() as bridge:
        with bridge.database.read() as session:
            wanted = ReplayFilter(**chosen)
            planned = plan_replay(session, wanted, mode, bridge.wanted, now=bridge.clock.now())
        if dry_run or not as_json:
            _print_counts(planned.counts, as_json=as_json)
        if dry_run:
            return
        replay_id = _order(bridge, planned, rate, reason or "")
        if not as_json:
            click.echo(f"ordered: bridge replays show {replay_id} --follow", err=True)
        progress = follow_replay(bridge.database, replay_id, quiet=as_json) if wait else _progress(bridge, replay_id)
    if as_json:
        print_json(progress)
    elif wait:
        click.echo(progress_line(progress))
    refuse_unless_well(progress)


def _order(bridge: Wiring, planned: PlannedReplay, rate: float, reason: str) -> str:
    with bridge.database.write() as session:
        return order_replay(
            session, planned, reason=reason, rate=rate, actor=actor(), now=bridge.clock.now(), notes=bridge.notes
        )


def _progress(bridge: Wiring, replay_id: str) -> ReplayProgress:
    with bridge.database.read() as session:
        return replay_progress(session, replay_id)


def _print_counts(counts: ReplayCounts, *, as_json: bool) -> None:
    if as_json:
        print_json(counts)
        return
    click.echo(f"{counts.matched} matched")
    for title, by_name in (("to", counts.by_destination), ("of type", counts.by_type)):
        for name, number in sorted(by_name.items()):
            click.echo(f"{number:>8} {title} {name}")
    if counts.left_out:
        click.echo(f"{counts.left_out:>8} older versions are left out (--mode latest)")
    for replay_id, number in sorted(counts.skipped_for.items()):
        click.echo(f"{number:>8} already being replayed by {whose(replay_id)}, and left to it")
