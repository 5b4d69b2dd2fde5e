"""Every table, typed, with its rules as constraints. It may not hold a query: SQL lives in ledgers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Table, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from bridge.database import Base, Json, JsonOrNothing

Id = String(36)
Name = String(64)
Subject = String(600)


class DataKeyRow(Base):
    """A key that bodies are sealed with: one per subject, and one per source for what has no subject.

    Destroying it is how a person is erased: the row stays and says so, what it had sealed stays unreadable for ever.
    """

    __tablename__ = "data_key"
    __table_args__ = (
        CheckConstraint("(wrapped IS NULL) = (destroyed_at IS NOT NULL)", name="data_key_destroyed"),
        CheckConstraint("(wrapped IS NULL) = (wrapped_by IS NULL)", name="data_key_wrapped_by_somebody"),
        # One key of a scope seals; those that were destroyed before are not in this.
        Index(
            "data_key_alive", "scope", unique=True,
            sqlite_where=text("wrapped IS NOT NULL"), postgresql_where=text("wrapped IS NOT NULL"),
        ),
        Index(
            "data_key_by_secret", "wrapped_by", "id",
            sqlite_where=text("wrapped IS NOT NULL"), postgresql_where=text("wrapped IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    #: The subject, `source:<name>`, or `index:customers`.
    scope: Mapped[str] = mapped_column(Subject)
    #: 32 random bytes under the first of BRIDGE_SECRET_KEY; None: destroyed.
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: Which secret that was: `KeyRing.first` of then.
    wrapped_by: Mapped[str | None] = mapped_column(String(16))
    created_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


class CustomerSubjectRow(Base):
    """Under which subjects a customer is named, so that somebody who asks to be erased is found."""

    __tablename__ = "customer_subject"
    __table_args__ = (Index("customer_by_subject", "subject"),)

    #: A keyed hash of an id, a phone number or an e-mail address; the key is a data key of its own.
    customer: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    subject: Mapped[str] = mapped_column(Subject, primary_key=True)
    #: What the events that name the customer are sealed with: a row goes with its key, never with a later one.
    key_id: Mapped[str] = mapped_column(Id, primary_key=True)


class EventRow(Base):
    """One recorded event: envelope, normalised payload and the raw bytes it came in."""

    __tablename__ = "event"
    __table_args__ = (
        CheckConstraint("state IN ('recorded', 'unreadable')", name="event_state"),
        Index("event_by_subject", "subject", "id"),
        Index("event_by_type", "type", "id"),
        Index("event_by_source", "source", "id"),
        Index(
            "event_unreadable", "id",
            sqlite_where=text("state = 'unreadable'"), postgresql_where=text("state = 'unreadable'"),
        ),
    )  # fmt: skip

    #: UUIDv7, so that the order of ids is the order of recording.
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    #: Name of the source that posted it; `bridge` for facts and commands.
    source: Mapped[str] = mapped_column(Name)
    type: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(Subject)
    #: As sent, as text; None where the event has none.
    version: Mapped[str | None] = mapped_column(String(255))
    occurred_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    #: `unreadable`: verified, but not of its source's format; `errors` says why.
    state: Mapped[str] = mapped_column(String(10), default="recorded")
    #: What `payload` and `body` are sealed with. None: a row of an older version, where both are plain. No foreign key:
    #: without an index on this column every key that is removed would be looked for in the whole table.
    key_id: Mapped[str | None] = mapped_column(Id)
    #: Of a plain row; None where it is sealed, or was overwritten by an erasure.
    payload: Mapped[Any] = mapped_column(JsonOrNothing)
    sealed_payload: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: The exact raw bytes, for re-parsing and for proof; sealed where there is a key.
    body: Mapped[bytes] = mapped_column(LargeBinary)
    #: List of {field, rule, message} of an unreadable event, else None.
    errors: Mapped[Any] = mapped_column(Json, nullable=True)
    #: SHA-256 of source and the sender's delivery id; unique, so that a repeat cannot be recorded.
    delivery_key: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    #: SHA-256 of source and canonical content; unique. Given up after `content_key_until`.
    content_key: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    #: None: the content carries its own version or time and stays unique for as long as the event is kept.
    content_key_until: Mapped[datetime | None]
    #: How often the same event was sent again; only ever rises.
    duplicates: Mapped[int] = mapped_column(default=0)
    correlation_id: Mapped[str | None] = mapped_column(String(255))
    traceparent: Mapped[str | None] = mapped_column(String(64))
    #: Destination whose own command caused this event; it is not sent back there (echo).
    caused_by: Mapped[str | None] = mapped_column(Name)


class LaneRow(Base):
    """(destination, subject): its deliveries go out in the order of `seq`, one at a time."""

    __tablename__ = "lane"
    __table_args__ = (
        CheckConstraint("head_seq >= 1 AND head_seq <= last_seq + 1", name="lane_head"),
        CheckConstraint("blocked_at IS NULL OR due_at IS NULL", name="lane_blocked_is_not_due"),
        CheckConstraint("lease_token IS NULL OR due_at IS NOT NULL", name="lane_lease_ends"),
        Index("lane_by_subject", "destination", "subject", unique=True),
        # One partial index carries every claim: lanes that are empty or blocked, and other destinations, cost nothing.
        Index(
            "lane_due", "destination", "background", "due_at", "lane_id",
            sqlite_where=text("due_at IS NOT NULL"), postgresql_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "lane_blocked", "destination", "blocked_at",
            sqlite_where=text("blocked_at IS NOT NULL"), postgresql_where=text("blocked_at IS NOT NULL"),
        ),
    )  # fmt: skip

    #: Random 62 bit, made by the application.
    lane_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    destination: Mapped[str] = mapped_column(Name)
    subject: Mapped[str] = mapped_column(Subject)
    #: `seq` of the newest delivery; starts at 0, only ever rises; changed by appending.
    last_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    #: `seq` of the delivery whose turn it is; last_seq + 1 when the lane is empty; changed by settling.
    head_seq: Mapped[int] = mapped_column(BigInteger, default=1)
    #: Next try, or while leased the end of the lease: a crashed worker needs no rescuer. None: empty or blocked.
    due_at: Mapped[datetime | None]
    #: New on every claim; every settle is fenced by it. None: nobody holds the lane.
    lease_token: Mapped[str | None] = mapped_column(Id)
    #: Set while a dead head holds the lane (`on_dead = "block"`); lifted by an operator.
    blocked_at: Mapped[datetime | None]
    #: Failed tries of the head in a row, for the wait before the next; 0 when the head moves or a step succeeds.
    attempt: Mapped[int] = mapped_column(default=0)
    #: True while only replays wait here: claimed after live traffic.
    background: Mapped[bool] = mapped_column(default=False)
    #: Version and time of the newest event delivered, for staleness; a delivered END resets both.
    last_version: Mapped[str | None] = mapped_column(String(255))
    last_occurred_at: Mapped[datetime | None]


class DeliveryRow(Base):
    """One event owed to one destination: the outbox row. Moves only by the statements of the outbox's ledger.

    `sending` is not stored: it is a pending head of a lane whose lease runs. All states but `pending` are final, with
    one way back: an operator may release a dead head that still blocks its lane (`outbox.ledger.blocked`).
    """

    __tablename__ = "delivery"
    __table_args__ = (
        CheckConstraint(
            "state IN ('pending', 'delivered', 'dead', 'superseded', 'cancelled')", name="delivery_state"
        ),
        CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name="delivery_final_has_an_end"),
        CheckConstraint("seq >= 1 AND attempts >= 0", name="delivery_counts"),
        Index("delivery_by_id", "id", unique=True),
        Index("delivery_by_event", "event_id"),
        Index("delivery_by_state", "destination", "state", "id"),
        Index(
            "delivery_of_replay", "replay_id", "state", "attempts",
            sqlite_where=text("replay_id IS NOT NULL"), postgresql_where=text("replay_id IS NOT NULL"),
        ),
        # Only deliveries whose newest try failed are in these two.
        Index(
            "delivery_by_error", "error_class", "id",
            sqlite_where=text("error_class IS NOT NULL"), postgresql_where=text("error_class IS NOT NULL"),
        ),
        Index(
            "delivery_failing", "destination", "id",
            sqlite_where=text("error_class IS NOT NULL"), postgresql_where=text("error_class IS NOT NULL"),
        ),
    )  # fmt: skip

    lane_id: Mapped[int] = mapped_column(ForeignKey("lane.lane_id"), primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Id)
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"))
    #: The lane's, kept here too so that lists need no join.
    destination: Mapped[str] = mapped_column(Name)
    #: Sent as `webhook-id` on every try; a replay carries the original's unless a fresh one was asked for.
    webhook_id: Mapped[str] = mapped_column(Id)
    #: How much of the subject the event tells (`events.Carries`): settled at recording, read by coalescing.
    carries: Mapped[str] = mapped_column(String(6))
    state: Mapped[str] = mapped_column(String(10), default="pending")
    #: Tries so far, each with a row in `attempt`; a waiting step is not one.
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    #: HTTP status of the newest try; None where there was no answer.
    last_status: Mapped[int | None]
    #: Masked; what the newest failed try ran into.
    last_error: Mapped[str | None] = mapped_column(Text)
    #: A stable word for the kind of failure: `connect`, `timeout`, `status`, …
    error_class: Mapped[str | None] = mapped_column(String(32))
    #: Id of the delivery that made this one stale.
    superseded_by: Mapped[str | None] = mapped_column(Id)
    #: Id of the delivery that this one repeats.
    replay_of: Mapped[str | None] = mapped_column(Id)
    #: Id of the replay order that made this one.
    replay_id: Mapped[str | None] = mapped_column(ForeignKey("replay.id"))
    #: Durable progress of a command between its steps; None for plain deliveries.
    progress: Mapped[Any] = mapped_column(Json, nullable=True)


class AttemptRow(Base):
    """One try of one delivery: what was sent, what was answered, how long it took."""

    __tablename__ = "attempt"
    __table_args__ = (
        CheckConstraint("number >= 1 AND duration_ms >= 0", name="attempt_counts"),
        CheckConstraint("outcome IN ('delivered', 'retry_later', 'rejected')", name="attempt_outcome"),
    )

    delivery_id: Mapped[str] = mapped_column(ForeignKey("delivery.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    started_at: Mapped[datetime]
    duration_ms: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(12))
    status: Mapped[int | None]
    #: Masked.
    error: Mapped[str | None] = mapped_column(Text)
    error_class: Mapped[str | None] = mapped_column(String(32))
    #: At most 4 KiB of the answer's body, masked.
    answer_excerpt: Mapped[str | None] = mapped_column(Text)
    #: Size and SHA-256 of the request body, so that it can be proved what was sent.
    sent_bytes: Mapped[int | None]
    sent_sha256: Mapped[str | None] = mapped_column(String(64))


#: How the actors begin that are people; the others are what the bridge does all day by itself.
PEOPLE = ("token:", "cli:")
BY_PEOPLE = "substr(actor, 1, 6) = 'token:' OR substr(actor, 1, 4) = 'cli:'"


class AuditEntryRow(Base):
    """Who did what to which subject, when, with which result. Append-only: a trigger refuses changes."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("audit_by_subject", "subject", "id"),
        Index("audit_by_action", "action", "id"),
        # Recording and delivering do not pay for it.
        Index("audit_by_person", "actor", "id", sqlite_where=text(BY_PEOPLE), postgresql_where=text(BY_PEOPLE)),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    #: `genesys`, `token:<id>`, `cli:<user>`, `worker`, or `source:<name>`.
    actor: Mapped[str] = mapped_column(String(128))
    #: `event.recorded`, `delivery.dead`, … (spec: "Audit content by action").
    action: Mapped[str] = mapped_column(Name)
    subject: Mapped[str] = mapped_column(Subject)
    #: Why a person did it, in their words, masked; None where nobody decided.
    reason: Mapped[str | None] = mapped_column(Text)
    #: Masked.
    details: Mapped[Any] = mapped_column(Json)


class AuditSealRow(Base):
    """An audit entry's place in the chain: SHA-256 over the hash before it and the entry's canonical JSON."""

    __tablename__ = "audit_seal"
    __table_args__ = (
        CheckConstraint("position >= 1", name="seal_position"),
        Index("audit_seal_by_entry", "entry_id", unique=True),
    )

    #: Without gaps from 1 on: two workers that seal at once want the same one, and one of them loses.
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    #: No foreign key: an entry that was removed must be missed, not guarded by its seal.
    entry_id: Mapped[str] = mapped_column(Id)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class AuditHeadRow(Base):
    """The signed end of a batch of seals: what cannot be made again without the key."""

    __tablename__ = "audit_head"
    __table_args__ = (CheckConstraint("first >= 1 AND first <= position", name="head_range"),)

    #: Place of the batch's last seal.
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    #: Place of its first.
    first: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime]
    #: Of the last seal.
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    #: Base64, the key that it was signed with: keys change with BRIDGE_SECRET_KEY.
    public_key: Mapped[str] = mapped_column(String(64))
    #: Base64, Ed25519 over `seal.head_statement`.
    signature: Mapped[str] = mapped_column(String(128))


class AuditAnchorRow(Base):
    """Where the chain begins once its oldest entries were archived and removed; the newest row counts."""

    __tablename__ = "audit_anchor"
    __table_args__ = (CheckConstraint("position >= 1", name="anchor_position"),)

    #: Place of the last entry that was removed. The trigger lets entries go up to here and no further.
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    #: Of that entry's seal: what the next one is chained to.
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    #: Base64, as in `audit_head`.
    public_key: Mapped[str] = mapped_column(String(64))
    #: Base64, Ed25519 over `anchor.anchor_statement`: whoever has only the database cannot move it.
    signature: Mapped[str] = mapped_column(String(128))


class RejectionRow(Base):
    """A refused request with its cause; the body only where the sender was verified."""

    __tablename__ = "rejection"
    __table_args__ = (Index("rejection_by_source", "source", "id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    source: Mapped[str] = mapped_column(Name)
    #: A stable word: `signature-missing`, `too-large`, `not-json`, …
    cause: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    #: The peer's address as text.
    address: Mapped[str] = mapped_column(String(64))
    #: Bytes of the body as far as it was read.
    size: Mapped[int]
    #: Of the body. None: there is none, or a row of an older version keeps it plain.
    key_id: Mapped[str | None] = mapped_column(Id)
    body: Mapped[bytes | None] = mapped_column(LargeBinary)


class ApiTokenRow(Base):
    """One bearer token `gbr_<id>_<secret>`; only a hash of the secret is kept."""

    __tablename__ = "api_token"
    __table_args__ = (
        CheckConstraint("role IN ('viewer', 'sender', 'operator', 'auditor', 'approver', 'admin')", name="token_role"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Name)
    #: Whose token it is: two persons means two different values here.
    person: Mapped[str] = mapped_column(String(128))
    role: Mapped[str] = mapped_column(String(16))
    #: For a `sender`: the destination whose commands it gives (echo suppression).
    destination: Mapped[str | None] = mapped_column(Name)
    #: SHA-256 of the secret, which has 256 random bits and so needs no slow hash.
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class ConsoleSessionRow(Base):
    """Somebody signed in to the console: ended by deleting it. Who they are and what they may, their token says."""

    __tablename__ = "console_session"

    #: SHA-256 of the secret in the browser's cookie, which has 256 random bits.
    id_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    token_id: Mapped[str] = mapped_column(ForeignKey("api_token.id"))
    opened_at: Mapped[datetime]
    #: The last request, noted at most once a minute.
    seen_at: Mapped[datetime]


class DestinationStateRow(Base):
    """What workers and operators share about a destination; absent means active and closed."""

    __tablename__ = "destination_state"

    name: Mapped[str] = mapped_column(Name, primary_key=True)
    #: Set while an operator, a 410 or the configuration has paused it.
    paused_at: Mapped[datetime | None]
    paused_reason: Mapped[str | None] = mapped_column(Text)
    #: Tries in a row that found the receiver unreachable or failing, over all workers.
    failures: Mapped[int] = mapped_column(default=0)
    #: The breaker: None closed; in the future open; in the past half-open, the next claim is one delivery as a probe.
    open_until: Mapped[datetime | None]
    #: True while a probe is out: its result closes the breaker or opens it again.
    probing: Mapped[bool] = mapped_column(default=False)
    #: Tries, and failed tries, of the minute that began at `window_at`: the breaker's second measure.
    window_at: Mapped[datetime | None]
    window_tries: Mapped[int] = mapped_column(default=0)
    window_failures: Mapped[int] = mapped_column(default=0)


class ReplayRow(Base):
    """An administrator's order to send again what a filter selects; carried out step by step by a worker."""

    __tablename__ = "replay"
    __table_args__ = (
        CheckConstraint("mode IN ('latest', 'every')", name="replay_mode"),
        CheckConstraint("state IN ('running', 'paused', 'completed', 'cancelled')", name="replay_state"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    #: `token:<id>` or `cli:<user>`.
    created_by: Mapped[str] = mapped_column(String(128))
    reason: Mapped[str] = mapped_column(Text)
    #: The filter as ordered, with `until` fixed at creation so that the selection cannot grow.
    filter: Mapped[Any] = mapped_column(Json)
    mode: Mapped[str] = mapped_column(String(6))
    #: Deliveries per second at most.
    rate: Mapped[float]
    state: Mapped[str] = mapped_column(String(10))
    #: Deliveries that it makes: counted when it was ordered, less by each row that another replay took first.
    matched: Mapped[int] = mapped_column(default=0)
    #: Id of the replay (or `single`) that was sending a selected row already → how many such rows; not in `matched`.
    skipped_for: Mapped[Any] = mapped_column(Json, nullable=True)
    #: Older versions that the mode `latest` does not send; not in `matched`.
    left_out: Mapped[int] = mapped_column(default=0, server_default="0")
    #: What became of its deliveries, counted when the last of them ended, because retention forgets them; else None.
    tally: Mapped[Any] = mapped_column(Json, nullable=True)
    #: Where the walk stands: the id of the last row looked at, None before the first.
    cursor: Mapped[str | None] = mapped_column(Id)
    #: When the walk may go on: keeps the rate and keeps two workers apart. None: everything is in its lanes. Of a
    #: cancelled one: when the next of its deliveries are cancelled, until `finished_at` says that none is left.
    due_at: Mapped[datetime | None]


class OpenMergeRow(Base):
    """An interaction that an open merge holds: no second merge may name it until the first has ended."""

    __tablename__ = "open_merge"
    __table_args__ = (Index("open_merge_by_command", "command_id"),)

    interaction_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    #: Id of the command (an event) that holds it.
    command_id: Mapped[str] = mapped_column(ForeignKey("event.id"))


class PurgeRow(Base):
    """A purge: a plan first, a command once a second person has approved it."""

    __tablename__ = "purge"
    __table_args__ = (
        CheckConstraint("state IN ('awaiting_approval', 'approved', 'cancelled')", name="purge_state"),
        CheckConstraint("(state = 'approved') = (command_id IS NOT NULL)", name="purge_approved_is_a_command"),
        CheckConstraint("range_start < range_end", name="purge_range"),
        Index("purge_by_type", "interaction_type", "range_start"),
        Index("purge_by_command", "command_id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    state: Mapped[str] = mapped_column(String(20))
    #: The policy as planned: the body of the command.
    policy: Mapped[Any] = mapped_column(Json)
    #: From the policy, for the search for overlaps; the range is aware.
    interaction_type: Mapped[str] = mapped_column(String(32))
    range_start: Mapped[datetime]
    range_end: Mapped[datetime]
    planned_at: Mapped[datetime]
    #: Person, not token: two persons means two different values of these two.
    planner: Mapped[str] = mapped_column(String(128))
    approver: Mapped[str | None] = mapped_column(String(128))
    approved_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    #: The command that carries it out; its state is the purge's from then on.
    command_id: Mapped[str | None] = mapped_column(ForeignKey("event.id"))


class PurgeKeyRow(Base):
    """The Idempotency-Key under which a purge was planned: asked for again, it is the same one."""

    __tablename__ = "purge_key"

    #: SHA-256 of the asker and their key.
    asked_key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    #: SHA-256 of what was asked under it.
    asked_content: Mapped[bytes] = mapped_column(LargeBinary(32))
    purge_id: Mapped[str] = mapped_column(ForeignKey("purge.id"))


class LegalHoldRow(Base):
    """A legal hold that an administrator placed; what it names may not be destroyed until somebody releases it."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        CheckConstraint(
            "CASE WHEN subject IS NULL THEN 0 ELSE 1 END + CASE WHEN customer_shown IS NULL THEN 0 ELSE 1 END"
            " + CASE WHEN interaction_type IS NULL THEN 0 ELSE 1 END = 1",
            name="hold_names_one_thing",
        ),
        CheckConstraint(
            "(sealed_customer IS NOT NULL) = (customer_shown IS NOT NULL AND released_at IS NULL)", name="hold_customer"
        ),
        CheckConstraint(
            "(interaction_type IS NULL) = (range_start IS NULL) AND (interaction_type IS NULL) = (range_end IS NULL)",
            name="hold_type_has_a_range",
        ),
        CheckConstraint("range_start IS NULL OR range_start < range_end", name="hold_range"),
        CheckConstraint(
            "(released_at IS NULL) = (released_by IS NULL) AND (released_at IS NULL) = (release_reason IS NULL)",
            name="hold_release_is_whole",
        ),
        Index(
            "hold_in_force", "id",
            sqlite_where=text("released_at IS NULL"), postgresql_where=text("released_at IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    #: Exactly one of subject, customer and type is held.
    subject: Mapped[str | None] = mapped_column(Subject)
    #: Encrypted; bodies are matched with it. Gone with the release, when nothing is matched any more.
    sealed_customer: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: Masked; stays.
    customer_shown: Mapped[str | None] = mapped_column(String(300))
    interaction_type: Mapped[str | None] = mapped_column(String(32))
    range_start: Mapped[datetime | None]
    #: Not within the range any more.
    range_end: Mapped[datetime | None]
    #: Masked.
    reason: Mapped[str] = mapped_column(Text)
    #: `token:<id>` or `cli:<user>`.
    placed_by: Mapped[str] = mapped_column(String(128))
    placed_at: Mapped[datetime]
    released_by: Mapped[str | None] = mapped_column(String(128))
    released_at: Mapped[datetime | None]
    #: Masked.
    release_reason: Mapped[str | None] = mapped_column(Text)


class ChoreRow(Base):
    """A chore that one worker does at a time: whose turn it is, and how far it is."""

    __tablename__ = "chore"

    name: Mapped[str] = mapped_column(Name, primary_key=True)
    #: When it may be taken: the next run, or while somebody does it the end of their lease, so that a crashed worker
    #: needs no rescuer.
    due_at: Mapped[datetime]
    #: New on every taking; every write of the chore is fenced by it. None: nobody does it.
    lease_token: Mapped[str | None] = mapped_column(Id)
    #: When a run was last brought to its end.
    done_at: Mapped[datetime | None]
    #: What the run has to remember, kept with every write so that another worker goes on from there.
    progress: Mapped[Any] = mapped_column(Json, nullable=True)


def core(row: type[Base]) -> Table:
    """The Core table behind a row class: what ledgers build their statements on, free of ORM state."""
    return cast(Table, row.__table__)
