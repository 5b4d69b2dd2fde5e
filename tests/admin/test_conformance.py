"""schemathesis finds nothing wrong with the API in a short run; `python -m tests.admin.conformance` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.admin.conformance import conform
from tests.admin.day import passing_day

SEED = 20261122


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_api_does_what_its_document_says(database_url: str, tmp_path: Path) -> None:
    options = ["--phases", "fuzzing", "--max-examples", "3", "--max-time", "8"]
    with passing_day(database_url, everybody_from_elsewhere=True) as day:
        verdict = conform(day, tmp_path, seed=SEED, options=options)
    print(f"seed {SEED}")
    assert verdict.code == 0, verdict.told
