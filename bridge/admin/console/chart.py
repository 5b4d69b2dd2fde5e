"""Numbers over time as the paths of a drawing. It may not know what is counted, nor how it is coloured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Units of the drawing, which is stretched to its place on the page; words stand beside it, not in it.
WIDTH = 600
HEIGHT = 160


@dataclass(frozen=True, kw_only=True)
class Drawing:
    width: int
    height: int
    #: The number at the upper edge; half of it is at the middle.
    top: int
    #: SVG path data for each series, in their order: the line, and the same closed along the ground.
    lines: list[str]
    areas: list[str]


def draw(series: Sequence[Sequence[int]]) -> Drawing:
    """The drawing of several series of the same length, on one scale from 0."""
    top = _round_up(max((max(one, default=0) for one in series), default=0))
    lines = [_line(one, top) for one in series]
    return Drawing(
        width=WIDTH,
        height=HEIGHT,
        top=top,
        lines=lines,
        areas=[f"{line}L{WIDTH},{HEIGHT}L0,{HEIGHT}Z" if line else "" for line in lines],
    )


def _line(numbers: Sequence[int], top: int) -> str:
    step = WIDTH / max(1, len(numbers) - 1)
    points = [f"{place * step:.1f},{HEIGHT * (1 - number / top):.1f}" for place, number in enumerate(numbers)]
    return "M" + "L".join(points) if points else ""


def _round_up(most: int) -> int:
    """The next number that is easily read and easily halved: 2, 4, 10, 20, 40, 100, …"""
    power = 1
    while True:
        for first in (2, 4, 10):
            if first * power >= most:
                return first * power
        power *= 10
