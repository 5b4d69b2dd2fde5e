"""Retry arithmetic: pure functions of (failures, now, random, outcome). It may not ask the time or know a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from bridge.outbox.contract import (
    ClaimedDelivery,
    Delivered,
    DeliveryPolicy,
    Outcome,
    Rejected,
    RetryLater,
    Waiting,
)

#: Whatever a receiver asks for, it is heard again within the hour (spec 5, "What an answer means").
MAX_RETRY_AFTER = timedelta(hours=1)
#: A credential, a route or a lock is mended by a person: the first wait is that long.
SLOW_BASE_SECONDS = 60.0


class State(StrEnum):
    """The states that are stored; all but the first are final, and only `ledger.blocked` takes one of them back."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an outcome makes of a delivery. `due_at` (aware, UTC) is set exactly while it stays pending."""

    state: State
    due_at: datetime | None = None
    error: str | None = None
    error_class: str | None = None


def decide(outcome: Outcome, delivery: ClaimedDelivery, policy: DeliveryPolicy, now: datetime, rng: Random) -> Verdict:
    """The whole policy on one screen: the state that follows from an outcome, and when it is due again."""
    match outcome:
        case Delivered():
            return Verdict(state=State.DELIVERED)
        case Waiting(wait=wait):
            return Verdict(state=State.PENDING, due_at=now + wait)
        case Rejected(reason=reason, error_class=kind):
            return Verdict(state=State.DEAD, error=reason, error_class=kind)
        case RetryLater(reason=reason, error_class=kind) if spent := _spent(delivery, policy, now):
            return Verdict(state=State.DEAD, error=f"gave up {spent}: {reason}", error_class=kind)
        case RetryLater(reason=reason, error_class=kind, retry_after=retry_after, slow=slow):
            wait = backoff(delivery.failures + 1, policy, rng, slow=slow)
            not_before = min(retry_after or timedelta(0), MAX_RETRY_AFTER)
            return Verdict(state=State.PENDING, due_at=now + max(wait, not_before), error=reason, error_class=kind)


def backoff(failures: int, policy: DeliveryPolicy, rng: Random, *, slow: bool = False) -> timedelta:
    """The wait after that many failed tries in a row: exponential, capped, jittered between half and whole."""
    base = max(policy.retry_base, SLOW_BASE_SECONDS) if slow else policy.retry_base
    exponent = min(failures - 1, 62)  # 2.0 ** 1024 would overflow; the cap is reached long before
    whole = min(base * 2.0**exponent, policy.retry_cap)
    return timedelta(seconds=whole * (0.5 + rng.random() / 2))


def _spent(delivery: ClaimedDelivery, policy: DeliveryPolicy, now: datetime) -> str | None:
    if policy.max_attempts and delivery.failures + 1 >= policy.max_attempts:
        return f"after {delivery.failures + 1} tries"
    if now - delivery.created_at >= policy.max_age:
        return f"after {_hours(policy.max_age)}"
    return None


def _hours(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:g} hours" if hours >= 1 else f"{age.total_seconds():g} seconds"
