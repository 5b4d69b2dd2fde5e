"""Follows a replay order until it has ended. It may not move it: whoever stops looking leaves it as it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import orjson

from bridge.cli.edge import REFUSED
from bridge.database import Database
from bridge.outbox.replay_progress import ReplayProgress, replay_progress
from bridge.outbox.taken import SINGLE

_LOOK_SECONDS = 0.25
#: Looks without any movement until the hint that no worker may be running.
_PATIENCE = 40
#: What a shell gives a program that Ctrl-C has ended.
_INTERRUPTED = 130

Show = Callable[[ReplayProgress], None]


def follow_replay(database: Database, replay_id: str, *, as_json: bool = False, quiet: bool = False) -> ReplayProgress:
    """The order's last state, when it has ended.

    On the way on standard error a bar that moves on a terminal, else a line now and then; with `as_json` a line of JSON
    per change on standard output instead; nothing if `quiet`. Raises NotFound; ends the program on Ctrl-C.
    """
    with _shown(as_json=as_json, quiet=quiet) as show:
        try:
            return _follow(database, replay_id, show, hints=not as_json and not quiet)
        except KeyboardInterrupt:
            click.echo(f"\nthe replay goes on without you: bridge replays show {replay_id} --follow", err=True)
            raise SystemExit(_INTERRUPTED) from None


def progress_line(progress: ReplayProgress) -> str:
    """`running: 40 of 100 ended, 39 delivered, 1 dead`."""
    told = {
        "delivered": progress.delivered,
        "dead": progress.failed,
        "superseded": progress.superseded,
        "cancelled": progress.cancelled,
        "left to other replays": progress.skipped,
    }
    parts = [f"{number} {what}" for what, number in told.items() if number]
    return ", ".join([f"{progress.state}: {progress.ended} of {progress.matched} ended", *parts])


def whose(replay_id: str) -> str:
    """Who replays a row already, in words."""
    return "an order for one delivery" if replay_id == SINGLE else replay_id


def refuse_unless_well(progress: ReplayProgress) -> None:
    """End the program with exit code 1 where a delivery died again, or the replay was cancelled."""
    if progress.failed or progress.state == "cancelled":
        raise SystemExit(REFUSED)


@contextmanager
def _shown(*, as_json: bool, quiet: bool) -> Iterator[Show]:
    if quiet:
        yield lambda progress: None
    elif as_json:
        yield lambda progress: click.echo(orjson.dumps(progress, option=orjson.OPT_UTC_Z))
    elif not sys.stderr.isatty():
        yield _Lines().show
    else:
        with _bar() as show:
            yield show


@contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("replaying", total=None)

        def show(progress: ReplayProgress) -> None:
            words = f"{progress.state}" + (f", {progress.failed} dead" if progress.failed else "")
            bar.update(task, total=progress.matched, completed=progress.ended, description=words)

        yield show


class _Lines:
    """For a log or a pipe: a line with every tenth, and whenever the state is another."""

    def __init__(self) -> None:
        self._said: tuple[str, int] | None = None

    def show(self, progress: ReplayProgress) -> None:
        stands = progress.state, 10 * progress.ended // max(1, progress.matched)
        if stands != self._said:
            click.echo(progress_line(progress), err=True)
        self._said = stands


def _follow(database: Database, replay_id: str, show: Show, *, hints: bool) -> ReplayProgress:
    before, unmoved = None, 0
    while True:
        with database.read() as session:
            progress = replay_progress(session, replay_id)
        if progress != before:
            show(progress)
        if progress.is_over:
            return progress
        unmoved = unmoved + 1 if progress == before else 0
        if hints and unmoved == _PATIENCE:
            click.echo(_why_it_waits(progress), err=True)
        before = progress
        time.sleep(_LOOK_SECONDS)


def _why_it_waits(progress: ReplayProgress) -> str:
    if progress.state == "paused":
        return f'it is paused: bridge replays resume {progress.id} --reason "…"'
    return "nothing has moved for 10 s: does a worker run, and does the destination answer?"
