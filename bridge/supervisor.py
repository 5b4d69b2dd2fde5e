"""Keeps several programs of one machine running as one tree. It may not know what the programs do.

Each program is a child process in a process group of its own, so that a Ctrl-C in the terminal reaches only the
supervisor, which then stops them in order. Every child holds the reading end of a pipe, the lifeline: however the
supervisor ends, the kernel closes the other end, and the child stops by itself.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

from bridge.clock import Clock, SystemClock
from bridge.errors import BridgeError

#: A program that has lived for this long starts again at once when it ends.
STEADY_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 30.0
#: From SIGTERM to SIGKILL.
STOP_SECONDS = 28.0
_LOOK_AGAIN_SECONDS = 0.05


class ProgramEnded(BridgeError):
    """A program ended before all of them were ready."""


@dataclass(frozen=True, kw_only=True)
class Program:
    name: str
    #: Is started with `--lifeline <descriptor>` behind it: see `hold_lifeline`.
    command: Sequence[str]


class Supervisor:
    """The tree of `programs`; `say` is told what happens to them, a sentence each.

    with Supervisor(programs, say) as tree:      # starts them
        tree.wait_until(ready, seconds=20)
        tree.watch()                             # until somebody calls `stop`
    """

    def __init__(self, programs: Sequence[Program], say: Callable[[str], None], *, clock: Clock | None = None) -> None:
        self._children = [_Child(program) for program in programs]
        self._say = say
        self._now = (clock or SystemClock()).monotonic
        self._ended: queue.SimpleQueue[_Child | None] = queue.SimpleQueue()  # None: told to stop
        self._stops = 0
        self._lifeline = os.pipe()

    def stop(self) -> None:
        """Ask for the end; the second time, for the end without waiting. May be called by a signal's receiver."""
        self._stops += 1
        self._ended.put(None)

    def pass_on(self, number: signal.Signals) -> None:
        """Send a signal to every program that runs. May be called by a signal's receiver."""
        for child in self._children:
            child.signal(number)

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> bool:
        """True once `ready()`; False where somebody stopped it first.

        Raises ProgramEnded where a program ends, or the time is up.
        """
        deadline = self._now() + seconds
        while not self._stops:
            if ready():
                return True
            if self._now() > deadline:
                raise ProgramEnded(f"not ready after {seconds:g} seconds; the lines above may say why")
            ended = self._next_end(_LOOK_AGAIN_SECONDS)
            if ended is not None:
                raise ProgramEnded(f"{ended.program.name} {ended.end()} at once; the lines above say why")
        return False

    def watch(self) -> None:
        """Start again what ends, until somebody stops it."""
        while not self._stops:
            ended = self._next_end(self._seconds_to_next_start())
            if ended is not None and not self._stops:
                wait = ended.note_end(self._now())
                self._say(f"{ended.program.name} {ended.end()}; it starts again in {wait:g} s")
            for child in self._children:
                if child.starts_at is not None and child.starts_at <= self._now():
                    self._start(child)

    def __enter__(self) -> Supervisor:
        for child in self._children:
            self._start(child)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop_all()
        for end in self._lifeline:
            os.close(end)

    def _start(self, child: _Child) -> None:
        reading = self._lifeline[0]
        process = subprocess.Popen(  # noqa: S603 (the programs are ours)
            [*child.program.command, "--lifeline", str(reading)],
            stdin=subprocess.DEVNULL,
            pass_fds=(reading,),
            process_group=0,
        )
        child.note_start(process, self._now())
        threading.Thread(target=self._report_end, args=(child, process), daemon=True).start()

    def _report_end(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._ended.put(child)

    def _next_end(self, seconds: float | None) -> _Child | None:
        with contextlib.suppress(queue.Empty):
            return self._ended.get(timeout=seconds)
        return None

    def _seconds_to_next_start(self) -> float | None:
        due = [child.starts_at for child in self._children if child.starts_at is not None]
        return max(min(due) - self._now(), 0) if due else None

    def _stop_all(self) -> None:
        for child in self._children:
            child.signal(signal.SIGTERM)
        deadline = self._now() + STOP_SECONDS
        while any(child.runs() for child in self._children):
            if self._stops > 1 or self._now() > deadline:
                break
            self._next_end(0.2)
        for child in self._children:
            if child.runs():
                self._say(f"{child.program.name} did not stop in time and is killed")
                child.signal(signal.SIGKILL)


@dataclass
class _Child:
    program: Program
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    #: When it is to be started again, on the monotonic clock; None while it runs.
    starts_at: float | None = None
    quick_ends: int = 0

    def note_start(self, process: subprocess.Popen[bytes], now: float) -> None:
        self.process, self.started_at, self.starts_at = process, now, None

    def note_end(self, now: float) -> float:
        """Plan its next start; returns the seconds until then."""
        steady = now - self.started_at >= STEADY_SECONDS
        self.quick_ends = 0 if steady else self.quick_ends + 1
        wait = restart_wait(self.quick_ends)
        self.starts_at = now + wait
        return wait

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def end(self) -> str:
        code = self.process.returncode if self.process else 0
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program; SIGKILL to it and everything that it has started."""
        if self.process is None or not self.runs():  # its pid may be somebody else's by now
            return
        if number is signal.SIGKILL:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)


def restart_wait(quick_ends: int) -> float:
    """Seconds before the next start after so many quick ends in a row: 0, 1, 2, 4, …, 30."""
    return min(2.0 ** (quick_ends - 1), LONGEST_WAIT_SECONDS) if quick_ends else 0.0


def hold_lifeline(descriptor: int) -> None:
    """In a supervised program: stop this process, as SIGTERM would, when the supervisor has gone."""

    def wait_for_the_end() -> None:
        os.read(descriptor, 1)  # nobody ever writes: it returns when the last writing end is closed
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_the_end, name="lifeline", daemon=True).start()
