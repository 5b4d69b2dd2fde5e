"""Slows down whoever tries wrong tokens, per address. It may not refuse a right token: nobody is locked out."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict

from bridge.clock import Clock
from bridge.intake.bucket import TokenBucket

#: Wrong tokens that one address may try at once, and how many it gets back per second.
BURST = 10.0
PER_SECOND = 0.125
#: Addresses remembered; beyond it the one that was quiet for longest is forgotten.
MAX_ADDRESSES = 10_000


class WrongTokens:
    """What wrong tokens came from where lately, in this process's memory. Safe for threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        #: By address, the quietest first.
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def count(self, address: str) -> int:
        """Count one from `address`: 0 while it has tries left, else the whole seconds until it has one again."""
        with self._lock:
            bucket = self._buckets.pop(address, None)
            if bucket is None:
                bucket = TokenBucket(rate=PER_SECOND, burst=BURST, clock=self._clock)
            self._buckets[address] = bucket
            if len(self._buckets) > MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        return math.ceil(bucket.take())
