"""What people did is found by who did it, and a purge that was planned before by its Idempotency-Key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

#: What the bridge does all day by itself is not in it: recording and delivering do not pay for it.
BY_PEOPLE = "substr(actor, 1, 6) = 'token:' OR substr(actor, 1, 4) = 'cli:'"


def upgrade() -> None:
    by_people = sa.text(BY_PEOPLE)
    op.create_index(
        "audit_by_person", "audit_entry", ["actor", "id"], sqlite_where=by_people, postgresql_where=by_people
    )
    op.create_table(
        "purge_key",
        sa.Column("asked_key", sa.LargeBinary(32), primary_key=True),
        sa.Column("asked_content", sa.LargeBinary(32), nullable=False),
        sa.Column("purge_id", sa.String(36), sa.ForeignKey("purge.id"), nullable=False),
    )
