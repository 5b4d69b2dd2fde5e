"""Tells what is rare from what is common, because each needs the other's opposite way through the tables.

What is rare is collected by its own index and sorted; what is common is met soon enough by walking from the newest.
The database cannot know which it is before it has the value (SQLite) or fresh statistics (PostgreSQL).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select
from sqlalchemy.orm import Session

#: Ids collected at most before something counts as common.
FEW = 2_000


def few_ids(session: Session, ids: Select[Any]) -> list[str] | None:
    """All that `ids` selects where they are at most FEW, else None. Stops reading when it knows."""
    found = list(session.scalars(ids.limit(FEW + 1)))
    return found if len(found) <= FEW else None
