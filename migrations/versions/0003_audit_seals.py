"""The chain behind the audit: each entry's place and hash, and the signed heads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

ID = sa.String(36)
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "audit_seal",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        # No foreign key: an entry that was removed must be missed by `verify`, not guarded by its seal.
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.CheckConstraint("position >= 1", name="seal_position"),
    )
    op.create_index("audit_seal_by_entry", "audit_seal", ["entry_id"], unique=True)
    op.create_table(
        "audit_head",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.CheckConstraint("first >= 1 AND first <= position", name="head_range"),
    )
