"""The newest deliveries of one destination, as a part of statements. It may not run one.

They are asked for by a place in an index (`(destination, state, id) < …`), not as the rows of one destination in order:
for that PostgreSQL may choose to walk all deliveries by id, and meet what it looks for last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Subquery, bindparam, literal, select, tuple_

from bridge.lists.walk import BEYOND_IDS
from bridge.tables import DeliveryRow, core

_DELIVERY = core(DeliveryRow)


def newest_of_state(
    state: str, limit: int, *, before: ColumnElement[str] | None = None, since: ColumnElement[str] | None = None
) -> Subquery:
    """id, attempts, finished_at of the newest `limit` of parameter `to` in that state; ids `since` ≤ … < `before`."""
    d = _DELIVERY.c
    place = (d.destination, d.state, d.id)
    destination: BindParameter[str] = bindparam("to")
    conditions = [_before(place, [destination, literal(state), literal(BEYOND_IDS) if before is None else before])]
    if since is not None:
        conditions.append(tuple_(*place) >= tuple_(destination, literal(state), since))
    newest = (
        select(d.destination, d.state, d.id, d.attempts, d.finished_at)
        .where(*conditions)
        .order_by(*(column.desc() for column in place))
        .limit(limit)
        .subquery()
    )
    # Where there are fewer, the index goes on with another state.
    return select(newest).where(newest.c.destination == destination, newest.c.state == state).subquery()


def newest_failing(
    limit: int, *, before: ColumnElement[str] | None = None, since: ColumnElement[str] | None = None
) -> Subquery:
    """The newest `limit` of parameter `to` whose newest try failed: id, attempts, finished_at and the error."""
    d = _DELIVERY.c
    place = (d.destination, d.id)
    conditions = [_before(place, [bindparam("to"), literal(BEYOND_IDS) if before is None else before])]
    if since is not None:
        conditions.append(tuple_(*place) >= tuple_(bindparam("to"), since))
    newest = (
        select(d.destination, d.id, d.attempts, d.finished_at, d.last_error, d.last_status, d.error_class)
        .where(d.error_class.is_not(None), *conditions)
        .order_by(*(column.desc() for column in place))
        .limit(limit)
        .subquery()
    )
    return select(newest).where(newest.c.destination == bindparam("to")).subquery()


def _before(columns: Sequence[ColumnElement[Any]], place: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
    return tuple_(*columns) < tuple_(*place)
