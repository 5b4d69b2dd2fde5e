"""`bridge check`. It may not change anything."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import click
from sqlalchemy import make_url

from bridge import migrate
from bridge.cli.edge import REFUSED, lines_of
from bridge.cli.opened import opened_bridge
from bridge.cli.options import json_option
from bridge.cli.printing import print_json
from bridge.clock import SystemClock
from bridge.errors import BridgeError, ConfigurationError
from bridge.intake.sources import build_source
from bridge.settings import Settings, read_settings
from bridge.settings.model import Secret

_NO_KEY = "BRIDGE_SECRET_KEY: is not set; `bridge init` makes one, or set it to `file:<path>` of yours"
_EMPTY = "DATABASE_URL: nothing is in the database yet; `bridge up` fills it, or `bridge db upgrade`"


@dataclass(frozen=True)
class Findings:
    """A sentence each, beginning with the key that it is about."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@click.command("check")
@click.option("--allow-literals", is_flag=True, help="Accept secrets that stand in the file itself.")
@json_option
def command(allow_literals: bool, as_json: bool) -> None:
    """Say everything that is wrong with the configuration and the database, a line each."""
    found = _look(allow_literals)
    if as_json:
        print_json({"ok": not found.problems, "problems": found.problems, "warnings": found.warnings})
    else:
        _print(found)
    if found.problems:
        raise SystemExit(REFUSED)


def _look(allow_literals: bool) -> Findings:
    found = Findings()
    try:
        settings = read_settings(allow_literals=allow_literals)
    except ConfigurationError as wrong:
        return Findings(problems=wrong.problems)
    found.warnings.extend(settings.warnings)
    if settings.secret_key is None:
        found.problems.append(_NO_KEY)
        settings = replace(settings, secret_key=Secret("stands in, so that the rest is looked at too"))
    _look_at_sources(settings, found)
    _look_at_the_rest(settings, found)
    return found


def _look_at_sources(settings: Settings, found: Findings) -> None:
    for source in settings.sources.values():
        try:
            build_source(source, SystemClock())
        except ConfigurationError as wrong:
            found.problems.extend(wrong.problems)


def _look_at_the_rest(settings: Settings, found: Findings) -> None:
    """Destinations, and the database without making one."""
    try:
        with opened_bridge(settings) as bridge:
            if _is_new_file(settings.database_url) or migrate.current(bridge.database) is None:
                found.warnings.append(_EMPTY)
            else:
                bridge.require_current()
    except BridgeError as wrong:
        found.problems.extend(lines_of(wrong))


def _is_new_file(database_url: str) -> bool:
    url = make_url(database_url)
    path = Path(url.database or "")
    return url.get_backend_name() == "sqlite" and path.parent.is_dir() and not path.exists()


def _print(found: Findings) -> None:
    for problem in found.problems:
        click.echo(f"wrong    {problem}")
    for warning in found.warnings:
        click.echo(f"warning  {warning}")
    if not found.problems:
        click.echo("ok       nothing stands in the way of a start")
