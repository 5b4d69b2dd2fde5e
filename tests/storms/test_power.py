"""A loss of power under SQLite, played: what was not synced is gone, and nothing of it was acknowledged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.storms import power
from tests.storms.catalogue import PLANTED
from tests.storms.conftest import Rage
from tests.storms.reasons import NotHere
from tests.storms.shims import build
from tests.storms.table import table


def test_without_a_compiler_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotHere, match="C compiler"):
        build(power.NAME, tmp_path)


def test_what_was_acknowledged_survives_a_loss_of_power(weather: Rage) -> None:
    """The storm `power-not-synced`, where `synchronous = NORMAL` loses rows, with the settings of the bridge."""
    planted = PLANTED["power-not-synced"]
    storm = replace(planted.storm, name="power", setting=replace(planted.storm.setting, plants={}))
    report = weather(storm, seconds=planted.seconds)
    assert not report.faults, table([report])
    assert report.kills >= 1
