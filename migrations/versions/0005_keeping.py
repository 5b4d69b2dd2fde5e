"""What forgetting needs: chores that one worker does at a time, and the anchor up to which the audit may be removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ID = sa.String(36)
MOMENT = sa.DateTime(timezone=True)

#: True for the entry of a DELETE (`old`) that lies at or before the anchor.
ARCHIVED = (
    "EXISTS (SELECT 1 FROM audit_seal WHERE audit_seal.entry_id = old.id"
    " AND audit_seal.position <= (SELECT max(audit_anchor.position) FROM audit_anchor))"
)


def upgrade() -> None:
    op.create_table(
        "chore",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("lease_token", ID),
        sa.Column("done_at", MOMENT),
        sa.Column("progress", sa.Text),
    )
    op.create_table(
        "audit_anchor",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.CheckConstraint("position >= 1", name="anchor_position"),
    )
    # Without them every event that is removed would be looked for in the whole of these tables.
    op.create_index("open_merge_by_command", "open_merge", ["command_id"])
    op.create_index("purge_by_command", "purge", ["command_id"])
    _let_what_is_archived_go()


def _let_what_is_archived_go() -> None:
    """Entries up to the anchor may be removed; all others stay as append-only as they were."""
    if op.get_context().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_entry_refuses_delete")
        op.execute(
            "CREATE TRIGGER audit_entry_refuses_delete BEFORE DELETE ON audit_entry FOR EACH ROW"
            f" WHEN NOT {ARCHIVED} BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END"
        )
        return
    # The function, not its triggers: those could only be replaced by a lock that every writer would wait for.
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_entry_refuses_changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF TG_OP = 'DELETE' AND {ARCHIVED} THEN RETURN old; END IF;"
        " RAISE EXCEPTION 'audit_entry is append-only' USING ERRCODE = 'integrity_constraint_violation';"
        " END $$"
    )
