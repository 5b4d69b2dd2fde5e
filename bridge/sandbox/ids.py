"""Ids that repeat with a seed. It may not be used for anything that must be hard to guess."""

from __future__ import annotations

import random
import uuid
from threading import Lock


class Ids:
    """UUIDs, one sequence per kind, so that a merge's id does not depend on how many requests came before."""

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._lock = Lock()
        self._sequences: dict[str, random.Random] = {}

    def new(self, kind: str) -> str:
        """The next id of `kind`, a UUID as text."""
        with self._lock:
            sequence = self._sequences.get(kind)
            if sequence is None:
                start = None if self._seed is None else f"{self._seed}/{kind}"
                sequence = self._sequences[kind] = random.Random(start)  # noqa: S311 (ids, not secrets)
            return str(uuid.UUID(int=sequence.getrandbits(128), version=4))

    def restart(self) -> None:
        """Begin every sequence again."""
        with self._lock:
            self._sequences.clear()
