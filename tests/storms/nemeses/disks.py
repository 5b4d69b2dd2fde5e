"""The disk of a SQLite database is full, and then it is not."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.storms.databases import SqliteFile
from tests.storms.reasons import NotHere
from tests.storms.scene import Scene

_PAGE = 4096
_NEARLY = 1 << 20


class FillDisk:
    """Fills the small file system that the database is on to the last few pages, for a moment."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        filler = _filler(scene)
        _fill(filler, leave=rng.choice((0, 4096, 65536)))
        scene.note("fill disk")
        scene.calm.wait(self._seconds)
        filler.unlink()

    def heal(self, scene: Scene) -> None:
        with suppress(FileNotFoundError):
            _filler(scene).unlink()

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.5, 1.5) * self._seconds


def _fill(filler: Path, *, leave: int) -> None:
    """Take what is free, while others may be taking it too, and give `leave` bytes back."""
    with filler.open("wb") as file, suppress(OSError):
        taken = shutil.disk_usage(filler.parent).free - _NEARLY
        os.posix_fallocate(file.fileno(), 0, taken)
        while True:
            os.posix_fallocate(file.fileno(), taken, _PAGE)
            taken += _PAGE
    os.truncate(filler, max(0, taken - leave))


def _filler(scene: Scene) -> Path:
    """Raises NotHere where the database is not on a file system of its own."""
    if not isinstance(scene.grounds, SqliteFile):
        raise NotHere("only the disk under a SQLite file is ours to fill")
    folder = scene.grounds.file.parent
    if not folder.is_mount():
        raise NotHere("a small tmpfs cannot be mounted here (that takes root)")
    return folder / "filler"
