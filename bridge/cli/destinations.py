"""`bridge destinations …`. It may not send a delivery: a worker does."""

from __future__ import annotations

import click
import orjson

from bridge.admin.destinations import (
    Preview,
    Trial,
    destination_named,
    note_trial,
    pause_destination,
    preview_request,
    resume_destination,
    try_destination,
)
from bridge.admin.lookout import Lookout, make_lookout
from bridge.admin.search.destinations import FoundDestination
from bridge.admin.search.pages import Page
from bridge.admin.search.recorded import recorded_event
from bridge.audit.notes import AuditEntry
from bridge.cli.edge import REFUSED
from bridge.cli.names import DESTINATION
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import follow_option, json_option, reason_option
from bridge.cli.printing import Columns, print_json, print_page, print_thing
from bridge.cli.watching import Changes, watch
from bridge.wiring import Wiring

_COLUMNS: Columns = {
    "NAME": lambda one: one.name,
    "KIND": lambda one: one.kind,
    "STATE": lambda one: one.state,
    "BREAKER": lambda one: one.breaker,
    "BACKLOG": lambda one: one.backlog,
    "OLDEST S": lambda one: round(one.oldest_seconds) or None,
    "DEAD": lambda one: one.dead,
    "BLOCKED": lambda one: one.blocked_lanes,
    "PER S": lambda one: one.rate_1m,
    "OK": lambda one: None if one.success_rate_1h is None else f"{one.success_rate_1h:.1%}",
    "P95 MS": lambda one: one.latency_ms and one.latency_ms.p95,
    "LAST ERROR": lambda one: one.last_error,
}


@click.group("destinations")
def command() -> None:
    """See how destinations are doing; pause, resume, try out, preview."""


@command.command("list")
@follow_option
@json_option
def list_all(follows: bool, as_json: bool) -> None:
    """Destinations in the order of the configuration, with their state and figures.

    With --follow each appears again when its state, its backlog or its errors have changed.
    """
    with opened_bridge() as bridge:
        lookout = _lookout(bridge)

        def look() -> list[FoundDestination]:
            return lookout.destinations(bridge.clock.now())

        if follows:
            watch(Changes(look, key=lambda one: one.name, says=_moving), _COLUMNS, as_json=as_json)
            return
        found = look()
    print_page(Page(items=found, next=None), _COLUMNS, as_json=as_json)


@command.command("show")
@click.argument("name", type=DESTINATION)
@json_option
def show(name: str, as_json: bool) -> None:
    """One destination with its state and figures."""
    with opened_bridge() as bridge:
        found = _lookout(bridge).destination(name, bridge.clock.now())
    print_thing(found, as_json=as_json)


@command.command("pause")
@click.argument("name", type=DESTINATION)
@reason_option
@json_option
def pause(name: str, reason: str, as_json: bool) -> None:
    """Send it nothing until it is resumed; what it is owed waits."""
    with opened_bridge() as bridge:
        one, now = destination_named(_lookout(bridge).known, name), bridge.clock.now()
        with bridge.database.write() as session:
            pause_destination(session, one, reason=reason, actor=actor(), now=now, notes=bridge.notes)
        _say(bridge, name, f"destination {name} is paused", as_json=as_json)


@command.command("resume")
@click.argument("name", type=DESTINATION)
@reason_option
@json_option
def resume(name: str, reason: str, as_json: bool) -> None:
    """Send it again what it is owed."""
    with opened_bridge() as bridge:
        one, now = destination_named(_lookout(bridge).known, name), bridge.clock.now()
        with bridge.database.write() as session:
            resume_destination(session, one, reason=reason, actor=actor(), now=now, notes=bridge.notes)
        _say(bridge, name, f"destination {name} goes on", as_json=as_json)


@command.command("test")
@click.argument("name", type=DESTINATION)
@click.option("--reason", metavar="TEXT", help="Why; the audit keeps it.")
@json_option
def test(name: str, reason: str | None, as_json: bool) -> None:
    """Send it one harmless request at once and say what came of it.

    It goes the way of deliveries, with the header X-Bridge-Test: true, about a thing called bridge-test. It is no
    delivery: owed to nobody, not tried again. Exit code 1 where it was not taken.
    """
    with opened_bridge() as bridge:
        one = destination_named(_lookout(bridge).known, name)
        trial = try_destination(one, bridge.clock)
        with bridge.database.write() as session:
            now = bridge.clock.now()
            note_trial(session, one, trial, reason=reason, actor=actor(), now=now, notes=bridge.notes)
    if as_json:
        print_json(trial)
    else:
        click.echo(_told(name, trial))
    if trial.outcome != "delivered":
        raise SystemExit(REFUSED)


@command.command("preview")
@click.argument("name", type=DESTINATION)
@click.argument("event_id")
@click.option("--reveal", is_flag=True, help="Show personal data; needs --reason.")
@click.option("--reason", metavar="TEXT", help="Why it is shown; the audit keeps it.")
@json_option
def preview(name: str, event_id: str, reveal: bool, reason: str | None, as_json: bool) -> None:
    """The request that an event would become, without sending it; secrets are hidden, personal data is masked."""
    if reveal and not (reason or "").strip():
        raise click.UsageError("Missing option '--reason' (or leave out --reveal).")
    with opened_bridge() as bridge:
        one = destination_named(_lookout(bridge).known, name)
        with bridge.database.read() as session:
            event = recorded_event(session, event_id, bridge.vault)
        shown = preview_request(one, event, None if reveal else bridge.masking)
        if reveal:
            _note_reveal(bridge, event_id, name, reason)
    if as_json:
        print_json(shown)
    else:
        _print_request(shown)


def _moving(one: FoundDestination) -> object:
    """What makes it appear again: not its rates, which are never the same."""
    return one.state, one.breaker, one.backlog, one.dead, one.blocked_lanes, one.last_error_at


def _lookout(bridge: Wiring) -> Lookout:
    return make_lookout(bridge.settings, database=bridge.database, clock=bridge.clock, forwarders=bridge.destinations)


def _say(bridge: Wiring, name: str, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_lookout(bridge).destination(name, bridge.clock.now()))
    else:
        click.echo(sentence)


def _told(name: str, trial: Trial) -> str:
    if trial.outcome == "delivered":
        status = "" if trial.status is None else f" with {trial.status}"
        return f"{name} took it{status} in {trial.duration_ms} ms"
    fate = "would be tried again" if trial.outcome == "retry_later" else "would be dead at once"
    return f"{name} did not take it ({trial.error}, {trial.duration_ms} ms): a delivery {fate}"


def _note_reveal(bridge: Wiring, event_id: str, name: str, reason: str | None) -> None:
    details = {"eventId": event_id, "destination": name}
    subject = f"event:{event_id}"
    entry = AuditEntry(actor=actor(), action="event.revealed", subject=subject, reason=reason, details=details)
    with bridge.database.write() as session:
        bridge.notes.write(session, [entry], bridge.clock.now())


def _print_request(shown: Preview) -> None:
    if not shown.owed:
        click.echo("note: as it is configured now, this destination would not be owed the event", err=True)
    click.echo(f"{shown.method} {shown.url}")
    for header, text in shown.headers.items():
        click.echo(f"{header}: {text}")
    click.echo()
    click.echo(orjson.dumps(shown.body, option=orjson.OPT_INDENT_2).decode())
