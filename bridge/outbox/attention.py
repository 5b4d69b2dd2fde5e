"""Which results a person should hear of. Pure; it may not send anything."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.outbox.contract import Rejected, RetryLater
from bridge.outbox.ledger.settle import Settlement
from bridge.outbox.retry import State


@dataclass(frozen=True, kw_only=True)
class Attention:
    #: A stable word, the key by which alerts are grouped.
    cause: str
    #: One masked sentence.
    message: str


def attention_for(one: Settlement) -> Attention | None:
    """A delivery that died, a destination that is gone, or one that a person has to mend; else None."""
    error = one.verdict.error or ""
    if isinstance(one.outcome, Rejected) and one.outcome.pause:
        return Attention(cause="destination.paused", message=f"paused: {error}")
    if one.verdict.state is State.DEAD:
        cause = "lane.blocked" if one.block_on_dead else "delivery.dead"
        return Attention(cause=cause, message=error)
    if isinstance(one.outcome, RetryLater) and one.outcome.slow and one.delivery.failures == 0:
        return Attention(cause="destination.refuses", message=error)
    return None
