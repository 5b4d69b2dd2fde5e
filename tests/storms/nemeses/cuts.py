"""Connections between bridge and PostgreSQL that end: at the COMMIT, all at once, or because the server restarts."""

from __future__ import annotations

import threading
from random import Random

from tests.storms.nemeses.kills import postgres_of
from tests.storms.proxy import Cut
from tests.storms.scene import Scene


class CutAtCommit:
    """While it strikes, every few COMMITs are cut: before the server hears of it, or after it has committed."""

    def __init__(self, *, share: float = 0.05, seconds: float = 1.0) -> None:
        self._share = share
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        proxy, lock = postgres_of(scene).proxy, threading.Lock()
        before = proxy.cuts.copy()

        def choose() -> Cut | None:
            with lock:
                return rng.choice(("before", "after")) if rng.random() < self._share else None

        proxy.choose = choose
        scene.calm.wait(self._seconds)
        self.heal(scene)
        for kind, times in (proxy.cuts - before).items():
            scene.note(f"cut {kind} commit", times)

    def heal(self, scene: Scene) -> None:
        postgres_of(scene).proxy.choose = lambda: None

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.1, 0.5)


class TerminateBackends:
    """`pg_terminate_backend` of every connection that the bridge has."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        scene.note("terminate backend", postgres_of(scene).terminate_backends())

    def heal(self, scene: Scene) -> None:
        """New connections are let in already."""

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.5, 1.5) * self._seconds


class StopDatabase:
    """Nobody listens where the database was, for longer than the bridge goes without asking it for the time."""

    def strike(self, scene: Scene, rng: Random) -> None:
        scene.note("stop database")
        postgres_of(scene).stop_for(rng.uniform(11.0, 14.0), scene.calm)

    def heal(self, scene: Scene) -> None:
        """It runs already."""

    def pause(self, rng: Random) -> float:
        return rng.uniform(1.0, 6.0)


class RestartDatabase:
    """A fast shutdown and a start, as an administrator does it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        postgres_of(scene).restart()
        scene.note("restart database")

    def heal(self, scene: Scene) -> None:
        """It runs already."""

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.5, 1.5) * self._seconds
