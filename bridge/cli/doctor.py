"""`bridge doctor`. It may not change anything."""

from __future__ import annotations

from collections.abc import Iterator

import click

from bridge.cli.edge import REFUSED
from bridge.cli.options import json_option
from bridge.cli.printing import print_json
from bridge.clock import SystemClock
from bridge.doctor.configuration import unreadable
from bridge.doctor.examination import examine
from bridge.doctor.finding import Finding
from bridge.errors import ConfigurationError
from bridge.settings import read_settings

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command("doctor")
@click.option("--allow-literals", is_flag=True, help="Accept secrets that stand in the file itself.")
@json_option
def command(allow_literals: bool, as_json: bool) -> None:
    """Look for what usually goes wrong, and say what to do; exit code 1 where something does not work.

    Connects to every destination without sending anything, and fetches a token from Genesys.
    """
    found: list[Finding] = []
    for finding in _examined(allow_literals):
        found.append(finding)
        if not as_json:
            _print(finding)
    failed = sum(finding.state == "fail" for finding in found)
    if as_json:
        print_json({"ok": not failed, "findings": found})
    else:
        warned = sum(finding.state == "warn" for finding in found)
        click.echo(f"{len(found)} findings: {failed} fail, {warned} to look at")
    if failed:
        raise SystemExit(REFUSED)


def _examined(allow_literals: bool) -> Iterator[Finding]:
    try:
        settings = read_settings(allow_literals=allow_literals)
    except ConfigurationError as wrong:
        yield from unreadable(wrong)
    else:
        yield from examine(settings, SystemClock())


def _print(finding: Finding) -> None:
    state = click.style(f"{finding.state:<4}", fg=_COLOURS[finding.state])
    shown = "".join(letter if letter.isprintable() else "�" for letter in finding.found)
    click.echo(f"{state}  {finding.check:<18}  {shown}")
    if finding.remedy is not None:
        click.echo(f"{'':<26}→ {finding.remedy}")
