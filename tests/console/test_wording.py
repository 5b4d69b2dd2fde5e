"""Times and counts in words, and numbers as a drawing."""

from __future__ import annotations

import pytest

from bridge.admin.console.chart import HEIGHT, WIDTH, area, bars, line, places, top_of
from bridge.admin.console.wording import age, count, cut, duration, percent, plural, pretty, size


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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (42, "42 s"), (59.7, "1 min"), (754, "12 min"), (7260, "2 h 1 min"), (90061, "1 d 1 h")],
)
def test_an_age_is_told_without_what_does_not_matter(seconds: float, words: str) -> None:
    assert age(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"), [(None, "–"), (1.0, "100 %"), (0.99996, "99.9 %"), (0.125, "12.5 %"), (0.0, "0 %")]
)
def test_what_is_not_quite_all_is_not_told_as_all(share: float | None, words: str) -> None:
    assert percent(share) == words


def test_the_scale_is_easily_halved() -> None:
    assert [top_of([number]) for number in (0, 2, 3, 11, 40, 41)] == [2, 2, 4, 20, 40, 100]
    assert top_of([None, 3], [7]) == 10


def test_a_line_goes_through_the_middle_of_each_place() -> None:
    assert line([0, 3, 40], 40) == "M100.0,160.0L300.0,148.0L500.0,0.0"
    assert area([1, 1], 2) == f"M150.0,80.0L450.0,80.0L450.0,{HEIGHT}L150.0,{HEIGHT}Z"


def test_where_there_is_no_number_the_line_is_broken_and_one_alone_is_a_dot() -> None:
    assert line([1, None, 1, 1], 2).split("M") == ["", "75.0,80.0L75.0,80.0", "375.0,80.0L525.0,80.0"]
    assert (line([None], 2), line([], 2)) == ("", "")


def test_bars_stand_on_the_ground_or_on_one_another() -> None:
    assert bars([2, 0], 2) == "M36.0,160.0V0.0h228.0V160.0Z"
    assert bars([1, 0], 2, [1, 0]) == "M36.0,80.0V0.0h228.0V80.0Z"
    assert list(places(2)) == [(0.0, WIDTH / 2), (WIDTH / 2, WIDTH / 2)]
