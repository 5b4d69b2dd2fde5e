"""`python -m tests.bench [NAME…]`: measures, prints a table beside the goals; exit code 1 where one is missed."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bridge import migrate
from bridge.clock import SystemClock
from bridge.database import open_database
from tests.bench.fill import fill
from tests.bench.lists import GOAL_MS, Figure, measure, questions
from tests.bench.table import table
from tests.postgres import PostgresMissing, running_postgres

NAMES = ("lists",)


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(NAMES)}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bridge-bench-")))
        urls = chosen.database or list(_new_databases(stack, folder))
        figures = [one for url in urls for one in _measure(url, chosen.rows, chosen.rounds, folder)]
    print(table(figures))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([vars(one) for one in figures], indent=1))
    missed = [one for one in figures if not one.is_met]
    print(f"{len(figures) - len(missed)} of {len(figures)} within p95 {GOAL_MS:g} ms")
    return 1 if missed else 0


def _new_databases(stack: ExitStack, folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'lists.db'}"
    try:
        server = stack.enter_context(running_postgres(shared_buffers="512MB", max_wal_size="8GB"))
    except PostgresMissing as why:
        print(f"not here: PostgreSQL: {why}")
        return
    yield stack.enter_context(server.new_database())


def _measure(url: str, rows: int, rounds: int, folder: Path) -> Sequence[Figure]:
    kind = url.partition(":")[0]
    now = SystemClock().now()
    database = open_database(url)
    migrate.upgrade(database)
    fill(database, rows, now=now, told=lambda text: print(f"{kind}: {text}", flush=True))
    database.close()
    return list(measure(kind, url, questions(now, rows), rounds=rounds, folder=folder))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)} (default: all)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="events, each with a delivery (default: 1000000)")
    parser.add_argument("--rounds", type=int, default=20, help="how often each question is asked (default: 20)")
    parser.add_argument(
        "--database", action="append", metavar="URL",
        help="fill this one where it is empty, and use it again where it is filled (default: new ones that go)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
