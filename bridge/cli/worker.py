"""`bridge worker`. It may not know how deliveries are made."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import click
import structlog

from bridge.cli.opened import database_errors
from bridge.reloading.in_force import InForce
from bridge.settings import read_settings
from bridge.supervisor import hold_lifeline
from bridge.worker import run_worker

log = structlog.get_logger()


@click.command("worker")
@click.option("--lifeline", type=int, hidden=True, help="Stop when the other end of this pipe is closed.")
def command(lifeline: int | None) -> None:
    """Deliver what is owed, until SIGTERM or Ctrl-C; a second one ends at once.

    A SIGHUP applies an edited bridge.toml. Any number of workers may run on one database.
    """
    in_force = InForce("worker", read_settings)
    if lifeline is not None:
        hold_lifeline(lifeline)
    shifts = _Shifts(in_force)
    shifts.listen()
    in_force.sign_in()
    try:
        with database_errors():
            while not shifts.is_last:
                over = shifts.begin()  # first: a reload after it ends this shift, one before it is in the settings
                run_worker(in_force.settings, over, started=in_force.settle)
    finally:
        in_force.leave()


class _Shifts:
    """One run of the worker after the other: a reload ends the one, and the next begins with the new settings.

    What the one sends it finishes and settles; what it only claimed it gives back.
    """

    def __init__(self, in_force: InForce) -> None:
        self._in_force = in_force
        self._stop = threading.Event()
        self._over = threading.Event()
        self._renewing = threading.Lock()

    @property
    def is_last(self) -> bool:
        """True once somebody has asked for the end."""
        return self._stop.is_set()

    def begin(self) -> threading.Event:
        """What is set when the shift that now begins is over."""
        self._over = threading.Event()
        if self.is_last:  # asked for in between
            self._over.set()
        return self._over

    def listen(self) -> None:
        """Take the signals of this process, from now on."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, self._receive)
        signal.signal(signal.SIGHUP, lambda _number, _frame: self._in_thread(self._renew))

    def _receive(self, _number: int, _frame: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        self._in_thread(self._end)

    def _in_thread(self, act: Callable[[], None]) -> None:
        # The main thread may hold the locks of event and log right now.
        threading.Thread(target=act).start()

    def _end(self) -> None:
        self._stop.set()
        self._over.set()
        log.info("worker.stopping")

    def _renew(self) -> None:
        with self._renewing:
            if self._in_force.renew():
                self._over.set()
