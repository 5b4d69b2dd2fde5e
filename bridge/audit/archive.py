"""Audit entries on their way out: a compressed export in a file that lasts. It may not remove an entry."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

#: Beside bridge.toml.
FOLDER: Final = "audit-archive"


@dataclass(frozen=True, kw_only=True)
class ArchiveFile:
    """A file of the archive: gzip of the lines of an export."""

    name: str
    bytes: int
    #: Hex, of the file as it lies there.
    sha256: str


def write_archive(folder: Path, *, first: int, last: int, lines: Iterable[bytes]) -> ArchiveFile:
    """The export of the entries from position `first` to `last`, on the disk for good when this returns.

    A file of the same range, left by a run that was cut short, is replaced. Raises OSError.
    """
    name = f"audit-{first:012}-{last:012}.jsonl.gz"
    path = folder / name
    unfinished = folder / f".{name}.unfinished"
    try:
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            _compress(file, lines)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync_folder(folder)
    content = path.read_bytes()
    return ArchiveFile(name=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def _compress(file: BinaryIO, lines: Iterable[bytes]) -> None:
    with gzip.GzipFile(fileobj=file, filename="", mode="wb", mtime=0) as compressed:  # the same bytes each time
        compressed.writelines(lines)
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """A new name is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
