"""A progress bar for a copy of known or unknown size. It may not copy anything."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def copying_bar(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """To be told how much of the whole is done; shows it on a terminal, else nothing."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _whole: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("copying", total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole or None)
