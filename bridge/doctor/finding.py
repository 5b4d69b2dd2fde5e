"""What one check found. It may not check anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report. No secret, no personal data."""

    #: A stable name; several findings may have the same (one per destination, one per problem).
    check: str
    #: `fail`: something does not work, or will lose data. `warn`: a person should look.
    state: Literal["ok", "warn", "fail"]
    #: A sentence.
    found: str
    #: What to do; None where nothing is to be done.
    remedy: str | None = None


def ok(check: str, found: str) -> Finding:
    return Finding(check=check, state="ok", found=found)


def warn(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, state="warn", found=found, remedy=remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    return Finding(check=check, state="fail", found=found, remedy=remedy)
