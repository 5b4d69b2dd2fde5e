"""The attic that these tests clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.database import Database
from tests.fakes import FakeClock
from tests.keeping.attic import Attic


@pytest.fixture
def attic(database: Database, clock: FakeClock, tmp_path: Path) -> Attic:
    return Attic(database, clock, tmp_path)
