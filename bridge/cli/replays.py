"""`bridge replays …`: look at replay orders, and steer them. It may not carry one out: a worker does."""

from __future__ import annotations

from datetime import datetime

import click

from bridge.admin.search.pages import cut
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import json_option, page_options, page_request, reason_option, span_options
from bridge.cli.printing import Columns, print_json, print_page, print_thing
from bridge.cli.waiting import follow_replay, progress_line, refuse_unless_well
from bridge.outbox.replay_orders import Steer, cancel_replay, pause_replay, resume_replay
from bridge.outbox.replay_progress import OrderedWithin, ReplayProgress, list_replays, replay_progress

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
    "CANCELLED": lambda one: one.cancelled,
    "SKIPPED": lambda one: one.skipped,
    "REASON": lambda one: one.reason,
}


@click.group("replays")
def command() -> None:
    """Look at replay orders, pause, resume or cancel them; `bridge replay` gives one."""


@command.command("list")
@span_options
@page_options
@json_option
def list_all(since: datetime | None, until: datetime | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """Replay orders, newest first."""
    wanted = OrderedWithin(since=since, until=until)
    page = page_request(_LISTED, limit, cursor)
    with opened_bridge() as bridge, bridge.database.read() as session:
        rows = list_replays(session, wanted, before_id=page.before_id, limit=page.limit + 1)
    print_page(cut(_LISTED, page, rows, lambda one: one.id), _COLUMNS, as_json=as_json)


@command.command("show")
@click.argument("replay_id")
@click.option("--follow", "follows", is_flag=True, help="Until it has ended; Ctrl-C only stops looking.")
@json_option
def show(replay_id: str, follows: bool, as_json: bool) -> None:
    """One replay order and how far it is.

    With --follow and --json a line per change. Exit code 1 where --follow sees a delivery die again, or the replay
    cancelled.
    """
    with opened_bridge() as bridge:
        if follows:
            progress = follow_replay(bridge.database, replay_id, as_json=as_json)
        else:
            with bridge.database.read() as session:
                progress = replay_progress(session, replay_id)
    if not follows:
        print_thing(progress, as_json=as_json)
        return
    if not as_json:
        click.echo(progress_line(progress))
    refuse_unless_well(progress)


@command.command("pause")
@click.argument("replay_id")
@reason_option
@json_option
def pause(replay_id: str, reason: str, as_json: bool) -> None:
    """Put nothing more of it into lanes until it is resumed; what is in its lane already is sent."""
    progress = _steered(pause_replay, replay_id, reason)
    _say(progress, f"paused; {progress.pending} in their lanes are still sent", as_json=as_json)


@command.command("resume")
@click.argument("replay_id")
@reason_option
@json_option
def resume(replay_id: str, reason: str, as_json: bool) -> None:
    """Let a paused replay go on from where it stands."""
    progress = _steered(resume_replay, replay_id, reason)
    _say(progress, "it goes on", as_json=as_json)


@command.command("cancel")
@click.argument("replay_id")
@reason_option
@json_option
def cancel(replay_id: str, reason: str, as_json: bool) -> None:
    """End it, and cancel those of its deliveries that are pending and not being sent. It cannot be resumed."""
    progress = _steered(cancel_replay, replay_id, reason)
    rest = f", {progress.pending} follow: bridge replays show {replay_id} --follow" if progress.pending else ""
    told = f"cancelled: {progress.sent} were sent already, {progress.cancelled} will not be{rest}"
    _say(progress, told, as_json=as_json)


def _steered(steer: Steer, replay_id: str, reason: str) -> ReplayProgress:
    with opened_bridge() as bridge, bridge.database.write() as session:
        steer(session, replay_id, reason=reason, actor=actor(), now=bridge.clock.now(), notes=bridge.notes)
        return replay_progress(session, replay_id)


def _say(progress: ReplayProgress, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(progress)
    else:
        click.echo(sentence)
