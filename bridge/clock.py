"""Now and new ids; nobody else asks the time. It may not know the database (see `database.DatabaseClock`)."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Protocol

from uuid_utils import uuid7


class Clock(Protocol):
    """What everything that needs the time is handed."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never run backwards: for deadlines within one process."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def new_id() -> str:
    """A fresh UUIDv7 as text: sorts by the time it was made (RFC 9562, section 5.7)."""
    return str(uuid7())


def new_lane_id() -> int:
    """A fresh random positive 62-bit number: no sequence, so that any number of writers can make one."""
    return secrets.randbits(62)


def rfc3339(moment: datetime) -> str:
    """`moment` (aware) as RFC 3339 in UTC with a trailing Z, to the microsecond where it has any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
