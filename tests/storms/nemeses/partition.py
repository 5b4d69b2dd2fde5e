"""A host that loses its way to the database: not refused, only silence, while its processes go on."""

from __future__ import annotations

from random import Random

import psycopg

from tests.storms.nemeses.kills import postgres_of
from tests.storms.reasons import NotHere
from tests.storms.scene import Scene

_GATHER_SECONDS = 0.3


class CutOffHost:
    """Takes the link between one host and the database away for longer than a lease, and gives it back.

    Every other time the database comes back without its connections, as after a power loss or a failover, while the
    bridge waits for its answers: nobody will ever tell it that there are none.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def strike(self, scene: Scene, rng: Random) -> None:
        if scene.network is None:
            raise NotHere(scene.lacking["cut-off-host"])
        host = rng.choice(scene.network.hosts)
        if rng.random() < 0.5:
            self._cut_off_while_it_waits(scene, host)
        else:
            scene.network.cut_off(host)
            scene.note("cut off host")
        scene.calm.wait(scene.lease * rng.uniform(1.2, 2.0))
        scene.network.join(host)

    def heal(self, scene: Scene) -> None:
        if scene.network is not None:
            for host in scene.network.hosts:
                scene.network.join(host)

    def pause(self, rng: Random) -> float:
        return rng.uniform(0.5, 1.5) * self._seconds

    def _cut_off_while_it_waits(self, scene: Scene, host: str) -> None:
        assert scene.network is not None
        with psycopg.connect(postgres_of(scene).own_url) as connection:
            connection.execute("LOCK TABLE lane IN SHARE MODE")
            scene.calm.wait(_GATHER_SECONDS)
            scene.network.cut_off(host)
            scene.network.forget(host)
        scene.note("cut off host, forget its connections")
