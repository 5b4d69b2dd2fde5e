"""Numbers over time as the paths of a drawing. It may not know what is counted, nor how it is coloured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

#: Units of the drawing, which is stretched to its place on the page; words stand beside it, not in it.
WIDTH = 600
HEIGHT = 160
#: The part of its place that a bar does not fill.
_GAP = 0.24

Numbers = Sequence[int | None]


def top_of(*series: Numbers) -> int:
    """The number at the upper edge, easily read and easily halved: 2, 4, 10, 20, 40, 100, …"""
    most = max((number for one in series for number in one if number is not None), default=0)
    power = 1
    while True:
        for first in (2, 4, 10):
            if first * power >= most:
                return first * power
        power *= 10


def line(numbers: Numbers, top: int) -> str:
    """Through the middle of each place; it is broken where there is no number."""
    return "".join(f"M{'L'.join(run if len(run) > 1 else run * 2)}" for run in _runs(numbers, top))


def area(numbers: Numbers, top: int) -> str:
    """What lies between `line` and the ground."""
    closed = []
    for run in _runs(numbers, top):
        first, last = run[0].partition(",")[0], run[-1].partition(",")[0]
        closed.append(f"M{'L'.join(run)}L{last},{HEIGHT}L{first},{HEIGHT}Z")
    return "".join(closed)


def bars(numbers: Sequence[int], top: int, on: Sequence[int] | None = None) -> str:
    """A bar at each place, standing on the bar of `on`, or on the ground."""
    step = WIDTH / max(1, len(numbers))
    drawn = []
    for place, number in enumerate(numbers):
        if number:
            foot = _height(on[place] if on else 0, top)
            left, width = (place + _GAP / 2) * step, (1 - _GAP) * step
            tall = _height((on[place] if on else 0) + number, top)
            drawn.append(f"M{left:.1f},{foot:.1f}V{tall:.1f}h{width:.1f}V{foot:.1f}Z")
    return "".join(drawn)


def places(number: int) -> Iterator[tuple[float, float]]:
    """Left edge and width of each of so many places."""
    step = WIDTH / max(1, number)
    return ((round(place * step, 1), round(step, 1)) for place in range(number))


def _runs(numbers: Numbers, top: int) -> Iterator[list[str]]:
    """The points of each stretch without a gap."""
    step = WIDTH / max(1, len(numbers))
    for is_gap, run in groupby(enumerate(numbers), key=lambda one: one[1] is None):
        if not is_gap:
            yield [f"{(place + 0.5) * step:.1f},{_height(number or 0, top):.1f}" for place, number in run]


def _height(number: int, top: int) -> float:
    return HEIGHT * (1 - number / top)
