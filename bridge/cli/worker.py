"""`bridge worker`. It may not know how deliveries are made."""

from __future__ import annotations

import signal
import threading

import click
import structlog

from bridge.cli.opened import database_errors
from bridge.settings import read_settings
from bridge.supervisor import hold_lifeline
from bridge.worker import run_worker

log = structlog.get_logger()


@click.command("worker")
@click.option("--lifeline", type=int, hidden=True, help="Stop when the other end of this pipe is closed.")
def command(lifeline: int | None) -> None:
    """Deliver what is owed, until SIGTERM or Ctrl-C; a second one ends at once.

    Any number of workers may run on one database.
    """
    settings = read_settings()
    if lifeline is not None:
        hold_lifeline(lifeline)
    stop = threading.Event()
    _stop_on_signals(stop)
    with database_errors():
        run_worker(settings, stop)


def _stop_on_signals(stop: threading.Event) -> None:
    def receive(number: int, _frame: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        # In a thread: the main thread may hold the locks of event and log right now.
        threading.Thread(target=_stop, args=(stop,)).start()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, receive)


def _stop(stop: threading.Event) -> None:
    stop.set()
    log.info("worker.stopping")
