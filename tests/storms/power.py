"""What a disk would hold of a SQLite database after the power was cut: everything that was synced, nothing else.

Reads the journal that `power_shim.c` writes. A real disk keeps some of what was not synced; that none of it is kept is
the worst that is allowed to happen, and what an acknowledged event has to survive.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = "power_shim"
_HEAD = struct.Struct("=QQQQ")
_WRITE, _TRUNCATE, _SYNC = 1, 2, 3
_SUFFIXES = {1: "", 2: "-wal"}


@dataclass(frozen=True)
class _Record:
    #: Where it begins in the journal.
    at: int
    kind: int
    file: int
    offset: int
    length: int
    bytes: bytes


class PowerJournal:
    """The journal of one database, and a copy of what its disk holds for certain."""

    def __init__(self, database: Path, folder: Path) -> None:
        self.path = folder / "power.journal"
        self.path.touch()
        self._database = database
        self._disk = folder / "disk-content"
        self._disk.mkdir()
        self.begin()

    def begin(self) -> None:
        """What the files hold now is on the disk. Nobody may have them open."""
        for suffix in _SUFFIXES.values():
            file, copy = self._file(suffix), self._disk / f"content{suffix}"
            copy.unlink(missing_ok=True)
            if file.exists():
                shutil.copy(file, copy)
        with self.path.open("r+b") as journal:
            journal.truncate(0)

    def cut_power(self) -> int:
        """Leave of the database what the disk holds; returns the number of writes that are gone.

        Nobody may have it open: whoever had was killed before.
        """
        records = list(self._records())
        synced = dict.fromkeys(_SUFFIXES, 0)
        for one in records:
            if one.kind == _SYNC:
                synced[one.file] = max(synced[one.file], one.offset)
        self._file("-shm").unlink(missing_ok=True)
        for file, suffix in _SUFFIXES.items():
            kept = [one for one in records if one.file == file and one.kind != _SYNC and one.at < synced[file]]
            self._restore(suffix, kept)
        lost = sum(one.kind == _WRITE and one.at >= synced[one.file] for one in records)
        self.begin()
        return lost

    def _restore(self, suffix: str, kept: list[_Record]) -> None:
        target, copy = self._file(suffix), self._disk / f"content{suffix}"
        target.unlink(missing_ok=True)
        if copy.exists():
            shutil.copy(copy, target)
        elif not kept:
            return
        with target.open("r+b" if target.exists() else "w+b") as file:
            for one in kept:
                if one.kind == _TRUNCATE:
                    file.truncate(one.length)
                else:
                    file.seek(one.offset)
                    file.write(one.bytes)

    def _records(self) -> Iterator[_Record]:
        with self.path.open("rb") as journal:
            while len(head := journal.read(_HEAD.size)) == _HEAD.size:
                at = journal.tell() - _HEAD.size
                kind, file, offset, length = _HEAD.unpack(head)
                content = journal.read(length) if kind == _WRITE else b""
                if kind == _WRITE and len(content) < length:
                    return  # killed in the middle of noting it: the write was not acknowledged to anybody
                yield _Record(at, kind, file, offset, length, content)

    def _file(self, suffix: str) -> Path:
        return self._database.with_name(self._database.name + suffix)
