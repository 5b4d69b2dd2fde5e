"""A list that goes on: what is new appears as it comes, a line each, until Ctrl-C. It may not change anything.

Looks at the newest rows again and again, by their ids. An id is older than its commit, so a row may come to be seen
behind one that was printed already: each look goes back over the last seconds, and what was printed is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar
from uuid import UUID

import click
import orjson

from bridge.admin.search.pages import MAX_LIMIT, Page, PageRequest, read_cursor
from bridge.cli.printing import Columns, cells_of
from bridge.lists.spans import first_id

LOOK_SECONDS = 1.0
#: Longer than a transaction is open, and than the clocks of the writers differ.
OVERLAP_MS = 10_000
_AT_ONCE = 200

T = TypeVar("T")


class Newest(Generic[T]):
    """Called again and again: the newest `first` rows of a list, then what it has got since, always oldest first.

    `page` gives a page of the list `listed`, newest first; `id_of` the id (UUIDv7) by which it is ordered.
    """

    def __init__(
        self, listed: str, page: Callable[[PageRequest], Page[T]], id_of: Callable[[T], str], *, first: int
    ) -> None:
        self._listed = listed
        self._page = page
        self._id_of = id_of
        self._first = first
        #: Down to here every look reads again; only ever rises. None: nobody has looked yet.
        self._floor: str | None = None
        self._seen: set[str] = set()

    def __call__(self) -> list[T]:
        if self._floor is None:
            return self._begin()[::-1]
        return self._since(self._floor)[::-1]

    def _begin(self) -> list[T]:
        """All that is there now is known from now on; only the newest of it are given."""
        found: list[T] = []
        floors: list[str] = []
        for rows, floor in self._pages(MAX_LIMIT):
            found += rows
            floors.append(floor)
            if len(found) >= self._first:
                break
        self._remember(found, floors[0])
        return found[: self._first]

    def _since(self, floor: str) -> list[T]:
        found: list[T] = []
        for rows, place in self._pages(_AT_ONCE):
            found += [row for row in rows if self._id_of(row) >= floor]
            if place <= floor:
                break
        new = [row for row in found if self._id_of(row) not in self._seen]
        self._remember(found, floor)
        return new

    def _pages(self, limit: int) -> Iterator[tuple[list[T], str]]:
        """The pages of the list, each with the id down to which it looked; "": to the end. They may be empty."""
        before: str | None = None
        while before != "":
            page = self._page(PageRequest(limit=limit, before_id=before))
            before = "" if page.next is None else read_cursor(self._listed, page.next)
            yield page.items, before

    def _remember(self, rows: Iterable[T], floor: str) -> None:
        self._floor = floor
        self._seen.update(map(self._id_of, rows))
        if self._seen:
            self._floor = max(floor, _overlap_before(max(self._seen)))
            self._seen = {one for one in self._seen if one >= self._floor}


class Changes(Generic[T]):
    """Called again and again: the rows of `look` that say something else than when they were given last."""

    def __init__(
        self, look: Callable[[], Iterable[T]], *, key: Callable[[T], str], says: Callable[[T], object]
    ) -> None:
        self._look = look
        self._key = key
        self._says = says
        self._said: dict[str, object] = {}

    def __call__(self) -> list[T]:
        rows = list(self._look())
        changed = [row for row in rows if self._said.get(self._key(row)) != self._says(row)]
        self._said = {self._key(row): self._says(row) for row in rows}
        return changed


class Lines:
    """Prints rows as they come: columns that only ever become wider, or JSON."""

    def __init__(self, columns: Columns, *, as_json: bool) -> None:
        self._columns = columns
        self._as_json = as_json
        self._widths = [len(title) for title in columns]
        self._said_titles = False

    def print(self, row: object) -> None:
        if self._as_json:
            click.echo(orjson.dumps(row, option=orjson.OPT_UTC_Z))
            return
        if not self._said_titles:
            self._said_titles = True
            self._print_cells(list(self._columns))
        self._print_cells(cells_of(row, self._columns))

    def _print_cells(self, cells: list[str]) -> None:
        self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, cells, strict=True)]
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(cells, self._widths, strict=True)).rstrip())


def watch(look: Callable[[], Iterable[object]], columns: Columns, *, as_json: bool) -> None:
    """Print whatever each look gives, until Ctrl-C."""
    lines = Lines(columns, as_json=as_json)
    with suppress(KeyboardInterrupt):
        while True:
            for row in look():
                lines.print(row)
            time.sleep(LOOK_SECONDS)


def _overlap_before(row_id: str) -> str:
    return first_id((UUID(row_id).int >> 80) - OVERLAP_MS)
