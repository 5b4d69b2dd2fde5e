"""`bridge erase`. It may not recall what was delivered: it says what that was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

import click

from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import json_option
from bridge.cli.printing import Columns, print_json, print_rows
from bridge.keeping.erasure import ErasureReport
from bridge.keeping.erasure_search import ErasureOrder
from bridge.wiring import Wiring

_DELIVERED: Columns = {
    "DESTINATION": lambda one: one.destination,
    "DELIVERIES": lambda one: one.deliveries,
    "FIRST": lambda one: one.first_at,
    "LAST": lambda one: one.last_at,
}


@click.command("erase")
@click.option("--subject", help="Erase this subject, like conversation:<id>.")
@click.option("--customer", metavar="ID", help="Erase every subject that names this customer: id, phone or e-mail.")
@click.option("--reason", metavar="TEXT", help="Why, in a sentence: the audit keeps it. Needed unless --dry-run.")
@click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
@click.option("--yes", is_flag=True, help="Do not ask: for scripts.")
@json_option
def command(
    subject: str | None, customer: str | None, reason: str | None, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Make what is kept of one person unreadable, for good, and cancel what is still owed of it.

    The envelopes of events and the audit stay. What was delivered before cannot be recalled: it says what, and to whom,
    so that it can be erased there. A legal hold forbids it.
    """
    _check_usage(subject, customer, reason, dry_run=dry_run, yes=yes)
    order = ErasureOrder(subject=subject, customer=customer, reason=reason, actor=actor())
    with opened_bridge() as bridge:
        bridge.require_current()
        if dry_run or not yes:
            preview = bridge.erasures.preview(order)
            _tell(preview, done=False, as_json=as_json and dry_run)
        if dry_run:
            return
        if not yes:
            click.confirm("erase it, for good?", abort=True, err=True)
        report = _erase(bridge, order, quiet=as_json)
    _tell(report, done=True, as_json=as_json)


def _check_usage(subject: str | None, customer: str | None, reason: str | None, *, dry_run: bool, yes: bool) -> None:
    if (subject is None) == (customer is None):
        raise click.UsageError("Say whom: exactly one of --subject and --customer.")
    if reason is None and not dry_run:
        raise click.UsageError("Missing option '--reason' (or say --dry-run).")
    if not dry_run and not yes and not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here: say --yes, or --dry-run to see what it would do.")


def _erase(bridge: Wiring, order: ErasureOrder, *, quiet: bool) -> ErasureReport:
    with _progress(quiet=quiet) as show:
        return bridge.erasures.erase(order, progress=show)


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows how many events were looked at, on a terminal unless `quiet`."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    with Progress(TextColumn("{task.completed:.0f} events looked at"), console=Console(stderr=True)) as bar:
        task = bar.add_task("erasing", total=None)
        yield lambda looked_at: bar.update(task, completed=looked_at)


def _tell(report: ErasureReport, *, done: bool, as_json: bool) -> None:
    """What was erased (`done`), or would be."""
    if as_json:
        print_json({"dry_run": not done, **asdict(report)})
        return
    to = "were" if done else "would be"
    before = f"; {report.erased_before} had been before" if report.erased_before else ""
    click.echo(f"events that {to} erased: {report.events} (subjects: {len(report.subjects)}){before}")
    click.echo(f"deliveries that {to} cancelled: {_counted(report.cancelled)}")
    if report.in_flight:
        click.echo(f"on their way just then, and perhaps arrived: {_counted(report.in_flight)}")
    if report.delivered:
        click.echo("delivered before, and not to be recalled: have it erased there")
        print_rows(report.delivered, _DELIVERED)
    else:
        click.echo("nothing of it was delivered to anybody")


def _counted(by_destination: Mapping[str, int]) -> str:
    return ", ".join(f"{number} to {name}" for name, number in sorted(by_destination.items())) or "none"
