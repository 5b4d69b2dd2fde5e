"""Which formats there are. It may not know what any of them looks like."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from bridge.errors import ConfigurationError
from bridge.events import Event

#: A third party's package names its `Format` object in this group.
ENTRY_POINT_GROUP = "bridge.formats"


class Format(Protocol):
    """How the documents of one kind of sender are read."""

    def parse(self, document: object, *, source: str) -> list[Event]:
        """The events in `document` (JSON values), at least one, with their keys for the source's name.

        Raises Invalid naming every field that is wrong; never anything else, whatever the document.
        """
        ...


@runtime_checkable
class Discerning(Protocol):
    """A format that can tell what of a document it drops; one that keeps all of it need not."""

    def unread(self, document: object) -> list[str]:
        """Dotted paths of the fields in `document`, which it can read, that nobody will hear of."""
        ...


_formats: dict[str, Format] = {}


def register(name: str, wire_format: Format) -> None:
    """Make `wire_format` known as `name`; each format's module does so when it is imported."""
    _formats[name] = wire_format


def find_format(name: str) -> Format:
    """The format called `name`: one that ships, else an installed one. Raises ConfigurationError."""
    if name in _formats:
        return _formats[name]
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        installed: Format = point.load()
        return installed
    raise ConfigurationError(
        [f"format: {name} is not known; use one of {', '.join(format_names())}, or install the package that has it"]
    )


def format_names() -> list[str]:
    """Every name that `find_format` knows."""
    return sorted({*_formats, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})
