"""Which programs run here on one bridge.toml, and what the newest reload did to each. It may not end or start one.

Each keeps a file in `run/` beside the configuration, locked for as long as it lives: a file without a lock is of a
program that was killed, whoever has its pid now.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Literal

import orjson

FOLDER = "run"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True, kw_only=True)
class Present:
    """A program that runs, and what its newest reload did."""

    #: `web` or `worker`.
    program: str
    #: Of the process that takes the SIGHUP.
    pid: int
    host: str
    #: Name of the secret that it seals under (`key_ring.fingerprint`); "" where that was not said.
    secret: str = ""
    #: How many reloads it has gone through.
    reloads: int = 0
    #: None: there was none yet.
    result: Literal["applied", "refused"] | None = None
    #: What stands against the refused file, a sentence each.
    problems: Sequence[str] = ()
    #: Keys that the applied file has changed.
    changed: Sequence[str] = ()

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()


class Presence:
    """This program's own file, from `sign_in` until `leave`."""

    def __init__(self, file: IO[bytes], path: Path, present: Present) -> None:
        self._file, self._path, self._first = file, path, present
        self._write(present)

    @classmethod
    def sign_in(cls, beside: Path, program: str, *, secret: str = "") -> Presence:
        """Say that `program` runs in this process, on the configuration in the folder `beside`. Raises OSError."""
        host, pid = socket.gethostname(), os.getpid()
        folder = beside / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{program}-{_NOT_IN_A_NAME.sub('_', host)}-{pid}.json"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        fcntl.flock(file, fcntl.LOCK_EX)
        return cls(file, path, Present(program=program, pid=pid, host=host, secret=secret))

    @property
    def now(self) -> Present:
        """As it stands in the file: gunicorn's children report too, and their parent does not see what they know."""
        descriptor = self._file.fileno()
        # By `pread`: they share one position in it. A full disk may have left nothing of it.
        return _read(os.pread(descriptor, os.fstat(descriptor).st_size, 0)) or self._first

    def report(self, *, problems: Sequence[str] = (), changed: Sequence[str] = (), secret: str = "") -> None:
        """Say what a reload did: refused for `problems`, else applied, and works under `secret` from now on."""
        before = self.now
        result: Literal["applied", "refused"] = "refused" if problems else "applied"
        reloads, secret = before.reloads + 1, secret or before.secret
        self._write(replace(before, reloads=reloads, result=result, problems=problems, changed=changed, secret=secret))

    def leave(self) -> None:
        """Take the file away."""
        with suppress(OSError):
            self._path.unlink()
            self._path.parent.rmdir()  # refused while others are there
        self._file.close()

    def _write(self, present: Present) -> None:
        text = orjson.dumps(asdict(present))
        # In place: the lock is on this very file. Cut first, so that who reads in between sees no JSON and comes again.
        self._file.truncate(0)
        os.pwrite(self._file.fileno(), text, 0)


def present(beside: Path) -> Iterator[Present]:
    """The programs that run on the configuration in `beside`: on this machine for certain, on others as far as known.

    Takes away what killed programs have left.
    """
    for path in sorted((beside / FOLDER).glob("*.json")):
        with suppress(FileNotFoundError), path.open("rb") as file:
            found = _read(file.read())
            if found is not None and (not found.is_here or _is_locked(file)):
                yield found
            elif found is not None:
                path.unlink()


def _read(text: bytes) -> Present | None:
    with suppress(orjson.JSONDecodeError):
        return Present(**orjson.loads(text))
    return None


def _is_locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
