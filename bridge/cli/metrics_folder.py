"""A folder in which the processes of one tree count together. It may not count anything."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bridge.settings import Settings, count_together_in


@contextmanager
def counting_together(settings: Settings, *, of_several: bool) -> Iterator[Settings]:
    """`settings` with a temporary folder for the numbers of everything that is started inside the block.

    As they are where there is a folder already, or where not `of_several` processes count. Nothing that counts
    (`telemetry.metrics`) may have been imported before.
    """
    if settings.metrics_folder is not None or not of_several:
        yield settings
        return
    folder, owner = Path(tempfile.mkdtemp(prefix="bridge-metrics-")), os.getpid()
    count_together_in(folder)
    try:
        yield replace(settings, metrics_folder=folder)
    finally:
        if os.getpid() == owner:  # gunicorn's children leave the block too, when they end
            shutil.rmtree(folder, ignore_errors=True)
