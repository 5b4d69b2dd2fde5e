"""The bridge's processes of one storm: each starts again when it ends. It may not know why one is ended."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.storms.nursery import Child, Nursery
from tests.storms.pids import children, members

#: What a supervisor waits before it starts a program again that ended by itself.
RESTART_SECONDS = 0.3
#: gunicorn, whose child did not start: where it was killed while the database was away, too.
COULD_NOT_BOOT = (3, 4)
START_SECONDS = 40.0
STOP_SECONDS = 35.0


@dataclass(frozen=True)
class Fall:
    """A program that was up and ended although nobody had asked for it."""

    program: str
    code: int | None
    last_words: str


@dataclass(frozen=True, kw_only=True)
class Post:
    """What one program of the fleet is, and where."""

    name: str
    #: `web` or `worker`.
    command: str
    environment: Mapping[str, str]
    #: Where the storm reaches a web process; 0 for a worker.
    port: int = 0
    #: Module of a planted bug.
    plant: str | None = None
    #: File of a wall clock that can be moved.
    clock: Path | None = None
    #: Network namespace of its host.
    namespace: str | None = None
    #: The listening socket of a web process, where its supervisor keeps it open over restarts.
    listener: socket.socket | None = None


class Program:
    """One place in the fleet: the same command, again and again. Safe for threads."""

    def __init__(self, fleet: Fleet, post: Post) -> None:
        self.name = post.name
        self.command = post.command
        self.port = post.port
        self.lock = threading.RLock()
        self._fleet = fleet
        self._post = post
        self._child: Child | None = None
        self._log = fleet.folder / f"{post.name}-0.log"
        self._starts = 0

    @property
    def pid(self) -> int:
        return self._child.pid if self._child is not None else 0

    def start(self) -> None:
        """Start it, unless it runs already; returns at once."""
        with self.lock:
            if self._child is not None and not self._child.ended.is_set():
                return
            self._starts += 1
            self._log = self._fleet.folder / f"{self.name}-{self._starts}.log"
            self._child = self._fleet.nursery.start(
                [self.command],
                folder=self._fleet.folder,
                environment={**self._post.environment, "PORT": str(self.port)},
                log=self._log,
                plant=self._post.plant,
                clock=self._post.clock,
                namespace=self._post.namespace,
                listener=self._post.listener,
            )

    def kill(self) -> None:
        """SIGKILL to it and everything below it, as when the machine stops; returns when all of it is gone."""
        with self.lock:
            child, self._child = self._child, None
            if child is None:
                return
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            deadline = time.monotonic() + 10
            while members(child.pid):
                assert time.monotonic() < deadline, f"{self.name} outlived SIGKILL"
                time.sleep(0.005)

    def kill_a_child(self, rng: Random) -> bool:
        """SIGKILL to one process below it (gunicorn starts another); False where there is none."""
        with self.lock:
            below = children(self.pid) if self._child is not None else []
            if below:
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(below), signal.SIGKILL)
            return bool(below)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and everything below it."""
        with self.lock, suppress(ProcessLookupError):
            if self._child is not None:
                os.killpg(self._child.pid, number)

    def stop(self) -> int | None:
        """SIGTERM, and the exit code; None where it did not run."""
        with self.lock:
            child, self._child = self._child, None
            if child is None:
                return None
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
            if not child.ended.wait(STOP_SECONDS):
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                self._fleet.note_fall(Fall(self.name, None, f"did not stop within {STOP_SECONDS:g} s\n{self.words()}"))
            return child.code

    def close(self) -> None:
        """Give up the listening socket that its supervisor kept."""
        if self._post.listener is not None:
            self._post.listener.close()

    def is_up(self) -> bool:
        """Whether the running one has come up: web answers, a worker has said so."""
        if self._child is None or self._child.ended.is_set():
            return False
        return self._answers() if self.command == "web" else "worker.started" in self.words()

    def words(self) -> str:
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def look_after(self) -> None:
        """Where it has ended by itself: note that, and start it again after a moment."""
        if not self.lock.acquire(blocking=False):
            return  # somebody is at it
        try:
            child = self._child
            if child is None or not child.ended.is_set():
                return
            if child.code in COULD_NOT_BOOT or not ("worker.started" in self.words() or "Booting" in self.words()):
                self._fleet.failed_starts += 1
            else:
                self._fleet.note_fall(Fall(self.name, child.code, self.words()[-3000:]))
            self._child = None
        finally:
            self.lock.release()
        time.sleep(RESTART_SECONDS)
        self.start()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Fleet:
    """Web processes and workers on one database; a thread looks after them until `close`."""

    def __init__(self, nursery: Nursery, folder: Path, posts: Sequence[Post]) -> None:
        self.nursery = nursery
        self.folder = folder
        self.falls: list[Fall] = []
        #: Refused, because the database was away at that moment.
        self.failed_starts = 0
        self.programs = [Program(self, post) for post in posts]
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    @property
    def webs(self) -> list[Program]:
        return [one for one in self.programs if one.command == "web"]

    @property
    def workers(self) -> list[Program]:
        return [one for one in self.programs if one.command == "worker"]

    @property
    def ports(self) -> Sequence[int]:
        return [one.port for one in self.webs]

    def start(self) -> None:
        """Start all; returns when all are up."""
        for program in self.programs:
            program.start()
        self._watcher.start()
        self.wait_up()

    def wait_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        for program in self.programs:
            while not program.is_up():
                assert time.monotonic() < deadline, f"{program.name} did not come up:\n{program.words()[-3000:]}"
                time.sleep(0.02)

    def note_fall(self, fall: Fall) -> None:
        self.falls.append(fall)

    def stop(self) -> None:
        """SIGTERM to all, once they are up; what ends with another exit code than 0 is a fall."""
        self.wait_up()
        self._closing.set()
        self._watcher.join()
        stops = [threading.Thread(target=self._stop, args=(program,)) for program in self.programs]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()

    def close(self) -> None:
        """SIGKILL to whatever still runs."""
        self._closing.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for program in self.programs:
            program.kill()
            program.close()

    def _stop(self, program: Program) -> None:
        code = program.stop()
        if code not in (0, None):
            self.note_fall(Fall(program.name, code, program.words()[-3000:]))

    def _watch(self) -> None:
        while not self._closing.wait(0.05):
            for program in self.programs:
                program.look_after()
