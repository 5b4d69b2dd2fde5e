"""Unreadable events read again one by one, and what is said of each. It may not read one itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

import click

from bridge import signals
from bridge.admin.reparsing import Reparsed
from bridge.admin.search.events import EventFilter, unreadable_after
from bridge.cli.edge import REFUSED
from bridge.cli.opened import actor
from bridge.cli.printing import print_json
from bridge.database import Database
from bridge.errors import Conflict, FieldError
from bridge.wiring import Wiring

_AT_ONCE = 200


def chosen_unreadable(database: Database, wanted: EventFilter) -> Iterator[str]:
    """Ids of the unreadable events that are wanted, oldest first."""
    last: str | None = None
    while True:
        with database.read() as session:
            found = unreadable_after(session, wanted, last, limit=_AT_ONCE)
        yield from found
        if len(found) < _AT_ONCE:
            return
        last = found[-1]


def reparse_each(bridge: Wiring, event_ids: Iterable[str], reason: str) -> Iterator[Reparsed]:
    """Each in a transaction of its own. Raises NotFound, Invalid without a reason; a Conflict is told as an error."""
    for event_id in event_ids:
        try:
            with bridge.database.write() as session:
                now = bridge.clock.now()
                done = bridge.reparser.reparse(session, event_id, reason=reason, actor=actor(), now=now)
        except Conflict as refused:  # somebody was faster, or its source is gone: the others go on
            error = FieldError(field="event", rule="state", message=refused.detail)
            done = Reparsed(id=event_id, errors=(error,))
        yield done
    signals.work_recorded.send(reparse_each)


def print_reparsed(outcomes: Iterable[Reparsed], *, as_json: bool) -> None:
    """A line for each as it comes, or all as JSON; exit code 1 where one still cannot be read."""
    done = []
    for one in outcomes:
        done.append(one)
        if not as_json:
            for line in _lines(one):
                click.echo(line)
    if as_json:
        print_json({"items": [{**asdict(one), "result": one.result} for one in done]})
    elif not done:
        click.echo("nothing found", err=True)
    if any(one.result == "unreadable" for one in done):
        raise SystemExit(REFUSED)


def _lines(one: Reparsed) -> Iterator[str]:
    if not one.events:
        yield f"{one.id}  still unreadable"
        yield from (f"  {error.field}: {error.message}" for error in one.errors)
    for event in one.events:
        if event.duplicate:
            yield f"{one.id}  was recorded meanwhile as {event.event_id}"
        else:
            owed = f"owed to {', '.join(event.deliveries)}" if event.deliveries else "owed to nobody"
            yield f"{event.event_id}  {event.type}, {owed}"
