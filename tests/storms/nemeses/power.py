"""The power is cut under a SQLite database: every process ends, and the disk forgets what was not synced."""

from __future__ import annotations

from random import Random

from tests.storms.reasons import NotHere
from tests.storms.scene import Scene


class CutPower:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        if scene.power is None:
            raise NotHere(scene.lacking["cut-power"])
        for program in scene.fleet.programs:
            program.kill()
        scene.database.close()
        scene.note("kill everything")
        scene.note("writes that were never synced", scene.power.cut_power())
        for program in scene.fleet.programs:
            program.start()

    def heal(self, scene: Scene) -> None:
        """Everything runs again already."""

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.5, 1.5) * self._seconds
