"""Keys per subject, and where what is sealed with them is kept.

Rows of the version before stay as they are, without a key, and its processes may go on writing such rows. They cannot
read what this version seals, and fail on it: upgrade the workers before the web processes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

ID = sa.String(36)
SUBJECT = sa.String(600)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "data_key",
        sa.Column("id", ID, primary_key=True),
        sa.Column("scope", SUBJECT, nullable=False),
        sa.Column("wrapped", sa.LargeBinary),
        sa.Column("wrapped_by", sa.String(16)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("destroyed_at", MOMENT),
        sa.CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="data_key_destroyed"),
        sa.CheckConstraint("(wrapped IS NULL) = (wrapped_by IS NULL)", name="data_key_wrapped_by_somebody"),
    )
    alive = sa.text("wrapped IS NOT NULL")
    op.create_index("data_key_alive", "data_key", ["scope"], unique=True, sqlite_where=alive, postgresql_where=alive)
    op.create_index("data_key_by_secret", "data_key", ["wrapped_by", "id"], sqlite_where=alive, postgresql_where=alive)
    op.create_table(
        "customer_subject",
        sa.Column("customer", sa.LargeBinary(16), primary_key=True),
        sa.Column("subject", SUBJECT, primary_key=True),
        sa.Column("key_id", ID, primary_key=True),
    )
    op.create_index("customer_by_subject", "customer_subject", ["subject"])
    op.add_column("event", sa.Column("key_id", ID))
    op.add_column("event", sa.Column("sealed_payload", sa.LargeBinary))
    op.add_column("rejection", sa.Column("key_id", ID))
