"""`bridge holds …`. It may not keep anything from being destroyed itself: who destroys asks."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

import click

from bridge.admin.holds import HoldWithPurges, look_at_hold, place_hold
from bridge.admin.holds import release as release_hold
from bridge.admin.search.holds import LISTED, HoldFilter, find_holds
from bridge.admin.search.pages import Page
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import Moment, json_option, page_options, page_request, reason_option
from bridge.cli.printing import Columns, print_json, print_page, print_thing
from bridge.genesys.purge_policy import INTERACTION_TYPES
from bridge.settings.model import LegalHold


def _what_is_held(told: dict[str, Any]) -> str:
    """A hold's thing in a word or two; a customer is masked."""
    if told["subject"] is not None:
        return str(told["subject"])
    return f"customer {told['customer']}" if told["customer"] is not None else f"every {told['type']}"


_COLUMNS: Columns = {
    "ID": lambda one: one["id"],
    "HOLDS": _what_is_held,
    "FROM": lambda one: one["from"],
    "TO": lambda one: one["to"],
    "ACTIVE": lambda one: "yes" if one["active"] else "released",
    "BY": lambda one: one["placed_by"] or one["origin"],
    "PLACED": lambda one: one["placed_at"],
    "REASON": lambda one: one["reason"],
}


class Bound(Moment):
    """As Moment; a date alone stays one: that day is held whole."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return date.fromisoformat(value)
        except ValueError:
            return super().convert(value, param, ctx)


@click.group("holds")
def command() -> None:
    """Legal holds: what must not be purged, erased or forgotten."""


@command.command("list")
@click.option("--active/--released", "active", default=None, help="Only those in force, or only those released.")
@page_options
@json_option
def list_all(active: bool | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """Holds, newest first; those of bridge.toml at the end."""
    page = page_request(LISTED, limit, cursor)
    with opened_bridge() as bridge, bridge.database.read() as session:
        found = find_holds(session, bridge.holds, HoldFilter(active=_word(active)), page)
    print_page(Page(items=[one.as_told() for one in found.items], next=found.next), _COLUMNS, as_json=as_json)


@command.command("show")
@click.argument("hold_id")
@json_option
def show(hold_id: str, as_json: bool) -> None:
    """One hold, and the open purges that it covers."""
    with opened_bridge() as bridge, bridge.database.read() as session:
        told = look_at_hold(session, bridge.holds, hold_id).as_told()
    if not as_json:
        told = {name: value for name, value in told.items() if value not in (None, [])}
    print_thing(told, as_json=as_json)


@command.command("add")
@click.option("--subject", help="Everything about this subject, like conversation:<id> or record:<schema>/<id>.")
@click.option("--customer", metavar="ID", help="Everything that names this customer.")
@click.option("--type", "interaction_type", type=click.Choice(INTERACTION_TYPES), help="Interactions of this type …")
@click.option("--from", "from_", type=Bound(), help="… from this day or time on …")
@click.option("--to", type=Bound(), help="… to this day, held whole, or up to this time.")
@reason_option
@json_option
def add(
    subject: str | None,
    customer: str | None,
    interaction_type: str | None,
    from_: date | datetime | None,
    to: date | datetime | None,
    reason: str,
    as_json: bool,
) -> None:
    """Place a hold on one subject, one customer, or a type with a range. It is in force at once, everywhere."""
    wanted = LegalHold(subject=subject, customer=customer, type=interaction_type, from_=from_, to=to, reason=reason)
    with opened_bridge() as bridge:
        bridge.require_current()
        now = bridge.clock.now()
        with bridge.database.write() as session:
            placed = place_hold(session, bridge.holds, wanted, actor=actor(), now=now, notes=bridge.notes)
    _tell(placed, as_json=as_json)


@command.command("release")
@click.argument("hold_id")
@reason_option
@json_option
def release(hold_id: str, reason: str, as_json: bool) -> None:
    """End a hold: what only it has kept may go with the next run of retention."""
    with opened_bridge() as bridge, bridge.database.write() as session:
        now = bridge.clock.now()
        released = release_hold(
            session, bridge.holds, hold_id, reason=reason, actor=actor(), now=now, notes=bridge.notes
        )
    if as_json:
        print_json(released.as_told())
    else:
        click.echo(f"hold {hold_id} is released")


def _word(active: bool | None) -> Literal["true", "false"] | None:
    return None if active is None else "true" if active else "false"


def _tell(placed: HoldWithPurges, *, as_json: bool) -> None:
    if as_json:
        print_json(placed.as_told())
        return
    click.echo(f"hold {placed.hold.id} is in force")
    for purge in placed.purges:
        ends = "Genesys may have begun it already: see there" if purge.state == "running" else "it will be refused"
        click.echo(f"purge {purge.id} is {purge.state.replace('_', ' ')}, and covered: {ends}", err=True)
