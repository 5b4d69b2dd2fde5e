"""One storm from its first webhook to its account: safety phase, liveness phase, verdict. It may not do any harm."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.storms.account import FAIR_ANSWERS, Verdict, judge
from tests.storms.books import open_deliveries, read_books
from tests.storms.fleet import Fall
from tests.storms.nemeses import NEMESES
from tests.storms.nursery import Nursery
from tests.storms.reasons import NotHere
from tests.storms.scene import Nemesis, Scene
from tests.storms.senders import Sender
from tests.storms.setting import Setting, set_scene

#: After the last fault everything that is owed has to be delivered within this time, on a machine that others use too.
DRAIN_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Storm:
    """What rages on what. `plants` maps a command (`web`, `worker`) to the module of a planted bug."""

    name: str
    setting: Setting
    nemeses: tuple[str, ...]
    #: Subjects, each with a sender of its own, and the seconds between two webhooks of one.
    subjects: int = 16
    pace: float = 0.1
    #: What senders may be told without it being a fault.
    fair: frozenset[str] = FAIR_ANSWERS


@dataclass(frozen=True, kw_only=True)
class Report:
    storm: str
    seed: int
    #: Seconds of the safety phase, and until everything was drained after it.
    seconds: float
    drain_seconds: float
    verdict: Verdict
    deeds: Mapping[str, int]
    answers: Mapping[str, int]
    #: Nemeses that could not strike here, and why.
    skipped: Mapping[str, str] = field(default_factory=dict)
    #: Programs that ended although nobody had asked them to.
    falls: Sequence[Fall] = ()
    #: Starts that were refused because the database was away; a supervisor tries again.
    failed_starts: int = 0

    @property
    def kills(self) -> int:
        return sum(times for deed, times in self.deeds.items() if deed.startswith("kill"))

    @property
    def faults(self) -> dict[str, int]:
        """What must not be, by name; empty: the storm was weathered."""
        return self.verdict.faults | ({"fell": len(self.falls)} if self.falls else {})


def rage(storm: Storm, *, seed: int, seconds: float, folder: Path, nursery: Nursery | None = None) -> Report:
    """Run it in `folder`; `nursery` saves the time of making one. Raises PostgresMissing."""
    with set_scene(storm.setting, storm.nemeses, folder, nursery) as scene:
        started = time.monotonic()
        with _load(scene, storm, seed) as senders:
            skipped = _be_harmed(scene, storm.nemeses, seed, seconds)
            raged = time.monotonic() - started
        drained = _drain(scene, senders)
        scene.fleet.stop()
        arrivals = {name: one.arrivals() for name, one in scene.listeners.items()}
        return Report(
            storm=storm.name,
            seed=seed,
            seconds=raged,
            drain_seconds=drained,
            verdict=judge(scene.account, read_books(scene.database), arrivals, fair=storm.fair),
            deeds=dict(scene.deeds),
            answers=dict(scene.account.answers),
            skipped=skipped,
            falls=tuple(scene.fleet.falls),
            failed_starts=scene.fleet.failed_starts,
        )


def subjects(count: int) -> list[str]:
    """Conversations, which the CRM hears of, and records, which the ERP hears of, in turn."""
    return [f"{'c' if number % 2 else 'r'}-{number}" for number in range(count)]


@contextmanager
def _load(scene: Scene, storm: Storm, seed: int) -> Iterator[list[Sender]]:
    """A sender for every subject; at the end of the block they send nothing new."""
    enough = threading.Event()
    senders = [
        Sender(subject, scene.fleet, scene.account, Random(f"{seed}/{subject}"), enough, pace=storm.pace)
        for subject in subjects(storm.subjects)
    ]
    for sender in senders:
        sender.start()
    try:
        yield senders
    except BaseException:
        scene.account.given_up.set()
        raise
    finally:
        enough.set()


def _be_harmed(scene: Scene, names: Sequence[str], seed: int, seconds: float) -> dict[str, str]:
    """The safety phase: every nemesis in a thread of its own; returns those that cannot strike here, and why.

    Raises what any of them has raised.
    """
    skipped: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        haunting = {
            name: pool.submit(_strike_until_calm, NEMESES[name](), scene, Random(f"{seed}/{name}")) for name in names
        }
        try:
            scene.calm.wait(seconds)
        finally:
            scene.calm.set()
    for name, one in haunting.items():
        if isinstance(why := one.exception(), NotHere):
            skipped[name] = str(why)
        else:
            one.result()
    return skipped


def _strike_until_calm(nemesis: Nemesis, scene: Scene, rng: Random) -> None:
    while not scene.calm.wait(nemesis.pause(rng)):
        nemesis.strike(scene, rng)
    nemesis.heal(scene)


def _drain(scene: Scene, senders: Sequence[Sender]) -> float:
    """The liveness phase: nobody helps. Returns the seconds that it took; what is not done by then is undelivered."""
    started = time.monotonic()
    deadline = started + DRAIN_SECONDS
    for sender in senders:
        sender.join(max(0.0, deadline - time.monotonic()))
    scene.account.given_up.set()
    for sender in senders:
        sender.join()
    while open_deliveries(scene.database) != 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    return time.monotonic() - started
