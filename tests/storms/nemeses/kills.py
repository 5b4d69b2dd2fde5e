"""kill -9 of web, worker and database, in the middle of whatever they do. Each is started again at once."""

from __future__ import annotations

from random import Random

from tests.storms.databases import MortalPostgres
from tests.storms.reasons import NotHere
from tests.storms.scene import Scene


class _Paced:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.5, 1.5) * self._seconds

    def heal(self, scene: Scene) -> None:
        """Everything runs again already."""


class KillWorker(_Paced):
    def strike(self, scene: Scene, rng: Random) -> None:
        worker = rng.choice(scene.fleet.workers)
        worker.kill()
        worker.start()
        scene.note("kill worker")


class KillWeb(_Paced):
    """The whole tree, or only the process that serves, which gunicorn replaces."""

    def strike(self, scene: Scene, rng: Random) -> None:
        web = rng.choice(scene.fleet.webs)
        if rng.random() < 0.5 and web.kill_a_child(rng):
            scene.note("kill web's child")
            return
        web.kill()
        web.start()
        scene.note("kill web")


class KillDatabase(_Paced):
    """SIGKILL to the postmaster and all backends; recovery on the same folder, with fsync on."""

    def strike(self, scene: Scene, rng: Random) -> None:
        postgres_of(scene).kill()
        scene.note("kill database")


class KillEverything(_Paced):
    """Web, workers and, where it is a process, the database at once."""

    def strike(self, scene: Scene, rng: Random) -> None:
        for program in scene.fleet.programs:
            program.kill()
        scene.note("kill everything")
        if isinstance(scene.grounds, MortalPostgres):
            scene.grounds.kill()
        for program in scene.fleet.programs:
            program.start()


def postgres_of(scene: Scene) -> MortalPostgres:
    """The PostgreSQL of this storm. Raises NotHere where it rages on SQLite."""
    if not isinstance(scene.grounds, MortalPostgres):
        raise NotHere("SQLite has no server")
    return scene.grounds
