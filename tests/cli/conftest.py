"""A folder with a bridge in it, and the commands of `bridge` within this process, where they need no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bridge import migrate
from bridge.cli import main
from bridge.database import Database, open_database
from bridge.settings import initialise
from tests.processes import BridgeFolder


@dataclass(frozen=True)
class Commands:
    """Runs commands within this process, in the folder of a bridge that is set up."""

    folder: Path
    database: Database

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments, prog_name="bridge")

    def json(self, *arguments: str) -> Any:
        """What the command prints with `--json`."""
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    """Set up as `bridge init` and `bridge db upgrade` do."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "PORT", "HOST", "BRIDGE_CONFIG", "BRIDGE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    initialise(tmp_path)
    database = open_database("sqlite:///bridge.db")
    migrate.upgrade(database)
    yield Commands(tmp_path, database)
    database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[BridgeFolder]:
    """An empty folder to start real processes in."""
    with BridgeFolder(tmp_path) as folder:
        yield folder
