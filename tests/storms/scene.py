"""What a nemesis can lay hands on. It may not decide what is done to it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from bridge.database import Database
from tests.storms.account import Account
from tests.storms.clock_shim import MovableClock
from tests.storms.databases import Grounds
from tests.storms.fleet import Fleet
from tests.storms.listeners import Listener
from tests.storms.network import Network
from tests.storms.power import PowerJournal

_PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One storm: its processes, its database, its receivers and its account."""

    fleet: Fleet
    grounds: Grounds
    #: The storm's own connections.
    database: Database
    listeners: dict[str, Listener]
    account: Account
    folder: Path
    #: Of the bridge's own commands.
    environment: Mapping[str, str]
    #: Seconds after which another worker takes over what one holds.
    lease: float
    #: Set when the nemeses are to end.
    calm: threading.Event
    #: The cables between hosts and database; None where all are on one host.
    network: Network | None = None
    #: What the disk holds of a SQLite database; None where that is not noted.
    power: PowerJournal | None = None
    #: By name of a program; on SQLite there is one, `machine`.
    clocks: dict[str, MovableClock] = field(default_factory=dict)
    #: By name of a nemesis: why what it needs cannot be had here.
    lacking: Mapping[str, str] = field(default_factory=dict)
    #: What the nemeses did, by word: `kill worker`, `cut before commit`, …
    deeds: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `bridge <arguments>` to its end, as an operator on the same machine does."""
        return subprocess.run(
            [sys.executable, "-m", "bridge.cli", *arguments],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(_PROJECT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def note(self, deed: str, times: int = 1) -> None:
        with self._lock:
            self.deeds[deed] += times


class Nemesis(Protocol):
    """One way to do harm. `strike` and `heal` run in a thread of the nemesis' own, one after the other."""

    def strike(self, scene: Scene, rng: Random) -> None:
        """Do it once; what was harmed may stay so until `heal`. Raises NotHere before it has done anything."""
        ...

    def heal(self, scene: Scene) -> None:
        """The storm is over: undo what still harms."""
        ...

    def pause(self, rng: Random) -> float:
        """Seconds until the next strike."""
        ...
