"""Real bridge processes in a folder of their own: start, wait until ready, stop or kill by pid.

    with BridgeFolder(tmp_path) as bridge:
        bridge.run("init")                       # a command that ends: Finished(code, stdout, stderr)
        bridge.run("db", "upgrade")
        worker = bridge.start("worker")          # a command that runs on: Running
        web = bridge.start("web")
        bridge.wait_ready()                      # GET /healthz on bridge.url answers 200
        web.kill()                               # SIGKILL to it and to everything below it
        bridge.start("web")                      # on the same port again
        assert worker.stop() == 0                # SIGTERM, and wait for its exit code

Leaving the block kills whatever still runs. Nothing of the surrounding environment but PATH and HOME is handed on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_PROJECT = Path(__file__).parent.parent
_HANDED_ON = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a command ended, and what it wrote."""

    code: int
    stdout: str
    stderr: str


class Running:
    """A started command; its children, if it starts any, are found by their parent's pid."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, name: str) -> None:
        self._process = process
        self._log = log
        self._name = name

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def output(self) -> str:
        """Everything that it and its children have written so far, stdout and stderr together."""
        return self._log.read_text("utf-8", "replace")

    def tree(self) -> list[int]:
        """The pids of it and of everything that it has started and that still runs."""
        return _tree(self.pid)

    def wait_until(self, true: Callable[[], bool], what: str, *, seconds: float = 20) -> None:
        """Return when `true()`; AssertionError with the output where it ended or the time is up."""
        deadline = time.monotonic() + seconds
        while not true():
            assert self.code is None, f"{self._name} ended with {self.code} before {what}:\n{self.output()}"
            assert time.monotonic() < deadline, f"{self._name}: not {what} after {seconds} s:\n{self.output()}"
            time.sleep(0.02)

    def wait_output(self, text: str, *, seconds: float = 20) -> None:
        """Return when `text` stands in the output."""
        self.wait_until(lambda: text in self.output(), f"saying {text!r}", seconds=seconds)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command itself, not to its children."""
        self._process.send_signal(number)

    def wait(self, *, seconds: float = 35) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self._name} still runs after {seconds} s:\n{self.output()}") from None

    def stop(self, *, seconds: float = 35) -> int:
        """SIGTERM, and its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds=seconds)

    def kill(self) -> None:
        """SIGKILL to the whole tree at once, as when the machine stops; returns when all of it is gone."""
        pids = self.tree()
        for pid in pids:  # the parent comes first, so that it cannot start a child again
            _kill(pid)
        self._process.wait()
        deadline = time.monotonic() + 10
        while any(is_alive(pid) for pid in pids):
            assert time.monotonic() < deadline, f"{self._name}: some of {pids} outlived SIGKILL"
            time.sleep(0.01)


class BridgeFolder:
    """A folder with a bridge in it, and a free port for its web process.

    `environment` is added to what every command gets (`PORT` and `DATABASE_URL` have their usual meaning).
    """

    def __init__(self, path: Path, environment: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.port = free_port()
        self.environment = {
            **{name: os.environ[name] for name in _HANDED_ON if name in os.environ},
            "PYTHONPATH": str(_PROJECT),
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            **(environment or {}),
        }
        #: What was started, in that order, also what has ended.
        self.running: list[Running] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *arguments: str) -> Running:
        """Start `bridge <arguments>` and return at once; what it writes goes to a file in the folder."""
        return self._start(_command(arguments), f"bridge {' '.join(arguments)}")

    def start_python(self, *arguments: str) -> Running:
        """Start `python <arguments>` in the same way, e.g. `"-m", "gunicorn", …`."""
        return self._start([sys.executable, *arguments], " ".join(arguments))

    def run(self, *arguments: str, stdin: str | bytes = b"", seconds: float = 60) -> Finished:
        """Run `bridge <arguments>` to its end."""
        done = subprocess.run(
            _command(arguments),
            cwd=self.path,
            env=self.environment,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return Finished(code=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode())

    def wait_ready(self, *, seconds: float = 20) -> None:
        """Return when the web process answers; AssertionError with every output where it does not."""
        deadline = time.monotonic() + seconds
        while not self._answers():
            assert time.monotonic() < deadline, f"{self.url} does not answer:\n{self._outputs()}"
            time.sleep(0.02)

    def close(self) -> None:
        """Kill whatever still runs."""
        for running in self.running:
            if running.code is None:
                running.kill()

    def __enter__(self) -> BridgeFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _start(self, command: list[str], name: str) -> Running:
        log = self.path / f"process-{len(self.running)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.path,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        running = Running(process, log, name)
        self.running.append(running)
        return running

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _outputs(self) -> str:
        return "\n".join(running.output() for running in self.running)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_alive(pid: int) -> bool:
    """Whether a process with this pid runs; one that has ended and waits for its parent does not."""
    return any(one == pid for one, _ in _processes())


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "bridge.cli", *arguments]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended since it was listed
        os.kill(pid, signal.SIGKILL)


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found = [root]
    for pid in found:  # grows while it is walked
        found.extend(children.get(pid, ()))
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """(pid, parent's pid) of every process that has not ended."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        pid, parent, state = line.split()
        if not state.startswith("Z"):
            yield int(pid), int(parent)
