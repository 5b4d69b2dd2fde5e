"""A worker that is stopped for longer than its lease, and then goes on as if nothing had happened."""

from __future__ import annotations

import signal
from random import Random

from tests.storms.scene import Scene


class Sleep:
    """SIGSTOP past the lease, then SIGCONT: its results are history, not state, and it may send nothing stale."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        worker = rng.choice(scene.fleet.workers)
        with worker.lock:  # nobody else kills or starts it meanwhile
            worker.signal(signal.SIGSTOP)
            scene.note("stop worker past its lease")
            scene.calm.wait(scene.lease * rng.uniform(1.1, 1.8))
            worker.signal(signal.SIGCONT)

    def heal(self, scene: Scene) -> None:
        """It goes on already."""

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.5, 1.5) * self._seconds
