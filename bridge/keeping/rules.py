"""Until when what is old enough to be forgotten. Pure: it may not know a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from bridge.settings.model import RetentionSettings

T = TypeVar("T")

#: How far the order of ids (clocks of the writers) and the order of times (clock of the database) may differ.
SLACK = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Until:
    """The newest moment (aware) of each kind that is old enough."""

    delivered: datetime
    dead: datetime
    rejections: datetime
    audit: datetime

    @property
    def events(self) -> datetime:
        """What came in later cannot be old enough by any rule."""
        return max(self.delivered, self.dead)


def until(settings: RetentionSettings, now: datetime) -> Until:
    def before(days: int) -> datetime:
        return now - timedelta(days=days)

    return Until(
        delivered=before(settings.delivered_days),
        dead=before(settings.dead_days),
        rejections=before(settings.rejections_days),
        audit=before(settings.audit_days),
    )


def is_beyond(moment: datetime, limit: datetime, now: datetime) -> bool:
    """Whether, in the order of ids, nothing after `moment` is as old as `limit`.

    What says that it came in the future tells nothing: a clock was wrong.
    """
    return limit + SLACK < moment <= now


def in_batches(things: Iterable[T], weight: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """`things` in their order, so many at once that they weigh `most` together, or one that weighs more."""
    batch: list[T] = []
    weighs = 0
    for thing in things:
        if batch and weighs + weight(thing) > most:
            yield batch
            batch, weighs = [], 0
        batch.append(thing)
        weighs += weight(thing)
    if batch:
        yield batch
