"""`bridge demo`. It may not touch what is configured here: the demo has a folder of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bridge.cli.edge import REFUSED
from bridge.cli.printing import print_json


@click.command("demo")
@click.option(
    "--keep", is_flag=True, help="Keep the demo's folder (configuration, database, logs) and say where it is."
)
@click.option("--json", "as_json", is_flag=True, help="Print the account as JSON, and nothing else.")
def command(keep: bool, as_json: bool) -> None:
    """Tell the bridge's whole story on this machine, in half a minute, and account for every id.

    Starts a real bridge with receivers in a temporary folder, and checks each claim it makes. Ends with 0 only if all
    of them held and nothing was lost.
    """
    from rich.console import Console

    from bridge.demo.story import play
    from bridge.demo.telling import Telling

    tell = Telling(Console(quiet=as_json))
    with _ended_cleanly_by_signals():
        ending = play(tell, keep=keep)
    if as_json:
        print_json({**vars(ending.account), "faults": ending.faults, "seconds": round(ending.seconds, 1)})
    if ending.faults:
        raise SystemExit(REFUSED)


@contextmanager
def _ended_cleanly_by_signals() -> Iterator[None]:
    """Whatever ends the demo: what it has started is stopped first, as after Ctrl-C."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, receiver in before.items():
            signal.signal(one, receiver)
