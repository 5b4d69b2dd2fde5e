"""Figures as a table for people. It may not measure."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.lists import GOAL_MS, Figure

_HEADS = ("database", "question", "items", "p50 ms", "p95 ms", "goal ms", "CPU ms", "")


def table(figures: Sequence[Figure]) -> str:
    """A line for each, the worst of each database marked where they miss the goal."""
    rows = [_HEADS, *(_row(one) for one in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column < 2 else cell.rjust(width) for column, (cell, width) in enumerate(pairs))
        for pairs in (list(zip(row, widths, strict=True)) for row in rows)
    )


def _row(one: Figure) -> tuple[str, ...]:
    verdict = "" if one.is_met else "missed"
    return (
        one.database,
        one.question,
        str(one.items),
        f"{one.p50:.1f}",
        f"{one.p95:.1f}",
        f"{GOAL_MS:g}",
        f"{one.cpu:.1f}",
        verdict,
    )
