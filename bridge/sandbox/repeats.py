"""Answers kept per `X-Genesys-Idempotency-Key`, so that a repeat is answered and not done again. It may not know
what is done."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import RLock

MOST_KEPT = 10_000

#: Status and body.
Answer = tuple[int, dict[str, object]]


class Repeats:
    """Keeps what succeeded; what was refused may be tried again under the same key."""

    def __init__(self, lock: RLock) -> None:
        # The world's lock: two requests of one key at once must not both find nothing.
        self._lock = lock
        self._kept: OrderedDict[tuple[str, str], Answer] = OrderedDict()

    def once(self, place: str, key: str | None, do: Callable[[], Answer]) -> tuple[Answer, bool]:
        """The answer of `do`, or the one it gave before for this place and key; and whether it is a repeat."""
        if key is None:
            return do(), False
        with self._lock:
            known = self._kept.get((place, key))
            if known is not None:
                return known, True
            answer = self._kept[place, key] = do()
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
            return answer, False

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
