"""`python -m tests.storms`: the long storms, a table, and exit code 1 where one was not weathered."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.postgres import PostgresMissing
from tests.storms.catalogue import PLANTED, STORMS, TURNS
from tests.storms.folders import storm_folder
from tests.storms.storm import Report, rage
from tests.storms.table import table


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - STORMS.keys() - PLANTED.keys():
        parser.error(f"there is no storm {', '.join(sorted(unknown))}; see --list")
    if chosen.list:
        print("\n".join([*STORMS, *PLANTED]))
        return 0
    seed = int(time.time()) if chosen.seed is None else chosen.seed
    print(f"seed {seed}")
    names = chosen.names or [*STORMS, *PLANTED]
    reports = _rage_all([name for name in names if name in STORMS], seed, chosen.seconds, keep=chosen.keep)
    missed = [name for name in names if name in PLANTED and not _is_noticed(name, seed)]
    print(table(reports))
    for name in missed:
        print(f"planted and not noticed: {name}")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([_as_json(one) for one in reports], indent=1))
    return 1 if missed or any(one.faults for one in reports) else 0


def _rage_all(names: Sequence[str], seed: int, seconds: float, *, keep: bool) -> list[Report]:
    reports = []
    for name in names:
        try:
            reports.append(_run(name, seed, seconds, keep=keep))
        except PostgresMissing as why:
            print(f"not here: {name}: {why}", flush=True)
    return reports


def _is_noticed(name: str, seed: int) -> bool:
    """True where the account says of this plant what it has to say, or where the plant cannot be had here."""
    planted = PLANTED[name]
    for turn in range(TURNS):
        with storm_folder(name) as folder:
            report = rage(planted.storm, seed=seed + turn, seconds=planted.seconds, folder=folder)
        for nemesis, why in report.skipped.items():
            print(f"not here: {name}: {nemesis}: {why}", flush=True)
        print(f"planted {name}: {report.faults} in turn {turn + 1}", flush=True)
        if report.skipped or planted.fault in report.faults:
            return True
    return False


def _run(name: str, seed: int, seconds: float, *, keep: bool) -> Report:
    with storm_folder(name) as folder:
        print(f"{name}: {seconds:g} s in {folder}", flush=True)
        report = rage(STORMS[name], seed=seed, seconds=seconds, folder=folder)
        print(table([report]), flush=True)
        if keep or report.faults:
            (folder / "keep").touch()
    return report


def _as_json(report: Report) -> dict[str, object]:
    return {**vars(report), "verdict": report.verdict.as_json(), "falls": [vars(one) for one in report.falls]}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.storms", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of --list")
    parser.add_argument("--list", action="store_true", help="name the storms")
    parser.add_argument("--seed", type=int, help="what the nemeses choose; default: the time")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the safety phase, each (default: 60)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was counted there")
    parser.add_argument("--keep", action="store_true", help="keep the folders, with every log")
    return parser


if __name__ == "__main__":
    sys.exit(main())
