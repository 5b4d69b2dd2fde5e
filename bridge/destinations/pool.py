"""Kept-alive connections that wait for their next request. It may not open one or send on one."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable

from bridge.destinations.connections import Connection
from bridge.destinations.wire import Target

#: Shorter than the keep-alive and idle times that servers, load balancers and firewalls are usually set to (60 s).
IDLE_SECONDS = 45.0
#: After that a name is resolved, and checked, anew: a destination that has moved is found within this time.
LIFETIME_SECONDS = 300.0


class ConnectionPool:
    """Idle connections by origin, youngest first out; at most `limit` per origin. Safe for threads."""

    def __init__(self, *, limit: int, now: Callable[[], float]) -> None:
        self._limit = limit
        self._now = now
        self._lock = threading.Lock()
        self._idle: defaultdict[tuple[str, str, int], list[Connection]] = defaultdict(list)
        self._closed = False

    def take(self, target: Target) -> Connection | None:
        """An idle connection to `target` that its peer has not closed, now the caller's; None: there is none."""
        origin = _origin(target)
        while True:
            with self._lock:
                idle = self._idle[origin]
                if not idle:
                    return None
                connection = idle.pop()
            if self._is_fresh(connection) and connection.is_quiet():
                return connection
            connection.close()

    def give(self, target: Target, connection: Connection) -> None:
        """Keep `connection` for later, or close it where there are enough."""
        connection.used_at = self._now()
        surplus: list[Connection] = []
        with self._lock:
            idle = self._idle[_origin(target)]
            while idle and not self._is_fresh(idle[0]):
                surplus.append(idle.pop(0))
            if self._closed or len(idle) >= self._limit:
                surplus.append(connection)
            else:
                idle.append(connection)
        for each in surplus:
            each.close()

    def close(self) -> None:
        """Close what is idle, and from now on whatever is given back."""
        with self._lock:
            self._closed = True
            idle = [connection for waiting in self._idle.values() for connection in waiting]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _is_fresh(self, connection: Connection) -> bool:
        now = self._now()
        return now - connection.used_at < IDLE_SECONDS and now - connection.opened_at < LIFETIME_SECONDS


def _origin(target: Target) -> tuple[str, str, int]:
    return target.scheme, target.host, target.port
