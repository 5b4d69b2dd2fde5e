"""What the short storms of the suite share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.postgres import PostgresMissing
from tests.storms.folders import storm_folder
from tests.storms.nursery import Nursery
from tests.storms.storm import Report, Storm, rage

SEED = int(os.environ.get("BRIDGE_TEST_SEED", "20261122"))

#: Runs a storm for so many seconds; the further argument is added to the seed.
Rage = Callable[..., Report]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def weather(nursery: Nursery) -> Rage:
    """Rage a storm; skip the test where there is no PostgreSQL for it, or no nemesis that can strike here."""

    def run(storm: Storm, *, seconds: float, turn: int = 0) -> Report:
        try:
            with storm_folder(storm.name) as folder:
                report = rage(storm, seed=SEED + turn, seconds=seconds, folder=folder, nursery=nursery)
        except PostgresMissing as missing:
            if os.environ.get("CI") == "true":
                pytest.fail(str(missing), pytrace=False)
            pytest.skip(str(missing))
        if len(report.skipped) == len(storm.nemeses):
            pytest.skip("; ".join(report.skipped.values()))
        return report

    return run
