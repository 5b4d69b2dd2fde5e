"""Walks of a list from its newest row on, each no longer than is quick. It may not know what is listed.

A filter that no index serves is answered by looking at one row after the other, and where nothing matches, at all of
them. So a page looks at so many and no more; what it has not reached, the next page does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, desc, func, literal, select, tuple_, union_all
from sqlalchemy.orm import Session

from bridge.lists.spans import Span

#: Rows that one page looks at, at most: 0.7 µs each on SQLite, 0.2 on PostgreSQL.
EXAMINED = 20_000
#: Sorts after every id, in every collation.
BEYOND_IDS = "g"


@dataclass(frozen=True, kw_only=True)
class Walked:
    """What one walk found."""

    #: Newest first.
    ids: list[str]
    #: The id down to which was looked; None: to the end.
    floor: str | None

    def first(self, most: int) -> tuple[list[str], str | None]:
        """The first `most` of them, and the id after which the next begin; None: there are no more."""
        found = self.ids[:most]
        return found, found[-1] if len(self.ids) > most else self.floor


@dataclass(frozen=True, kw_only=True)
class Run:
    """The rows of a table in the order of one of its indexes, which ends in `id`."""

    table: Table
    #: What the columns of the index before `id` have to be, in their order; empty: the index on `id` alone.
    values: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    #: The condition of a partial index, word for word.
    partial: ColumnElement[bool] | None = None

    def ids(self, *, before: str | None, floor: str | None) -> Select[str]:
        """The ids from `floor` on (None: from the first) and before `before`, newest first."""
        own = self.table.c
        conditions = [own[name] == value for name, value in self.values.items()]
        conditions += [] if self.partial is None else [self.partial]
        conditions += [] if before is None else [own.id < before]
        conditions += [] if floor is None else [own.id >= floor]
        statement: Select[str] = select(own.id).where(*conditions)
        return statement.order_by(own.id.desc())

    def nth(self, number: int, *, before: str | None, begin: str | None) -> Select[str]:
        """The id of that row before `before`; no row where there are fewer from `begin` on.

        As a range of places in the index: from `type = …` PostgreSQL may choose to walk all rows by their id.
        """
        columns = [*(self.table.c[name] for name in self.values), self.table.c.id]
        fixed = [literal(value, self.table.c[name].type) for name, value in self.values.items()]
        conditions = [] if self.partial is None else [self.partial]
        conditions.append(_tuple(columns) < _tuple([*fixed, literal(before or BEYOND_IDS)]))
        conditions.append(_tuple(columns) >= _tuple([*fixed, literal(begin or "")]))
        statement: Select[str] = select(self.table.c.id).where(*conditions)
        return statement.order_by(*(column.desc() for column in columns)).offset(number - 1).limit(1)

    def holds(self, column: str, value: object) -> ColumnElement[bool]:
        """That `column` is `value`; as an expression, so that no other index is taken for the better way."""
        return func.coalesce(self.table.c[column], "") == value


def walk(
    session: Session,
    runs: Sequence[Run],
    conditions: Sequence[ColumnElement[bool]],
    *,
    span: Span,
    before_id: str | None,
    most: int,
    examined: int = EXAMINED,
    parameters: Mapping[str, object] = MappingProxyType({}),
) -> Walked:
    """The newest `most` rows of all `runs` together of which `conditions` hold, within `span` and before `before_id`.

    At most `examined` rows are looked at. `parameters` are those that `conditions` name.
    """
    if not runs:
        return Walked(ids=[], floor=None)
    before, wanted = span.before(before_id), [*conditions, *span.times]
    floor = _floor(session, runs, before, span.begin, max(1, examined // len(runs))) if wanted else None
    # Each is cut by itself: SQLite would merge them lazily, PostgreSQL reads them to their ends and sorts.
    beginnings = [run.ids(before=before, floor=floor or span.begin).where(*wanted).limit(most) for run in runs]
    if len(beginnings) == 1:
        return Walked(ids=list(session.scalars(beginnings[0], parameters)), floor=floor)
    merged = union_all(*(select(one.subquery().c.id) for one in beginnings)).order_by(desc("id")).limit(most)
    return Walked(ids=list(session.scalars(merged, parameters)), floor=floor)


def _floor(session: Session, runs: Sequence[Run], before: str | None, begin: str | None, most: int) -> str | None:
    """Down to where the runs are looked at: none beyond its own `most`-th row, so the highest of these places."""
    ends = [run.nth(most, before=before, begin=begin) for run in runs]
    return max((place for end in ends for place in session.scalars(end)), default=None)


def _tuple(columns: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
    return columns[0] if len(columns) == 1 else tuple_(*columns)
