"""The wall clock of one worker, or of a whole machine, jumps; the monotonic clock does not."""

from __future__ import annotations

from random import Random

from tests.storms.databases import SQLITE
from tests.storms.reasons import NotHere
from tests.storms.scene import Scene

#: Seconds that a clock is off after a jump: within a lease, past it, an hour, and back.
FORTH = (2.0, 30.0, 3600.0)
BACK = (-2.0, -30.0, -3600.0)


class JumpClock:
    """On PostgreSQL one worker's clock jumps, forth or back: the database's counts, so that moves nothing.

    On SQLite the clock of the machine counts: it jumps for every process at once, and only forth. Back it would put off
    by as much whatever waits for a time: a retry, and the lanes of a worker that was killed. Late, not lost.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._machine = 0.0

    def strike(self, scene: Scene, rng: Random) -> None:
        if not scene.clocks:
            raise NotHere(scene.lacking["jump-clock"])
        if scene.grounds.kind == SQLITE:
            self._machine += rng.choice(FORTH)
            for clock in scene.clocks.values():
                clock.jump_to(self._machine)
            scene.note("machine's clock jumps")
            return
        name = rng.choice(sorted(one.name for one in scene.fleet.workers))
        scene.clocks[name].jump_to(rng.choice(FORTH + BACK))
        scene.note("worker's clock jumps")

    def heal(self, scene: Scene) -> None:
        """A clock that jumped stays where it is."""

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.5, 1.5) * self._seconds
