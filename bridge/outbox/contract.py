"""What the dispatcher and a destination say to each other. It may not know a table or a wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from bridge.audit.notes import AuditEntry
from bridge.events import Event, RecordedEvent


@dataclass(frozen=True, kw_only=True)
class ClaimedDelivery:
    """A delivery that this worker holds a lease on, with everything that a try needs."""

    lane_id: int
    seq: int
    #: Fences the settle.
    token: str
    #: Aware, on the database's clock; no try may begin that could end after it.
    lease_until: datetime
    delivery_id: str
    #: The same over all tries and replays.
    webhook_id: str
    #: Number of this try over the life of the delivery: 1 for the first.
    attempt: int
    #: Failed tries in a row before this one: what the wait after the next failure is counted from.
    failures: int
    created_at: datetime
    destination: str
    event: RecordedEvent
    #: False where the lane delivered something newer already (only possible where stale events are sent).
    is_newest: bool = True
    #: What an earlier step stored (`Waiting.progress`), else None.
    progress: Mapping[str, object] | None = None
    #: What comes of it instead of a try: its event, whose payload is empty here, could not be opened.
    unopened: RetryLater | Rejected | None = None


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What one try sent and was answered; everything in it is masked already."""

    status: int | None = None
    #: At most 4 KiB.
    answer_excerpt: str | None = None
    sent_bytes: int | None = None
    #: Hex.
    sent_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """The receiver has it. `facts` are recorded in the settling transaction."""

    exchange: Exchange = Exchange()
    facts: tuple[Event, ...] = ()
    #: Written in the settling transaction, beside the entry that says that it was delivered.
    notes: tuple[AuditEntry, ...] = ()
    #: What a finished command leaves behind, stored as the delivery's progress; None leaves it as it is.
    progress: Mapping[str, object] | None = None


@dataclass(frozen=True, kw_only=True)
class RetryLater:
    """It did not work now. `reason` is masked; `error_class` is a stable word (`connect`, `timeout`, `status`, …)."""

    reason: str
    error_class: str
    exchange: Exchange = Exchange()
    #: Not before that long from now (Retry-After, sane values only).
    retry_after: timedelta | None = None
    #: True where a person has to mend something first (401, 403, 404, 409, 423): a slower schedule, an alert.
    slow: bool = False
    progress: Mapping[str, object] | None = None


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A step is done and the next is due later: no failed attempt; `progress` is stored."""

    progress: Mapping[str, object]
    wait: timedelta
    exchange: Exchange = Exchange()


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """It will never work: dead at once."""

    reason: str
    error_class: str
    exchange: Exchange = Exchange()
    #: True for 410: nobody is there any more, so the destination is paused.
    pause: bool = False
    facts: tuple[Event, ...] = ()
    notes: tuple[AuditEntry, ...] = ()
    progress: Mapping[str, object] | None = None


Outcome = Delivered | RetryLater | Waiting | Rejected


@dataclass(frozen=True, kw_only=True)
class DeliveryPolicy:
    """How the outbox treats one destination; durations are seconds unless typed."""

    #: First wait and longest wait between tries.
    retry_base: float = 1.0
    retry_cap: float = 3600.0
    #: Failed tries until dead; 0: no limit.
    max_attempts: int = 0
    #: Age at which a failing delivery is dead.
    max_age: timedelta = timedelta(hours=72)
    #: Total deadline of one try; a try only starts while the lease lasts longer than this.
    timeout: float = 10.0
    lease: timedelta = timedelta(seconds=30)
    #: Tries at once, per worker process.
    max_in_flight: int = 16
    #: Tries per second at most, per worker process; None: no limit.
    rate: float | None = None
    #: Failures in a row that open the breaker, and how many seconds it then stays open.
    breaker_failures: int = 10
    breaker_cooldown: float = 30.0
    #: `stale = "skip"`: coalesce events that carry state, never send an older version.
    skip_stale: bool = False
    #: `on_dead = "block"`: a dead head holds its lane.
    block_on_dead: bool = False
    #: How long a dead head may hold its lane.
    max_block: timedelta = timedelta(hours=24)


class Destination(Protocol):
    """Somebody we owe events to, as the dispatcher sees them."""

    @property
    def name(self) -> str: ...

    @property
    def policy(self) -> DeliveryPolicy: ...

    def send(self, delivery: ClaimedDelivery) -> Outcome:
        """Try once, within `policy.timeout`. Returns the outcome; raises only on a programming error."""
        ...
