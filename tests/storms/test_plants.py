"""The storms notice planted bugs: each breaks one promise, and the account says which."""

from __future__ import annotations

import pytest

from tests.storms.catalogue import PLANTED, TURNS
from tests.storms.conftest import Rage
from tests.storms.table import table


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_noticed(weather: Rage, name: str) -> None:
    planted, reports = PLANTED[name], []
    for turn in range(TURNS):
        reports.append(weather(planted.storm, seconds=planted.seconds, turn=turn))
        if planted.fault in reports[-1].faults:
            return
    pytest.fail(table(reports))
