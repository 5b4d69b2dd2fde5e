"""Where a storm lives: in memory where there is room, so that a flush costs nothing and the settings can be durable."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM_IN_MEMORY = 1 << 30


@contextmanager
def storm_folder(name: str) -> Iterator[Path]:
    """A folder that goes at the end, unless the block has made a file `keep` in it."""
    roomy = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_IN_MEMORY
    folder = Path(tempfile.mkdtemp(prefix=f"storm-{name}-", dir=_MEMORY if roomy else None))
    try:
        yield folder
    finally:
        if not (folder / "keep").exists():
            shutil.rmtree(folder, ignore_errors=True)  # another run may have swept it up
