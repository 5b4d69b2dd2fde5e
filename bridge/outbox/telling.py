"""After the commit: what listeners, logs and people should know of the results. It may not touch the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from bridge import signals
from bridge.outbox.contract import Delivered, Outcome, Rejected, RetryLater, Waiting
from bridge.outbox.ledger.settle import Settlement
from bridge.outbox.retry import State

log = structlog.get_logger()

_NAMES: Mapping[type[Outcome], str] = {
    Delivered: "delivered",
    RetryLater: "retry_later",
    Waiting: "waiting",
    Rejected: "rejected",
}


@dataclass(frozen=True, kw_only=True)
class Attention:
    #: A stable word, the key by which alerts are grouped.
    cause: str
    #: One masked sentence.
    message: str


def tell(results: Iterable[Settlement], *, lost: set[str], opened: Iterable[str]) -> None:
    """Send the signals of `results`. `lost` holds the ids of deliveries whose lease was lost, `opened` the names of
    destinations whose breaker opened."""
    for name in opened:
        message = "the breaker is open: deliveries wait, and one at a time tries whether it is back"
        signals.needs_attention.send(tell, cause="breaker.open", destination=name, subject=None, message=message)
    for one in results:
        delivery = one.delivery
        if delivery.delivery_id in lost:
            log.warning("lease.lost", delivery=delivery.delivery_id, destination=delivery.destination)
            continue
        signals.delivery_settled.send(
            tell,
            destination=delivery.destination,
            outcome=_NAMES[type(one.outcome)],
            seconds=one.duration_ms / 1000,
            settlement=one,
        )
        attention = attention_for(one)
        if attention is not None:
            signals.needs_attention.send(
                tell,
                cause=attention.cause,
                destination=delivery.destination,
                subject=delivery.event.subject,
                message=attention.message,
                event_type=delivery.event.type,
                delivery=delivery.delivery_id,
            )


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
