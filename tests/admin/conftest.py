"""Fixtures of the administrators' room."""

from __future__ import annotations

import pytest

from bridge.database import Database
from tests.admin.desk import Desk, make_desk
from tests.fakes import FakeClock


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return make_desk(database, clock)
