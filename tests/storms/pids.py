"""What the kernel knows of processes, read from /proc. It may not signal any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    group: int


def running() -> Iterator[Process]:
    """Every process that has not ended; one that only waits for its parent has."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it has ended since it was listed
                # The name, in brackets, may hold anything: what counts stands behind the last one.
                state, parent, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
                if state not in "ZX":
                    yield Process(int(folder.name), int(parent), int(group))


def members(group: int) -> list[int]:
    """The pids of a process group."""
    return [one.pid for one in running() if one.group == group]


def children(pid: int) -> list[int]:
    return [one.pid for one in running() if one.parent == pid]
