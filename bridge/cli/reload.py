"""`bridge reload`. It may not read the file for anybody: each program checks and applies it for itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from bridge.cli.edge import REFUSED
from bridge.cli.options import json_option
from bridge.cli.printing import print_json
from bridge.errors import ConfigurationError
from bridge.reloading.in_force import check_file
from bridge.reloading.presence import Present, present
from bridge.settings import read_settings

_LOOK_SECONDS = 0.05


@click.command("reload")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long: a worker finishes first what it is sending.",
)
@json_option
def command(timeout: float, as_json: bool) -> None:
    """Apply an edited bridge.toml to the web and worker processes that run on it here, without dropping anything.

    A file that does not check is refused: nobody is told, and the old one stays. Variables of the environment cannot
    change in a process that runs. Exit code 1 where a process refused it, or nothing runs here.
    """
    problems = check_file()
    if problems:
        raise ConfigurationError([*problems, "nothing was told: what runs goes on with the file as it was"])
    folder = read_settings().config_path.parent
    found = list(present(folder))
    told = [one for one in found if one.is_here]
    for one in told:
        with suppress(ProcessLookupError):  # it has ended since
            os.kill(one.pid, signal.SIGHUP)
    done = _wait(folder, told, timeout)
    _print(done, [one for one in found if not one.is_here], as_json=as_json)
    if not done or any(one.result != "applied" for one in done):
        raise SystemExit(REFUSED)


def _wait(folder: Path, told: Iterable[Present], timeout: float) -> list[Present]:
    """Each as it stands when it has answered, or the time is up (result None)."""
    before = {one.pid: one for one in told}
    answered: dict[int, Present] = {}
    deadline = time.monotonic() + timeout
    while answered.keys() != before.keys() and time.monotonic() < deadline:
        for one in present(folder):
            if one.is_here and one.pid in before and one.reloads > before[one.pid].reloads:
                answered[one.pid] = one
        time.sleep(_LOOK_SECONDS)
    silent = (Present(program=one.program, pid=pid, host=one.host) for pid, one in before.items())
    return [answered.get(one.pid, one) for one in silent]


def _print(done: list[Present], elsewhere: list[Present], *, as_json: bool) -> None:
    if as_json:
        print_json({"reloaded": [asdict(one) for one in done], "elsewhere": [asdict(one) for one in elsewhere]})
        return
    for one in done:
        click.echo(f"{one.program} {one.pid}  {_told(one)}")
    for host in sorted({one.host for one in elsewhere}):
        click.echo(f"note: something runs on {host} too; run `bridge reload` there", err=True)
    if not done:
        click.echo("bridge: nothing runs here on this bridge.toml; start it with `bridge up`", err=True)


def _told(one: Present) -> str:
    match one.result:
        case None:
            return "has not answered yet; its log will say"
        case "refused":
            return "refused it, and goes on as before: " + "; ".join(one.problems)
        case "applied":
            return "applied: " + (", ".join(one.changed) or "no setting has changed")
