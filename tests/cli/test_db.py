"""What `bridge db size` tells, and what `bridge db backup` leaves."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.cli.conftest import Commands
from tests.outbox.yard import owe


def test_the_size_of_every_table_is_told_the_largest_first(bridge: Commands) -> None:
    for _ in range(3):
        owe(bridge.database, datetime(2026, 5, 1, tzinfo=UTC), destinations=("erp",))
    found = bridge.json("db", "size")
    rows = {table["name"]: table["rows"] for table in found["tables"]}
    assert (rows["event"], rows["delivery"], rows["lane"], rows["attempt"]) == (3, 3, 1, 0)
    assert [table["rows"] for table in found["tables"]] == sorted(rows.values(), reverse=True)
    assert found["bytes"] > 0
    assert "free within the file" in bridge("db", "size").stdout


def test_a_backup_is_written_audited_and_not_over_another(bridge: Commands) -> None:
    done = bridge("db", "backup", "copy.db")
    size = (bridge.folder / "copy.db").stat().st_size
    assert (done.exit_code, done.output) == (0, f"copy.db: {size} bytes, checked\n")
    again = bridge("db", "backup", "copy.db")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "--force" in again.stderr
    assert bridge.json("db", "backup", "copy.db", "--force")["bytes"] > 0
    entries = bridge.json("audit", "list", "--action", "database.backed_up")["items"]
    assert [entry["details"]["file"] for entry in entries] == ["copy.db", "copy.db"]
