"""Legal holds that administrators place, beside those of bridge.toml."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

MOMENT = sa.DateTime(timezone=True)
IN_FORCE = sa.text("released_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "legal_hold",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("subject", sa.String(600)),
        sa.Column("sealed_customer", sa.LargeBinary),
        sa.Column("customer_shown", sa.String(300)),
        sa.Column("interaction_type", sa.String(32)),
        sa.Column("range_start", MOMENT),
        sa.Column("range_end", MOMENT),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("placed_by", sa.String(128), nullable=False),
        sa.Column("placed_at", MOMENT, nullable=False),
        sa.Column("released_by", sa.String(128)),
        sa.Column("released_at", MOMENT),
        sa.Column("release_reason", sa.Text),
        sa.CheckConstraint(
            "CASE WHEN subject IS NULL THEN 0 ELSE 1 END + CASE WHEN customer_shown IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN interaction_type IS NULL THEN 0 ELSE 1 END = 1",
            name="hold_names_one_thing",
        ),
        sa.CheckConstraint(
            "(sealed_customer IS NOT NULL) = (customer_shown IS NOT NULL AND released_at IS NULL)", name="hold_customer"
        ),
        sa.CheckConstraint(
            "(interaction_type IS NULL) = (range_start IS NULL) AND (interaction_type IS NULL) = (range_end IS NULL)",
            name="hold_type_has_a_range",
        ),
        sa.CheckConstraint("range_start IS NULL OR range_start < range_end", name="hold_range"),
        sa.CheckConstraint(
            "(released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (release_reason IS NULL)",
            name="hold_release_is_whole",
        ),
    )
    op.create_index("hold_in_force", "legal_hold", ["id"], sqlite_where=IN_FORCE, postgresql_where=IN_FORCE)
