"""Shows how a replay order comes along until it has ended. It may not move it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from bridge.database import Database
from bridge.outbox.replay import ReplayProgress, replay_progress

_LOOK_SECONDS = 0.25
#: Looks without any movement until the hint that no worker may be running.
_PATIENCE = 40


def wait_for_replay(database: Database, replay_id: str, *, quiet: bool) -> ReplayProgress:
    """The order's last state, when it has ended; with a progress bar on a terminal unless `quiet`."""
    if quiet or not sys.stderr.isatty():
        return _wait(database, replay_id, lambda progress: None)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("replaying", total=None)
        return _wait(
            database,
            replay_id,
            lambda progress: bar.update(task, total=progress.matched, completed=progress.delivered + progress.failed),
        )


def _wait(database: Database, replay_id: str, show: Callable[[ReplayProgress], None]) -> ReplayProgress:
    before, unmoved = None, 0
    while True:
        with database.read() as session:
            progress = replay_progress(session, replay_id)
        show(progress)
        if progress.state in ("completed", "cancelled"):
            return progress
        unmoved = unmoved + 1 if progress == before else 0
        if unmoved == _PATIENCE:
            click.echo("nothing has moved for 10 s: does a worker run? The order waits for one", err=True)
        before = progress
        time.sleep(_LOOK_SECONDS)
