"""What a replay knows of itself: whom it left a row to, what it left out, what became of its deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("replay", sa.Column("skipped_for", sa.Text))
    op.add_column("replay", sa.Column("left_out", sa.Integer, nullable=False, server_default="0"))
    op.add_column("replay", sa.Column("tally", sa.Text))
    op.drop_index("delivery_by_replay", "delivery")
    # Holds what is counted, so that counting a million deliveries of one replay reads none of them.
    where = sa.text("replay_id IS NOT NULL")
    columns = ["replay_id", "state", "attempts"]
    op.create_index("delivery_of_replay", "delivery", columns, sqlite_where=where, postgresql_where=where)
