"""The storms by name. A new one is an entry here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.storms.account import FLAWLESS_ANSWERS, ROLLING_ANSWERS
from tests.storms.databases import POSTGRES, SQLITE
from tests.storms.setting import Setting
from tests.storms.storm import Storm

_SETTINGS = {
    SQLITE: Setting(kind=SQLITE, webs=1, workers=2),
    POSTGRES: Setting(kind=POSTGRES, webs=2, workers=2),
}
#: What strikes in which; the name of the database is added.
_EVERYWHERE: dict[str, tuple[str, ...]] = {
    "kills": ("kill-worker", "kill-web", "kill-everything"),
    "sleep": ("sleep", "kill-worker"),
    "receivers": ("misbehave", "kill-worker"),
    "gone": ("gone", "misbehave"),
    "clock": ("jump-clock", "kill-worker"),
    "rolling": ("roll",),
    "rolling-kept": ("roll",),
}
_ON: dict[str, dict[str, tuple[str, ...]]] = {
    SQLITE: {
        "power": ("cut-power",),
        "disk": ("fill-disk", "kill-worker"),
        "everything": ("kill-worker", "kill-web", "sleep", "misbehave", "fill-disk", "jump-clock"),
    },
    POSTGRES: {
        "kills": ("kill-worker", "kill-web", "kill-database", "kill-everything"),
        "connections": ("cut-at-commit", "terminate-backends", "restart-database"),
        "away": ("stop-database",),
        "partition": ("cut-off-host",),
        "everything": (
            *("kill-worker", "kill-web", "kill-database", "sleep", "misbehave"),
            *("cut-at-commit", "terminate-backends", "restart-database", "jump-clock"),
        ),
    },
}

#: The scheduler may hide a planted bug once or twice.
TURNS = 3


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A storm on a bridge with a bug in it, and how many seconds it takes to notice."""

    storm: Storm
    #: What the account has to say of it.
    fault: str
    seconds: float


def _planted(
    name: str, fault: str, setting: Setting, nemesis: str, *, seconds: float, subjects: int = 8, pace: float = 0.05
) -> Planted:
    storm = Storm(name=name, setting=setting, nemeses=(nemesis,), subjects=subjects, pace=pace)
    return Planted(storm=storm, fault=fault, seconds=seconds)


PLANTED = {
    one.storm.name: one
    for one in (
        _planted(
            "answer-before-commit",
            "lost",
            Setting(kind=SQLITE, workers=1, plants={"web": "answer_before_commit"}),
            "kill-web",
            seconds=3.0,
        ),
        _planted(
            "settle-unfenced",
            "out_of_order",
            Setting(
                kind=SQLITE,
                plants={"worker": "settle_unfenced"},
                timeout=0.5,
                lease=0.8,
                receivers_take=0.1,
                in_flight=4,
            ),
            "sleep",
            seconds=4.0,
            subjects=24,
            pace=0.13,
        ),
        _planted(
            "done-before-send",
            "lost",
            Setting(kind=SQLITE, workers=1, plants={"worker": "done_before_send"}),
            "misbehave",
            seconds=2.5,
        ),
        _planted(
            "power-not-synced",
            "lost",
            Setting(kind=SQLITE, workers=1, plants={"web": "not_synced", "worker": "not_synced"}),
            "cut-power",
            seconds=3.0,
        ),
    )
}


def _storms() -> dict[str, Storm]:
    made = {}
    for kind, setting in _SETTINGS.items():
        for word, nemeses in {**_EVERYWHERE, **_ON[kind]}.items():
            storm = Storm(name=f"{word}-{kind}", setting=setting, nemeses=nemeses)
            if word == "rolling":
                storm = replace(storm, fair=ROLLING_ANSWERS)
            if word == "rolling-kept":
                storm = replace(storm, setting=replace(setting, keeps_listeners=True), fair=FLAWLESS_ANSWERS)
            made[storm.name] = storm
    return made


STORMS = _storms()
