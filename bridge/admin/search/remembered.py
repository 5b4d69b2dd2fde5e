"""What is dear to count is counted rarely, and nobody waits for it twice. It may not know what is counted.

A look that takes a millisecond is taken every time. One that takes a second (a million rows) is kept for a while, and
then taken again behind the back of whoever asks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bridge.clock import Clock

T = TypeVar("T")

#: What a look gave is kept for so many times as long as it took: looking takes a twentieth of the time at most.
KEPT_TIMES = 20
#: A look that takes no longer is waited for.
QUICK_SECONDS = 0.02
#: Nobody is shown what is older: after a pause the first one waits.
STALE_SECONDS = 60.0

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class _Seen(Generic[T]):
    value: T
    #: On the monotonic clock, when the look began.
    at: float
    took: float


class Remembered(Generic[T]):
    """What `look` gives, which opens what it needs by itself. Safe for threads."""

    def __init__(self, look: Callable[[], T], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._lock = threading.Lock()
        self._looking = False
        self._seen: _Seen[T] | None = None

    def get(self) -> T:
        """What was seen last, or what is seen now. Raises what `look` raises, if it is waited for."""
        with self._lock:
            seen = self._seen
            if seen is not None:
                age = self._clock.monotonic() - seen.at
                if age < seen.took * KEPT_TIMES:
                    return seen.value
                if seen.took > QUICK_SECONDS and age < STALE_SECONDS:
                    self._look_behind()
                    return seen.value
            self._seen = self._taken()  # whoever else asks waits here for the same look
            return self._seen.value

    def _taken(self) -> _Seen[T]:
        began = self._clock.monotonic()
        value = self._look()
        return _Seen(value=value, at=began, took=self._clock.monotonic() - began)

    def _look_behind(self) -> None:
        if not self._looking:
            self._looking = True
            threading.Thread(target=self._run, name="look", daemon=True).start()

    def _run(self) -> None:
        seen = None
        try:
            seen = self._taken()
        except SQLAlchemyError as error:  # the next one who asks looks again, or is told
            log.warning("look.failed", error=type(error).__name__)
        finally:
            with self._lock:
                self._looking = False
                self._seen = seen or self._seen
