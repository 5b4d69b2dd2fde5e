"""Reads JSON bodies and collects every violation before it refuses. It may not know what the fields mean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from bridge.sandbox.refusals import Problem, bad_request

T = TypeVar("T")
#: What stands for a time that could not be read.
NOWHEN = datetime.min.replace(tzinfo=UTC)


class Fields:
    """One JSON object. A reader that finds a violation notes it and gives an empty value back; `check` raises
    what was noted, so call it before using anything."""

    def __init__(self, body: Mapping[str, object], *, path: str = "", noted: list[Problem] | None = None) -> None:
        self._body = body
        self._path = path
        self._noted: list[Problem] = [] if noted is None else noted

    def refuse(self, name: str, code: str, message: str) -> None:
        """Note that `name` is wrong; once, however often it is read."""
        problem = Problem(field=self._path + name, code=code, message=message)
        if problem not in self._noted:
            self._noted.append(problem)

    def check(self) -> None:
        """Raises `Refused` (400) naming everything that was noted."""
        if self._noted:
            raise bad_request(self._noted)

    def has(self, name: str) -> bool:
        return self._body.get(name) is not None

    def only(self, names: Collection[str]) -> None:
        """Note every key that is not among `names`."""
        for name in sorted(set(self._body) - set(names)):
            self.refuse(name[:64], "unknown", f"unknown, known are {', '.join(sorted(names))}")

    def text(self, name: str, *, least: int = 1, most: int = 255, among: Collection[str] | None = None) -> str:
        """A required string of `least` to `most` characters, one of `among` where that is given."""
        value = self._body.get(name)
        if not isinstance(value, str) or not least <= len(value) <= most:
            self.refuse(name, "invalid", f"a string of {least} to {most} characters is required")
        elif among is not None and value not in among:
            self.refuse(name, "invalid", f"must be one of {', '.join(among)}")
        else:
            return value
        return ""

    def number(self, name: str, *, least: float, most: float, default: float | None = None) -> float:
        """A number from `least` to `most`; required unless there is a default."""
        value = self._body.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self.refuse(name, "invalid", f"a number from {least:g} to {most:g} is required")
            return least
        return value

    def integer(self, name: str, *, least: int = 0, most: int = 2**63 - 1, default: int | None = None) -> int:
        value = self._body.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.refuse(name, "invalid", f"an integer from {least} to {most} is required")
            return least
        return value

    def moment(self, name: str) -> datetime:
        """A required ISO 8601 time with a zone."""
        found = read_moment(self._body.get(name))
        if found is None:
            self.refuse(name, "invalid", "an ISO 8601 date-time with a zone is required")
            return NOWHEN
        return found

    def mapping(self, name: str, *, required: bool = True) -> dict[str, object]:
        value = self._body.get(name)
        if value is None and not required:
            return {}
        if not isinstance(value, dict):
            self.refuse(name, "invalid", "an object is required")
            return {}
        return value

    def inside(self, name: str, *, required: bool = True) -> Fields:
        """The object `name`, read with the same notes."""
        body = self.mapping(name, required=required)
        return Fields(body, path=f"{self._path}{name}.", noted=self._noted)

    def each(self, name: str, read: Callable[[Fields], T], *, least: int = 1, most: int = 100) -> list[T]:
        """What `read` makes of every object in the list `name`."""
        value = self._body.get(name)
        if not isinstance(value, list) or not least <= len(value) <= most:
            self.refuse(name, "invalid", f"a list of {least} to {most} objects is required")
            return []
        made = []
        for index, entry in enumerate(value):
            if isinstance(entry, dict):
                made.append(read(Fields(entry, path=f"{self._path}{name}[{index}].", noted=self._noted)))
            else:
                self.refuse(f"{name}[{index}]", "invalid", "an object is required")
        return made


def read_moment(value: object) -> datetime | None:
    """`value` as an aware time, None where it is not ISO 8601 with a zone."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
