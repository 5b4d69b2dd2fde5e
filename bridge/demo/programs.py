"""The demo's child processes: started, killed, stopped, each by its own pid. It may not know what they do.

Each runs in a process group of its own, so that a Ctrl-C in the terminal reaches only the demo, and holds the reading
end of a pipe, the lifeline: however the demo ends, the child stops by itself (`supervisor.hold_lifeline`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.clock import Clock, SystemClock
from bridge.demo.failing import DemoFailed

#: From SIGTERM to SIGKILL.
STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_SHOWN_LINES = 5
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class _Program:
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes]


class Programs:
    """Python programs that run in `folder` under exactly `environment`; what they write goes to `<name>.log` there."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        clock: Clock | None = None,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._stop_seconds = stop_seconds
        self._now = (clock or SystemClock()).monotonic
        self._running: dict[str, _Program] = {}
        self._lifeline: tuple[int, ...] = os.pipe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self, name: str, *arguments: str) -> None:
        """Start `python -m <arguments> --lifeline <descriptor>`; returns at once."""
        reading = self._lifeline[0]
        with signals_held_back(), self._log(name).open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 (the programs are ours)
                [sys.executable, "-m", *arguments, "--lifeline", str(reading)],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(reading,),
                process_group=0,
            )
            self._running[name] = _Program(arguments=arguments, process=process)

    def pid(self, name: str) -> int:
        return self._running[name].process.pid

    def kill(self, name: str) -> None:
        """SIGKILL, as when the machine pulls the plug on it; returns when it is gone."""
        process = self._running[name].process
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def start_again(self, name: str) -> None:
        """Start what was killed, as it was started before."""
        self.start(name, *self._running[name].arguments)

    def require_running(self) -> None:
        """Raise DemoFailed, with what it wrote last, where a program has ended."""
        for name, program in self._running.items():
            code = program.process.poll()
            if code is not None:
                written = self._log(name).read_text("utf-8", "replace").splitlines()[-_SHOWN_LINES:]
                raise DemoFailed("\n".join([f"{name} ended with {code}; it wrote last:", *written]))

    def stop(self) -> None:
        """SIGTERM to each, SIGKILL to what is left after a while; all are gone when this returns or raises.

        Nothing can be started any more after it.
        """
        processes = [program.process for program in self._running.values()]
        try:
            for process in processes:
                process.terminate()
            deadline = self._now() + self._stop_seconds
            while any(process.poll() is None for process in processes) and self._now() < deadline:
                time.sleep(_LOOK_SECONDS)
        finally:  # also where a second Ctrl-C ends the waiting
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            self._running.clear()
            for end in self._lifeline:
                os.close(end)
            self._lifeline = ()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


@contextmanager
def signals_held_back() -> Iterator[None]:
    """What would end the demo does so after the block: in between, there is a process that nobody knows yet.

    For the main thread. (Blocking them would be simpler, but the started process would inherit that.)
    """
    caught: list[int] = []
    before = {one: signal.signal(one, lambda number, _frame: caught.append(number)) for one in _ENDING}
    try:
        yield
    finally:
        for one, receiver in before.items():
            signal.signal(one, receiver)
    for number in caught[:1]:
        signal.raise_signal(number)
