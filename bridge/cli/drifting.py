"""A drift report for a person or a machine. It may not look for anything."""

from __future__ import annotations

import click

from bridge.admin.search.drift import DriftReport
from bridge.cli.printing import Columns, print_json, print_rows
from bridge.clock import rfc3339

_COLUMNS: Columns = {
    "EVENTS": lambda one: one.events,
    "SOURCE": lambda one: one.source,
    "WHAT": lambda one: one.kind,
    "TYPE": lambda one: one.type,
    "FIELD": lambda one: one.field,
    "DETAIL": lambda one: one.detail,
    "SINCE": lambda one: one.first_seen,
    "LAST": lambda one: one.last_seen,
    "SAMPLE": lambda one: one.sample,
}


def print_drift(report: DriftReport, *, as_json: bool) -> None:
    """A row for each way of drifting, the most frequent first; then what to do about each kind."""
    if as_json:
        print_json(report)
        return
    if report.found:
        print_rows(report.found, _COLUMNS)
    back = "" if report.back_to is None else f", back to {rfc3339(report.back_to.replace(microsecond=0))}"
    click.echo(
        f"looked at {report.looked_at} events{back}: " + ("" if report.found else "all is as the formats know it")
    )
    for kind, remedy in {one.kind: one.remedy for one in report.found}.items():
        click.echo(f"  {kind}: {remedy}")
