"""Indexes for what an operator asks first: unreadable events, silent sources, what fails and where."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("event_by_source", "event", ["source", "id"])
    _create_partial_index("event_unreadable", "event", ["id"], "state = 'unreadable'")
    # Deliveries whose newest try failed are few: these two cost nothing where all goes well.
    _create_partial_index("delivery_by_error", "delivery", ["error_class", "id"], "error_class IS NOT NULL")
    _create_partial_index("delivery_failing", "delivery", ["destination", "id"], "error_class IS NOT NULL")


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
