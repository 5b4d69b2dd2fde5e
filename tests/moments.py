"""Moments in the middle of something: what happens just before a statement is executed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import event

from bridge.database import Database


@contextmanager
def just_before(database: Database, words: str, nth: int, do: Callable[[], object]) -> Iterator[None]:
    """`do` it before the n-th statement that has those words in it; it must come."""
    left = [nth]

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if words in statement:
            left[0] -= 1
            if left[0] == 0:
                do()

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    assert left[0] <= 0
