"""What was asked of the sandbox lately, and how often. It may not keep bodies or credentials."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from bridge.sandbox.model import wire_time

MOST_PATHS = 2000
ELSEWHERE = "(other paths)"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request and what became of it."""

    at: datetime
    method: str
    path: str
    #: None: hung up without an answer.
    status: int | None
    milliseconds: float
    correlation_id: str
    idempotency_key: str | None
    #: The kinds of fault that hit it.
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        return {
            "at": wire_time(self.at),
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "milliseconds": round(self.milliseconds, 1),
            "correlationId": self.correlation_id,
            "idempotencyKey": self.idempotency_key,
            "faults": list(self.faults),
        }


class Journal:
    """Counters per method and path, and the newest requests."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, Counter[str]] = {}
        self._newest: deque[Asked] = deque(maxlen=100)

    def add(self, asked: Asked) -> None:
        key = f"{asked.method} {asked.path}"
        answered = "dropped" if asked.status is None else str(asked.status)
        with self._lock:
            if key not in self._counts and len(self._counts) >= MOST_PATHS:
                key = ELSEWHERE
            self._counts.setdefault(key, Counter())[answered] += 1
            self._newest.appendleft(asked)

    def clear(self) -> None:
        with self._lock:
            self._counts.clear()
            self._newest.clear()

    def counts(self) -> dict[str, object]:
        """`{"GET /path": {"count": 3, "answers": {"200": 2, "dropped": 1}}}`."""
        with self._lock:
            return {
                key: {"count": answers.total(), "answers": dict(answers)}
                for key, answers in sorted(self._counts.items())
            }

    def newest(self) -> list[dict[str, object]]:
        """Newest first."""
        with self._lock:
            return [asked.as_json() for asked in self._newest]
