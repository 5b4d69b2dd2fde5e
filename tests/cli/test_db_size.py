"""What `bridge db size` tells."""

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
