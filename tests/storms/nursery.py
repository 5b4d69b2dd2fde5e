"""Starts bridge processes by forking one that has imported everything: in 50 ms instead of a second.

The children are real processes, each in a group of its own, and run the real command line. `Nursery` is the side of
the storm; `python -m tests.storms.nursery FD` is the process that forks. It may not know why anything is started.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).parents[2]
_IMPORTED_BEFORE = ("bridge.cli.web", "bridge.cli.worker", "psycopg", "sqlalchemy.dialects.sqlite.pysqlite")
_REAP_SECONDS = 0.02
_LONGEST_ORDER = 1 << 16
#: SD_LISTEN_FDS_START
_FIRST_HANDED_OVER = 3


class Child:
    """A started process; `ended` is set when it has ended, with its `code` (negative for a signal)."""

    def __init__(self) -> None:
        self.pid = 0
        self.code: int | None = None
        self.started = threading.Event()
        self.ended = threading.Event()


class Nursery:
    """A process that forks others on demand. When it, or the one that made it, is gone, so are they."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._children: dict[int, Child] = {}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.storms.nursery", str(theirs.fileno())],
                cwd=_PROJECT,
                env={**os.environ, **(environment or {})},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def start(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
        plant: str | None = None,
        clock: Path | None = None,
        namespace: str | None = None,
        listener: socket.socket | None = None,
    ) -> Child:
        """Run `bridge <arguments>` in `folder` with exactly that environment.

        `plant` names the module of a planted bug, `clock` the file of a wall clock that can be moved, `namespace` the
        network to live in. `listener` is handed over as systemd hands over a socket.
        """
        child = Child()
        with self._lock:
            number = next(self._numbers)
            self._children[number] = child
        order = {
            "number": number,
            "arguments": list(arguments),
            "folder": str(folder),
            "environment": dict(environment),
            "log": str(log),
            "plant": plant,
            "clock": clock and str(clock),
            "namespace": namespace,
        }
        socket.send_fds(self._control, [json.dumps(order).encode()], [] if listener is None else [listener.fileno()])
        if not child.started.wait(60):
            raise RuntimeError("the nursery does not answer")
        return child

    def close(self) -> None:
        """End it, and with SIGKILL whatever of its children still runs."""
        self._control.shutdown(socket.SHUT_RDWR)
        self._process.wait(20)
        self._listener.join(5)
        self._control.close()

    def _listen(self) -> None:
        while told := self._control.recv(_LONGEST_ORDER):
            news = json.loads(told)
            with self._lock:
                child = self._children[news["number"]]
            if "pid" in news:
                child.pid = news["pid"]
                child.started.set()
            else:
                child.code = news["code"]
                child.ended.set()


def _serve(control: socket.socket) -> None:
    """Fork and reap until the other side is gone; then kill what is left."""
    for module in _IMPORTED_BEFORE:
        import_module(module)
    numbers: dict[int, int] = {}
    while True:
        if select.select([control], [], [], _REAP_SECONDS)[0]:
            asked, sockets, _, _ = socket.recv_fds(control, _LONGEST_ORDER, 1)
            if not asked:
                break
            order = json.loads(asked)
            pid = os.fork()
            if pid == 0:
                _become(order, control, sockets)
            for descriptor in sockets:
                os.close(descriptor)
            os.setpgid(pid, pid)  # the child does it too: whoever comes first
            numbers[pid] = order["number"]
            _tell(control, number=order["number"], pid=pid)
        while (ended := _reap(numbers)) is not None:
            pid, code = ended
            _tell(control, number=numbers.pop(pid), code=code)
    for pid in numbers:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _tell(control: socket.socket, **news: int) -> None:
    control.send(json.dumps(news).encode())


def _reap(numbers: Mapping[int, int]) -> tuple[int, int] | None:
    if not numbers:
        return None
    pid, status = os.waitpid(-1, os.WNOHANG)
    return (pid, os.waitstatus_to_exitcode(status)) if pid else None


def _become(order: Mapping[str, Any], control: socket.socket, sockets: Sequence[int]) -> None:
    """In the forked child: be `bridge <arguments>` and never return."""
    code = 1
    try:
        os.setpgid(0, 0)
        control.close()
        os.chdir(order["folder"])
        log = os.open(order["log"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        for descriptor, target in ((os.open(os.devnull, os.O_RDONLY), 0), (log, 1), (log, 2)):
            os.dup2(descriptor, target)
        os.environ.clear()
        os.environ.update(order["environment"])
        for descriptor in sockets:
            _hand_over(descriptor)
        code = _run(order)
    except BaseException:  # noqa: BLE001 (whatever it is: a forked child may not go on as its mother)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _hand_over(listener: int) -> None:
    """Source: https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html"""
    os.dup2(listener, _FIRST_HANDED_OVER)
    os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}


def _run(order: Mapping[str, Any]) -> int:
    from bridge.cli import main
    from tests.storms.clock_shim import use_clock
    from tests.storms.network import enter

    if order["namespace"]:
        enter(order["namespace"])
    if order["clock"]:
        use_clock(order["clock"])
    if order["plant"]:
        import_module(f"tests.storms.plants.{order['plant']}").plant()
    try:
        main(args=order["arguments"], prog_name="bridge")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
