"""Restarts one process after the other under load, the way a deployment does: SIGTERM, wait for its end, the next."""

from __future__ import annotations

from random import Random

from tests.storms.scene import Scene


class Roll:
    """Every process in turn; a sender that is refused goes to the next door, and may meet no other error."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        for program in scene.fleet.programs:
            if scene.calm.is_set():
                return
            with program.lock:
                code = program.stop()
                program.start()
            scene.note(f"restart {program.command}" if code == 0 else f"restart {program.command}, code {code}")
            while not program.is_up() and not scene.calm.wait(0.05):
                pass

    def heal(self, scene: Scene) -> None:
        """All run again already."""

    def pause(self, rng: Random) -> float:
        return self._seconds
