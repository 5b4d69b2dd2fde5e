"""Cancels deliveries at a terminal: some by their ids, or all that a filter selects. It may not decide on a filter."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from bridge.admin.cancelling import Cancellable, CancelStep, cancel_next, count_cancellable
from bridge.admin.search.delivery_ids import DeliveryFilter
from bridge.cli.opened import actor
from bridge.wiring import Wiring

Show = Callable[[int], None]


def count(bridge: Wiring, wanted: DeliveryFilter) -> Cancellable:
    """What would be cancelled, as things stand."""
    with bridge.database.read() as session:
        return count_cancellable(session, wanted, now=bridge.clock.now())


def cancel_all(bridge: Wiring, wanted: DeliveryFilter, *, total: int, reason: str, quiet: bool) -> CancelStep:
    """Cancel step by step until none is left, with a bar on a terminal unless `quiet`; Ctrl-C ends it between two."""
    after, cancelled, skipped = None, 0, 0
    with _bar(total, quiet=quiet) as show:
        while True:
            step = _next(bridge, wanted, after, reason)
            after, cancelled, skipped = step.next, cancelled + step.cancelled, skipped + step.skipped
            show(cancelled + skipped)
            if after is None:
                return CancelStep(cancelled=cancelled, skipped=skipped, next=None)


def print_count(counts: Cancellable) -> None:
    """What would be cancelled, for a person."""
    click.echo(f"{'more than ' if counts.more else ''}{counts.matched} pending, not being sent")
    for name, number in sorted(counts.by_destination.items()):
        click.echo(f"{number:>8} to {name}")


def _next(bridge: Wiring, wanted: DeliveryFilter, after: str | None, reason: str) -> CancelStep:
    with bridge.database.write() as session:
        now, notes = bridge.clock.now(), bridge.notes
        return cancel_next(session, wanted, after=after, reason=reason, actor=actor(), now=now, notes=notes)


@contextmanager
def _bar(total: int, *, quiet: bool) -> Iterator[Show]:
    if quiet or not sys.stderr.isatty():
        yield lambda ended: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("cancelling", total=total)
        yield lambda ended: bar.update(task, completed=ended)
