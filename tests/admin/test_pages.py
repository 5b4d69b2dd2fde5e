"""Cursors: opaque, of one list, and never silently wrong."""

from __future__ import annotations

import pytest

from bridge.admin.search.pages import PageRequest, cursor, cut, read_cursor
from bridge.clock import new_id
from bridge.errors import Invalid


def test_a_cursor_gives_its_id_back() -> None:
    last = new_id()
    assert read_cursor("events", cursor("events", last)) == last


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        read_cursor("deliveries", cursor("events", new_id()))
    assert [(error.field, error.rule) for error in refused.value.errors] == [("cursor", "cursor")]


@pytest.mark.parametrize(
    "word",
    ["", "1", "ü", "====", "\x00", "A" * 27, "A" * 28, "A" * 29, "01a20373-240d-7260-b0b6-e8739812f10b", "\ud800"],
)
def test_whatever_is_no_cursor_is_refused(word: str) -> None:
    with pytest.raises(Invalid):
        read_cursor("events", word)


def test_a_cursor_with_one_letter_changed_is_refused() -> None:
    word = cursor("events", new_id())
    for place in range(len(word)):
        changed = word[:place] + ("A" if word[place] != "A" else "B") + word[place + 1 :]
        with pytest.raises(Invalid):
            read_cursor("events", changed)


def test_the_row_too_many_only_tells_that_there_is_a_next_page() -> None:
    ids = [new_id() for _ in range(3)]
    page = cut("events", PageRequest(limit=2), ids, str)
    assert page.items == ids[:2]
    assert page.next is not None
    assert read_cursor("events", page.next) == ids[1]
    assert cut("events", PageRequest(limit=3), ids, str).next is None
    assert cut("events", PageRequest(limit=3), [], str).items == []
