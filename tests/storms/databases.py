"""What storms rage on: a SQLite file, and a PostgreSQL that may be killed. It may not know the bridge."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg

from tests.postgres import USER, answers, initialised_folder, kept, start_server
from tests.processes import free_port
from tests.storms.pids import children
from tests.storms.proxy import Proxy

POSTGRES = "postgresql"
SQLITE = "sqlite"
_DATABASE = "postgres"


class SqliteFile:
    """A SQLite database in a folder of its own."""

    kind = SQLITE

    def __init__(self, folder: Path) -> None:
        self.file = folder / "bridge.db"
        #: What the bridge is told, and what the storm itself uses.
        self.url = self.own_url = f"sqlite:///{self.file}"


class MortalPostgres:
    """A PostgreSQL with durable settings that can be killed, and comes up again on the same folder and port."""

    kind = POSTGRES

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.port = free_port()
        #: Between the bridge and the server; the storm's own connections go round it.
        self.proxy = Proxy(self.port)
        self._binaries = binaries
        self._folder = folder
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._keeper = ExitStack()

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.proxy.port}/{_DATABASE}"

    @property
    def own_url(self) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{_DATABASE}"

    def start(self) -> None:
        """Start it where it does not run; returns when it answers (crash recovery included)."""
        with self._lock:
            self._start()

    def kill(self) -> None:
        """SIGKILL to the postmaster and every backend, then start it again."""
        with self._lock:
            self._end(signal.SIGKILL)
            self._start()

    def restart(self) -> None:
        """A fast shutdown (connections are cut, everything is written), then start it again."""
        with self._lock:
            self._end(signal.SIGINT)
            self._start()

    def stop_for(self, seconds: float, calm: threading.Event) -> None:
        """A fast shutdown, and a start that long after it, or as soon as `calm` is set."""
        with self._lock:
            self._end(signal.SIGINT)
            calm.wait(seconds)
            self._start()

    def terminate_backends(self) -> int:
        """`pg_terminate_backend` for every connection of the bridge; returns how many there were."""
        with self._lock, psycopg.connect(self.own_url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND application_name = 'genesys-bridge'"
            ).fetchone()
        return int(ended[0]) if ended else 0

    def close(self) -> None:
        with self._lock:
            self._end(signal.SIGINT)
        self.proxy.close()

    def _start(self) -> None:
        if self._server is not None:
            return
        self._server = start_server(self._binaries, self._folder, self.port)
        self._keeper.enter_context(kept(self._server, self._folder))
        assert answers(self._server, self.port), (self._folder / "log").read_text()[-3000:]

    def _end(self, number: signal.Signals) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        self._keeper.close()
        backends = children(server.pid) if number is signal.SIGKILL else []
        server.send_signal(number)  # first, so that it cannot start a backend again
        for pid in backends:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        server.wait(30)
        server.communicate()
        while any(Path(f"/proc/{pid}").exists() for pid in backends):
            time.sleep(0.005)


Grounds = SqliteFile | MortalPostgres


@contextmanager
def mortal_postgres() -> Iterator[MortalPostgres]:
    """A running one. Raises PostgresMissing where there are no binaries to start."""
    with initialised_folder() as (binaries, folder):
        postgres = MortalPostgres(binaries, folder)
        try:
            postgres.start()
            yield postgres
        finally:
            postgres.close()
