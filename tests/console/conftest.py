"""Fixtures of the console."""

from __future__ import annotations

import pytest

from bridge.database import Database
from tests.admin.desk import Desk
from tests.console.visitors import make_console_desk
from tests.fakes import FakeClock


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return make_console_desk(database, clock)
