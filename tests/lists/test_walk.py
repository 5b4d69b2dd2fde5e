"""What a walk found tells where the next one begins."""

from __future__ import annotations

import pytest

from bridge.lists.walk import Walked


@pytest.mark.parametrize(
    ("ids", "floor", "next_"),
    [
        (["c", "b", "a"], None, "b"),
        (["c", "b", "a"], "a", "b"),
        (["c", "b"], None, None),
        (["c", "b"], "a", "a"),
        ([], "a", "a"),
        ([], None, None),
    ],
)
def test_the_next_begins_after_the_last_given_or_where_the_walk_ended(
    ids: list[str], floor: str | None, next_: str | None
) -> None:
    assert Walked(ids=ids, floor=floor).first(2) == (ids[:2], next_)
