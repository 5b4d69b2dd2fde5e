"""Waits for the end of a command, for callers who asked to. It may not hold a connection while it waits.

A waiting caller takes a thread of the web process, so only few may wait at once; the others are answered at once and
follow the command by themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from bridge.clock import Clock
from bridge.commands.reading import CommandView, read_command
from bridge.database import Database

#: Callers who may wait at once, in one process (spec 9, "API details").
MOST_WAITING = 4
#: What doors may let somebody wait.
LONGEST_WAIT_SECONDS = 10
LOOK_SECONDS = 0.05


class CommandWaits:
    """The places to wait in; one per process. Safe for threads."""

    def __init__(self, database: Database, clock: Clock, *, pause: Callable[[float], None] = time.sleep) -> None:
        """`pause` lets that many seconds of `clock` pass."""
        self._database = database
        self._clock = clock
        self._pause = pause
        self._places = threading.BoundedSemaphore(MOST_WAITING)

    def end_of(self, command_id: str, *, seconds: float) -> CommandView | None:
        """The command, once it has ended; None where it has not within `seconds`, or, at once, where every place is
        taken. Raises NotFound."""
        if not self._places.acquire(blocking=False):
            return None
        try:
            return self._wait(command_id, seconds)
        finally:
            self._places.release()

    def _wait(self, command_id: str, seconds: float) -> CommandView | None:
        deadline = self._clock.monotonic() + seconds
        while True:
            with self._database.read() as session:
                command = read_command(session, command_id)
            if command.is_over:
                return command
            left = deadline - self._clock.monotonic()
            if left <= 0:
                return None
            self._pause(min(LOOK_SECONDS, left))
