"""Fixtures of the console."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bridge.database import Database, open_database
from tests.admin.desk import Desk
from tests.console.browser import chromium
from tests.console.visitors import make_console_desk
from tests.fakes import FakeClock


@pytest.fixture
def desk(database: Database, clock: FakeClock) -> Desk:
    return make_console_desk(database, clock)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def standing_desk(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk for all tests of a module: they only look."""
    file = tmp_path_factory.mktemp("standing") / "bridge.db"
    shutil.copy(_sqlite_template, file)
    database = open_database(f"sqlite:///{file}")
    yield make_console_desk(database, FakeClock())
    database.close()
