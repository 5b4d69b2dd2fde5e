"""What may be done to a bridge, one module per kind of harm; composed by name."""

from __future__ import annotations

from collections.abc import Callable

from tests.storms.nemeses.clocks import JumpClock
from tests.storms.nemeses.cuts import CutAtCommit, RestartDatabase, StopDatabase, TerminateBackends
from tests.storms.nemeses.disks import FillDisk
from tests.storms.nemeses.kills import KillDatabase, KillEverything, KillWeb, KillWorker
from tests.storms.nemeses.partition import CutOffHost
from tests.storms.nemeses.power import CutPower
from tests.storms.nemeses.receivers import Gone, Misbehave
from tests.storms.nemeses.rolling import Roll
from tests.storms.nemeses.sleeps import Sleep
from tests.storms.scene import Nemesis

#: By name; made anew for every storm, with how often it strikes (seconds between two strikes).
NEMESES: dict[str, Callable[[], Nemesis]] = {
    "kill-worker": lambda: KillWorker(0.55),
    "kill-web": lambda: KillWeb(2.5),
    "kill-database": lambda: KillDatabase(6.0),
    "kill-everything": lambda: KillEverything(12.0),
    "sleep": lambda: Sleep(1.0),
    "cut-at-commit": lambda: CutAtCommit(),
    "terminate-backends": lambda: TerminateBackends(3.0),
    "stop-database": StopDatabase,
    "restart-database": lambda: RestartDatabase(6.0),
    "misbehave": lambda: Misbehave(1.0),
    "gone": lambda: Gone(0.5),
    "fill-disk": lambda: FillDisk(3.0),
    "jump-clock": lambda: JumpClock(2.0),
    "roll": lambda: Roll(0.5),
    "cut-power": lambda: CutPower(1.5),
    "cut-off-host": lambda: CutOffHost(5.0),
}
