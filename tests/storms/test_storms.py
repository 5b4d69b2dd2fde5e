"""Short storms on both databases; the long ones are `python -m tests.storms`."""

from __future__ import annotations

import pytest

from tests.storms.account import FLAWLESS_ANSWERS
from tests.storms.conftest import Rage
from tests.storms.databases import POSTGRES, SQLITE
from tests.storms.setting import Setting
from tests.storms.storm import Storm
from tests.storms.table import table

#: Shorter than usual, so that what a killed worker held is soon somebody else's.
TIMEOUT, LEASE = 0.8, 1.5

STORMS = [
    Storm(
        name="short-sqlite",
        setting=Setting(kind=SQLITE, timeout=TIMEOUT, lease=LEASE),
        nemeses=("kill-worker", "kill-web", "misbehave"),
        subjects=10,
    ),
    Storm(
        name="short-postgresql",
        setting=Setting(kind=POSTGRES, webs=2, timeout=TIMEOUT, lease=LEASE),
        nemeses=("kill-worker", "kill-web", "kill-database", "cut-at-commit", "sleep"),
        subjects=10,
    ),
]


@pytest.mark.parametrize("storm", STORMS, ids=lambda storm: storm.name)
def test_a_storm_costs_no_event_and_no_order(weather: Rage, storm: Storm) -> None:
    report = weather(storm, seconds=4)
    assert not report.faults, table([report])
    assert report.kills, table([report])
    assert report.verdict.delivered, table([report])


def test_a_rolling_restart_under_load_is_not_noticed_by_one_sender(weather: Rage) -> None:
    storm = Storm(
        name="rolling",
        setting=Setting(kind=SQLITE, workers=1, keeps_listeners=True),
        nemeses=("roll",),
        subjects=8,
        fair=FLAWLESS_ANSWERS,
    )
    report = weather(storm, seconds=2.5)
    assert not report.faults, table([report])
    assert report.deeds["restart web"] >= 1
