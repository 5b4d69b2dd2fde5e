"""What commands need beside the outbox: open merges, and purges with their two keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

ID = sa.String(36)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "open_merge",
        sa.Column("interaction_id", sa.String(255), primary_key=True),
        sa.Column("command_id", ID, sa.ForeignKey("event.id"), nullable=False),
    )
    op.create_table(
        "purge",
        sa.Column("id", ID, primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("interaction_type", sa.String(32), nullable=False),
        sa.Column("range_start", MOMENT, nullable=False),
        sa.Column("range_end", MOMENT, nullable=False),
        sa.Column("planned_at", MOMENT, nullable=False),
        sa.Column("planner", sa.String(128), nullable=False),
        sa.Column("approver", sa.String(128)),
        sa.Column("approved_at", MOMENT),
        sa.Column("cancelled_at", MOMENT),
        sa.Column("command_id", ID, sa.ForeignKey("event.id")),
        sa.CheckConstraint("state IN ('awaiting_approval', 'approved', 'cancelled')", name="purge_state"),
        sa.CheckConstraint("(state = 'approved') = (command_id IS NOT NULL)", name="purge_approved_is_a_command"),
        sa.CheckConstraint("range_start < range_end", name="purge_range"),
    )
    op.create_index("purge_by_type", "purge", ["interaction_type", "range_start"])
