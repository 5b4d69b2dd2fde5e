"""Times and counts in words, and numbers as a drawing."""

from __future__ import annotations

import pytest

from bridge.admin.console.chart import HEIGHT, WIDTH, draw
from bridge.admin.console.wording import count, cut, duration, plural, pretty, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.012, "12 ms"),
        (3.21, "3.2 s"),
        (42, "42 s"),
        (60, "1 min"),
        (754, "12 min 34 s"),
        (7200, "2 h"),
        (90061, "1 d 1 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_numbers_are_told_with_their_unit() -> None:
    assert count(1234567) == "1\u202f234\u202f567"
    assert plural(1, "delivery", "deliveries") == "1 delivery"
    assert plural(0, "delivery", "deliveries") == "0 deliveries"
    assert size(100) == "100 bytes"
    assert size(2048) == "2.0 KiB"


def test_what_is_cut_says_how_much() -> None:
    assert cut("abcdef", 4) == "abcd… (2 characters more)"
    assert cut("abcd", 4) == "abcd"
    assert len(pretty({"a": "x" * 100_000})) < 66_000


def test_a_drawing_stays_within_its_frame_and_stands_on_the_ground() -> None:
    drawn = draw([[0, 3, 40], [1, 1, 1]])
    assert drawn.top == 40
    assert drawn.lines[0] == f"M0.0,{HEIGHT}.0L{WIDTH / 2},148.0L{WIDTH}.0,0.0"
    assert drawn.areas[0].endswith(f"L{WIDTH},{HEIGHT}L0,{HEIGHT}Z")


def test_nothing_to_draw_is_a_flat_line() -> None:
    assert draw([[0, 0]]).lines == [f"M0.0,{HEIGHT}.0L{WIDTH}.0,{HEIGHT}.0"]
    assert draw([[]]).areas == [""]
