"""For every program on SQLite: a commit is acknowledged before it is on the disk, as `synchronous = NORMAL` does it."""

from __future__ import annotations

from typing import Any

from bridge import database


def plant() -> None:
    prepare = database._prepare_sqlite

    def prepare_and_hurry(connection: Any, _record: object) -> None:
        prepare(connection, _record)
        connection.execute("PRAGMA synchronous = NORMAL")

    database._prepare_sqlite = prepare_and_hurry
