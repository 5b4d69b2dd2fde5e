"""A loss of power under SQLite, played: what was not synced is gone, and nothing of it was acknowledged."""

from __future__ import annotations

from dataclasses import replace

from tests.storms.catalogue import PLANTED
from tests.storms.conftest import Rage
from tests.storms.table import table


def test_what_was_acknowledged_survives_a_loss_of_power(weather: Rage) -> None:
    """The storm `power-not-synced`, where `synchronous = NORMAL` loses rows, with the settings of the bridge."""
    planted = PLANTED["power-not-synced"]
    storm = replace(planted.storm, name="power", setting=replace(planted.storm.setting, plants={}))
    report = weather(storm, seconds=planted.seconds)
    assert not report.faults, table([report])
    assert report.kills >= 1
