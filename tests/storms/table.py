"""Reports as a table for people. It may not judge."""

from __future__ import annotations

from collections.abc import Sequence

from tests.storms.storm import Report

_COUNTS = (
    *("attempted", "acknowledged", "recorded", "delivered", "superseded", "dead", "doubled"),
    *("lost", "unanswered", "undelivered", "recorded_twice", "out_of_order", "id_changed"),
)


def table(reports: Sequence[Report]) -> str:
    heads = ["storm", "seconds", "kills", "/min", "drained", *(name.replace("_", " ") for name in _COUNTS), "verdict"]
    rows = [heads, *(_row(one) for one in reports)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(lines + [line for one in reports for line in _details(one)])


def _row(report: Report) -> list[str]:
    counts = [str(getattr(report.verdict, name)) for name in _COUNTS]
    per_minute = report.kills * 60 / report.seconds if report.seconds else 0
    verdict = (
        "weathered" if not report.faults else ", ".join(f"{count} {what}" for what, count in report.faults.items())
    )
    return [
        report.storm,
        f"{report.seconds:.0f}",
        str(report.kills),
        f"{per_minute:.0f}",
        f"{report.drain_seconds:.1f} s",
        *counts,
        verdict,
    ]


def _details(report: Report) -> list[str]:
    lines = [f"  {report.storm}, seed {report.seed}: {_listed(report.deeds)}; answers: {_listed(report.answers)}"]
    if report.failed_starts:
        lines.append(f"  {report.failed_starts} starts while the database was away were refused, and tried again")
    lines += [f"  skipped: {name}: {why}" for name, why in report.skipped.items()]
    lines += [f"  {what}: {report.verdict.examples[what]}" for what in report.faults if what in report.verdict.examples]
    lines += [f"  fell: {one.program} with {one.code}:\n{one.last_words[-2000:]}" for one in report.falls]
    return lines


def _listed(counts: object) -> str:
    assert isinstance(counts, dict)
    return ", ".join(f"{what} {count}" for what, count in sorted(counts.items())) or "none"
