"""The first tables, and the trigger that keeps the audit append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Frozen as of this revision: a migration must not change its meaning when the models do.
ID = sa.String(36)
NAME = sa.String(64)
SUBJECT = sa.String(600)
MOMENT = sa.DateTime(timezone=True)
JSON = sa.Text()


def upgrade() -> None:
    _events()
    _rejections()
    _replays()
    _lanes()
    _deliveries()
    _attempts()
    _audit()
    _administration()


def _events() -> None:
    op.create_table(
        "event",
        sa.Column("id", ID, primary_key=True),
        sa.Column("source", NAME, nullable=False),
        sa.Column("type", sa.String(255), nullable=False),
        sa.Column("subject", SUBJECT, nullable=False),
        sa.Column("version", sa.String(255)),
        sa.Column("occurred_at", MOMENT),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("errors", JSON),
        sa.Column("delivery_key", sa.LargeBinary(32), unique=True),
        sa.Column("content_key", sa.LargeBinary(32), unique=True),
        sa.Column("content_key_until", MOMENT),
        sa.Column("duplicates", sa.Integer, nullable=False),
        sa.Column("correlation_id", sa.String(255)),
        sa.Column("traceparent", sa.String(64)),
        sa.Column("caused_by", NAME),
        sa.CheckConstraint("state IN ('recorded', 'unreadable')", name="event_state"),
    )
    op.create_index("event_by_subject", "event", ["subject", "id"])
    op.create_index("event_by_type", "event", ["type", "id"])


def _rejections() -> None:
    op.create_table(
        "rejection",
        sa.Column("id", ID, primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("source", NAME, nullable=False),
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary),
    )
    op.create_index("rejection_by_source", "rejection", ["source", "id"])


def _replays() -> None:
    op.create_table(
        "replay",
        sa.Column("id", ID, primary_key=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("created_by", sa.String(128), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("filter", JSON, nullable=False),
        sa.Column("mode", sa.String(6), nullable=False),
        sa.Column("rate", sa.Double, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("matched", sa.Integer, nullable=False),
        sa.Column("cursor", ID),
        sa.Column("due_at", MOMENT),
        sa.CheckConstraint("mode IN ('latest', 'every')", name="replay_mode"),
        sa.CheckConstraint("state IN ('running', 'paused', 'completed', 'cancelled')", name="replay_state"),
    )


def _lanes() -> None:
    op.create_table(
        "lane",
        sa.Column("lane_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("destination", NAME, nullable=False),
        sa.Column("subject", SUBJECT, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("head_seq", sa.BigInteger, nullable=False),
        sa.Column("due_at", MOMENT),
        sa.Column("lease_token", ID),
        sa.Column("blocked_at", MOMENT),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("background", sa.Boolean, nullable=False),
        sa.Column("last_version", sa.String(255)),
        sa.Column("last_occurred_at", MOMENT),
        sa.CheckConstraint("head_seq >= 1 AND head_seq <= last_seq + 1", name="lane_head"),
        sa.CheckConstraint("blocked_at IS NULL OR due_at IS NULL", name="lane_blocked_is_not_due"),
        sa.CheckConstraint("lease_token IS NULL OR due_at IS NOT NULL", name="lane_lease_ends"),
    )
    op.create_index("lane_by_subject", "lane", ["destination", "subject"], unique=True)
    _create_partial_index("lane_due", "lane", ["destination", "background", "due_at", "lane_id"], "due_at IS NOT NULL")
    _create_partial_index("lane_blocked", "lane", ["destination", "blocked_at"], "blocked_at IS NOT NULL")


def _deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("lane_id", sa.BigInteger, sa.ForeignKey("lane.lane_id"), primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", ID, nullable=False),
        sa.Column("event_id", ID, sa.ForeignKey("event.id"), nullable=False),
        sa.Column("destination", NAME, nullable=False),
        sa.Column("webhook_id", ID, nullable=False),
        sa.Column("carries", sa.String(6), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        sa.Column("error_class", sa.String(32)),
        sa.Column("superseded_by", ID),
        sa.Column("replay_of", ID),
        sa.Column("replay_id", ID, sa.ForeignKey("replay.id")),
        sa.Column("progress", JSON),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'dead', 'superseded', 'cancelled')", name="delivery_state"
        ),
        sa.CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name="delivery_final_has_an_end"),
        sa.CheckConstraint("seq >= 1 AND attempts >= 0", name="delivery_counts"),
    )
    op.create_index("delivery_by_id", "delivery", ["id"], unique=True)
    op.create_index("delivery_by_event", "delivery", ["event_id"])
    op.create_index("delivery_by_state", "delivery", ["destination", "state", "id"])
    _create_partial_index("delivery_by_replay", "delivery", ["replay_id"], "replay_id IS NOT NULL")


def _attempts() -> None:
    op.create_table(
        "attempt",
        sa.Column("delivery_id", ID, sa.ForeignKey("delivery.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("duration_ms", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("error_class", sa.String(32)),
        sa.Column("answer_excerpt", sa.Text),
        sa.Column("sent_bytes", sa.Integer),
        sa.Column("sent_sha256", sa.String(64)),
        sa.CheckConstraint("number >= 1 AND duration_ms >= 0", name="attempt_counts"),
        sa.CheckConstraint("outcome IN ('delivered', 'retry_later', 'rejected')", name="attempt_outcome"),
    )


def _audit() -> None:
    op.create_table(
        "audit_entry",
        sa.Column("id", ID, primary_key=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("action", NAME, nullable=False),
        sa.Column("subject", SUBJECT, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("details", JSON, nullable=False),
    )
    op.create_index("audit_by_subject", "audit_entry", ["subject", "id"])
    op.create_index("audit_by_action", "audit_entry", ["action", "id"])
    _refuse_changes_of_the_audit()


def _administration() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("person", sa.String(128), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("destination", NAME),
        sa.Column("secret_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("last_used_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.CheckConstraint(
            "role IN ('viewer', 'sender', 'operator', 'auditor', 'approver', 'admin')", name="token_role"
        ),
    )
    op.create_table(
        "destination_state",
        sa.Column("name", NAME, primary_key=True),
        sa.Column("paused_at", MOMENT),
        sa.Column("paused_reason", sa.Text),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("open_until", MOMENT),
        sa.Column("probing", sa.Boolean, nullable=False),
        sa.Column("window_at", MOMENT),
        sa.Column("window_tries", sa.Integer, nullable=False),
        sa.Column("window_failures", sa.Integer, nullable=False),
    )


def _create_partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _refuse_changes_of_the_audit() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    if not sqlite:
        op.execute(
            "CREATE FUNCTION audit_entry_refuses_changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION 'audit_entry is append-only' USING ERRCODE = 'integrity_constraint_violation';"
            " END $$"
        )
    body = (
        "BEGIN SELECT RAISE(ABORT, 'audit_entry is append-only'); END"
        if sqlite
        else "EXECUTE FUNCTION audit_entry_refuses_changes()"
    )
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_entry_refuses_{change.lower()} BEFORE {change} ON audit_entry FOR EACH ROW {body}"
        )
